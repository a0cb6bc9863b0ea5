//! One tree from the trees of several shadows: what stands at one place is one thing, wherever it was seen.

use super::{
    template::Template,
    tree::{Entry, Mapping, Node, NodeKind, Sequence, Splice},
};
use crate::{diagnostic::Diagnostic, source::Span};
use std::{borrow::Cow, collections::HashMap};
use thin_vec::{ThinVec, thin_vec};

crate::rule! {
    /// A key stands twice in one map. YAML readers keep one of them, and not always the same.
    ///
    /// Wrong:
    ///
    /// ```yaml
    /// nginx:
    ///   pkg.installed: []
    ///   pkg.installed:
    ///     - version: 1.22
    /// ```
    ///
    /// Write it once:
    ///
    /// ```yaml
    /// nginx:
    ///   pkg.installed:
    ///     - version: 1.22
    /// ```
    pub DUPLICATE_KEY = "Z0005", "duplicate-key", Error;
}

/// The union of two trees of one text.
pub fn merge(a: Node, b: Node) -> Node {
    let span = a.span.to(b.span);
    let tag = a.tag.clone().or_else(|| b.tag.clone());
    match (a.kind, b.kind) {
        (NodeKind::Mapping(x), NodeKind::Mapping(y)) if x.flow == y.flow => {
            Node { span, kind: NodeKind::Mapping(merge_mappings(x, y)), tag }
        }
        (NodeKind::Sequence(x), NodeKind::Sequence(y)) if x.flow == y.flow => {
            Node { span, kind: NodeKind::Sequence(merge_sequences(x, y)), tag }
        }
        (NodeKind::Empty | NodeKind::Error, kind) => Node { span: b.span, kind, tag },
        (kind, NodeKind::Empty | NodeKind::Error) => Node { span: a.span, kind, tag },
        (NodeKind::Choice(mut nodes), kind) => {
            let node = Node { span: b.span, kind, tag: b.tag };
            match nodes.iter().position(|n| n.span == node.span || mergeable(n, &node)) {
                Some(at) => {
                    let old = nodes.remove(at);
                    nodes.insert(at, merge(old, node));
                }
                None => nodes.push(node),
            }
            Node { span, kind: NodeKind::Choice(nodes), tag: None }
        }
        (x, _) if a.span == b.span => Node { span, kind: x, tag },
        (x, y) => {
            let nodes = thin_vec![
                Node { span: a.span, kind: x, tag: a.tag },
                Node { span: b.span, kind: y, tag: b.tag }
            ];
            Node { span, kind: NodeKind::Choice(nodes), tag: None }
        }
    }
}

fn mergeable(a: &Node, b: &Node) -> bool {
    matches!(
        (&a.kind, &b.kind),
        (NodeKind::Mapping(_), NodeKind::Mapping(_)) | (NodeKind::Sequence(_), NodeKind::Sequence(_))
    )
}

/// Both sides saw the splices that stand on every branch.
fn merge_splices(mut a: ThinVec<Splice>, b: ThinVec<Splice>) -> ThinVec<Splice> {
    a.extend(b);
    a.sort_by_key(|s| s.span);
    a.dedup_by_key(|s| s.span);
    a
}

fn merge_mappings(a: Mapping, b: Mapping) -> Mapping {
    let splices = merge_splices(a.splices, b.splices);
    let mut entries: ThinVec<Entry> = ThinVec::with_capacity(a.entries.len().max(b.entries.len()));
    let mut right = b.entries.into_iter().peekable();
    for entry in a.entries {
        while right.peek().is_some_and(|other| other.key.span.start < entry.key.span.start) {
            entries.extend(right.next());
        }
        match right.next_if(|other| other.key.span == entry.key.span) {
            Some(other) => entries
                .push(Entry { key: merge(entry.key, other.key), value: merge(entry.value, other.value) }),
            None => entries.push(entry),
        }
    }
    entries.extend(right);
    entries.shrink_to_fit();
    Mapping { entries, splices, flow: a.flow }
}

fn merge_sequences(a: Sequence, b: Sequence) -> Sequence {
    let splices = merge_splices(a.splices, b.splices);
    let mut items: ThinVec<Node> = ThinVec::with_capacity(a.items.len().max(b.items.len()));
    let mut right = b.items.into_iter().peekable();
    for item in a.items {
        while right.peek().is_some_and(|other| other.span.start < item.span.start) {
            items.extend(right.next());
        }
        match right.next_if(|other| other.span.start == item.span.start) {
            Some(other) => items.push(merge(item, other)),
            None => items.push(item),
        }
    }
    items.extend(right);
    items.shrink_to_fit();
    Sequence { items, splices, flow: a.flow }
}

/// Reports keys that stand twice in one map on one branch.
pub fn duplicates(node: &Node, template: &Template, found: &mut Vec<Diagnostic>) {
    match &node.kind {
        NodeKind::Mapping(mapping) => {
            // Most maps have one key: the items of a list of arguments.
            if let [only] = mapping.entries.as_slice() {
                duplicates(&only.value, template, found);
                return;
            }
            let mut seen: HashMap<Cow<'_, str>, Span> = HashMap::with_capacity(mapping.entries.len());
            for entry in &mapping.entries {
                duplicates(&entry.value, template, found);
                let Some(key) = entry.key.text() else { continue };
                if key == "<<" {
                    continue;
                }
                match seen.get(&key) {
                    Some(first) if certain(template, first.start, entry.key.span.start) => {
                        found.push(
                            Diagnostic::new(
                                &DUPLICATE_KEY,
                                entry.key.span,
                                format!("`{key}` stands twice in this map"),
                            )
                            .label(*first, "first here")
                            .help("rename one of them, or merge the two"),
                        );
                    }
                    Some(_) => {}
                    None => {
                        seen.insert(key, entry.key.span);
                    }
                }
            }
        }
        NodeKind::Sequence(sequence) => sequence.items.iter().for_each(|n| duplicates(n, template, found)),
        NodeKind::Choice(nodes) => nodes.iter().for_each(|n| duplicates(n, template, found)),
        _ => {}
    }
}

/// Whether whenever the later place is taken, the earlier one is: its branches are among the later one's.
fn certain(template: &Template, earlier: u32, later: u32) -> bool {
    let outer = template.arms_at(earlier);
    let inner = template.arms_at(later);
    outer.iter().all(|arm| inner.contains(arm))
}
