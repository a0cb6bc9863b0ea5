//! Where one more file is included in a text, so that its states can be named.
//!
//! The place is proven: with a ref put there, the text must include all that it did and the ref, on every peel, and have the
//! same states and no other mistakes.

use super::{Context, Index, nodes, together::included};
use crate::{
    check::{UnitKind, pattern::Pattern, whole::foreign_renderer},
    lower::document::StateFile,
    project::TreeKind,
    source::FileId,
    syntax::{self, Mapping, Node, NodeKind, Tree},
};
use std::{collections::HashSet, ops::Range, sync::Arc};

/// A ref that no author writes.
const MARKER: &str = "zq9marker";

/// Where a ref goes, and what stands around it there.
pub struct Including {
    range: Range<usize>,
    before: String,
    after: String,
    /// Files that the text includes already.
    included: HashSet<String>,
    /// Refs of which only a part is known.
    computed: Vec<Pattern>,
    /// The most dots that its refs begin with.
    dots: usize,
}

/// Where a text can include one more file for a state at a place. Nothing where a template decides whether the state is
/// there: the file would be included for those, too, that do not have it.
pub fn including(index: &Index, context: &Context, tree: &Tree, offset: usize) -> Option<Including> {
    let readable = tree.opaque.is_none() && foreign_renderer(tree.file, &tree.text).is_none();
    let is_unconditional = |at: u32| tree.template.arms_at(at).is_empty();
    if context.kind != UnitKind::States
        || context.tree_kind != TreeKind::States
        || !readable
        || !is_unconditional(u32::try_from(offset).ok()?)
    {
        return None;
    }
    let root = tree.root.as_ref()?;
    let map = root.as_mapping()?;
    let mut includes = map.entries.iter().filter(|entry| entry.key.text().as_deref() == Some("include"));
    let (range, before, after) = match (includes.next(), includes.next()) {
        (Some(entry), None) if is_unconditional(entry.key.span.start) => {
            in_list(tree, &entry.key, &entry.value)?
        }
        // What a line of the template adds may have an include of its own.
        (None, _) if map.splices.is_empty() => at_the_top(tree, map)?,
        _ => return None,
    };
    let file = StateFile::read(root, &tree.template);
    if file.includes_open {
        return None;
    }
    let constants = Index::constants(context, tree);
    let refs = file.includes.iter().flat_map(|include| Pattern::of_node(include.reference, &constants));
    let refs: Vec<Pattern> = refs.map(|(name, _)| name).collect();
    let dots = |name: &str| name.len() - name.trim_start_matches('.').len();
    let place = Including {
        range,
        before,
        after,
        included: included(index, context, tree).into_iter().collect(),
        dots: refs.iter().filter_map(|name| Some(dots(name.text()?))).max().unwrap_or(0),
        computed: refs.into_iter().filter(|name| name.text().is_none()).collect(),
    };
    is_proven(tree, root, &place).then_some(place)
}

impl Including {
    /// What includes a file: the place, and the text for it. Nothing where the text includes it, or may, or no ref leads to
    /// it.
    pub fn edit(&self, index: &Index, context: &Context, path: &str) -> Option<(Range<usize>, String)> {
        if path == context.path || self.included.contains(path) {
            return None;
        }
        let name = self.written(index, context, path)?;
        Some((self.range.clone(), format!("{}{name}{}", self.before, self.after)))
    }

    /// How a file is named in the text: with dots where the text names others so, and the file is near enough.
    fn written(&self, index: &Index, context: &Context, path: &str) -> Option<String> {
        let (kind, env, name) = index.project.reference_of(path)?;
        if kind != TreeKind::States || env != context.env {
            return None;
        }
        let mut candidates = Vec::new();
        let mut dir: Vec<&str> = context.tree_path.split('/').collect();
        for dots in 1..=self.dots {
            if dir.pop().is_none() {
                break;
            }
            let base = dir.join(".");
            let inner = match base.as_str() {
                "" => Some(name.as_str()),
                base => name.strip_prefix(base).and_then(|rest| rest.strip_prefix('.')),
            };
            candidates.extend(inner.map(|inner| format!("{}{inner}", ".".repeat(dots))));
        }
        candidates.push(name);
        let may_be = |name: &String| self.computed.iter().any(|known| known.matches(name));
        if candidates.iter().any(may_be) {
            return None;
        }
        candidates.into_iter().find(|name| {
            let found = index.project.resolve(TreeKind::States, env, name, Some(&context.tree_path));
            is_plain(name) && found.is_ok_and(|found| found.file.path == path)
        })
    }
}

/// Whether a ref is its own text wherever it is written.
fn is_plain(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
        && name.chars().any(|c| c.is_ascii_alphabetic())
        && !name.starts_with('-')
        // A number, `true`, `null`: values, where a ref is a text.
        && matches!(crate::types::resolve_plain(name), crate::types::Value::Str(_))
}

/// The end of a place's line, without its line break.
fn line_end(text: &str, at: usize) -> usize {
    let end = text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |found| at + found);
    if text.get(..end).is_some_and(|before| before.ends_with('\r')) { end - 1 } else { end }
}

fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |found| found + 1)
}

fn line_break(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// The blanks that a line begins with; nothing where a place has something else before it.
fn indent(text: &str, at: usize) -> Option<&str> {
    text.get(line_start(text, at)..at).filter(|before| before.bytes().all(|b| b == b' '))
}

/// One more item of an `include` that is there.
fn in_list(tree: &Tree, key: &Node, value: &Node) -> Option<(Range<usize>, String, String)> {
    let text: &str = &tree.text;
    let below = |end: usize, indent: &str| {
        let at = line_end(text, end);
        Some((at..at, format!("{}{indent}- ", line_break(text)), String::new()))
    };
    match &value.kind {
        NodeKind::Empty => {
            below(key.span.end as usize, &format!("{}  ", indent(text, key.span.start as usize)?))
        }
        // A single ref becomes a list.
        NodeKind::Scalar(_) => {
            let range = nodes::literal_span(tree, value).map(|_| value.span.range())?;
            let before = format!("[{}, ", text.get(range.clone())?);
            Some((range, before, "]".to_owned()))
        }
        NodeKind::Sequence(list) if list.flow => match list.items.last() {
            Some(last) => {
                Some((last.span.range().end..last.span.range().end, ", ".to_owned(), String::new()))
            }
            None => {
                let at = value.span.range().start + 1;
                Some((at..at, String::new(), String::new()))
            }
        },
        NodeKind::Sequence(list) => {
            let on_every_peel = |item: &&Node| tree.template.arms_at(item.span.start).is_empty();
            let dash = |item: &Node| {
                let before = text.get(..item.span.start as usize)?;
                indent(text, before.rfind('-')?)
            };
            match list.items.iter().rfind(on_every_peel) {
                Some(item) => below(item.span.end as usize, dash(item)?),
                None => below(key.span.end as usize, dash(list.items.first()?)?),
            }
        }
        _ => None,
    }
}

/// An `include` before the first state, with the comment that belongs to it.
fn at_the_top(tree: &Tree, map: &Mapping) -> Option<(Range<usize>, String, String)> {
    let text: &str = &tree.text;
    let first = map.entries.iter().min_by_key(|entry| entry.key.span.start)?.key.span.start;
    let column = indent(text, first as usize)?;
    // The block of the template around it, the outermost one, begins the part that a peel may not have.
    let outermost = tree.template.arms_at(first).first().map(|(block, _)| *block);
    let head = outermost.and_then(|block| tree.template.blocks.get(block)).map_or(first, |b| b.span.start);
    indent(text, head as usize)?;
    let start = line_start(text, head as usize);
    let mut at = start;
    while at > 0 {
        let above = line_start(text, at - 1);
        if !text.get(above..at)?.trim_start().starts_with('#') {
            break;
        }
        at = above;
    }
    // A comment at the very top is the file's.
    if at == 0 {
        at = start;
    }
    let newline = line_break(text);
    Some((at..at, format!("{column}include:{newline}{column}  - "), format!("{newline}{newline}")))
}

/// Whether a text includes one file more with a ref at a place, and is the same otherwise.
fn is_proven(tree: &Tree, root: &Node, place: &Including) -> bool {
    let Including { range, before, after, .. } = place;
    let (Some(head), Some(tail)) = (tree.text.get(..range.start), tree.text.get(range.end..)) else {
        return false;
    };
    let patched: Arc<str> = format!("{head}{before}{MARKER}{after}{tail}").into();
    let parsed = syntax::parse(FileId(u32::MAX), &patched);
    let Some(new) = parsed.root.as_ref().filter(|_| parsed.opaque.is_none()) else { return false };
    let (old, new) = (Said::of(tree, root), Said::of(&parsed, new));
    let mut expected = old.includes;
    expected.push((MARKER.to_owned(), true));
    expected.sort();
    (expected, old.ids, old.errors) == (new.includes, new.ids, new.errors)
}

/// What must be the same.
struct Said {
    /// The refs as they are written, and whether every peel includes them; sorted.
    includes: Vec<(String, bool)>,
    ids: Vec<String>,
    errors: usize,
}

impl Said {
    fn of(tree: &Tree, root: &Node) -> Self {
        let file = StateFile::read(root, &tree.template);
        let written = |node: &Node| tree.text.get(node.span.range()).unwrap_or_default().to_owned();
        let mut includes: Vec<(String, bool)> = file
            .includes
            .iter()
            .map(|include| {
                let at = include.reference.span.start;
                (written(include.reference), tree.template.arms_at(at).is_empty())
            })
            .collect();
        includes.sort();
        let found = tree.diagnostics.iter().chain(&file.diagnostics);
        Self {
            includes,
            ids: file.states.iter().chain(&file.extends).map(|state| written(state.id)).collect(),
            errors: found.filter(|d| d.is_error()).count(),
        }
    }
}
