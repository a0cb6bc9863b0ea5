//! What can be written at a place of a text that is being typed.
//!
//! A document is understood by putting a marker at the place and parsing: where the marker lands in the tree is what
//! the author is about to write. Inside of tags, the words before the place decide.

use super::{
    Context, Expected, Index,
    chain::{Aliases, Root},
    expected::{expected, expected_config, way_to},
    nodes,
    template::{call_before, open_bracket, tag_at},
};
use crate::{
    check::{calls::exec_name, workspace::find_template},
    infer::Ty,
    project::CONFIG_FILE,
    source::FileId,
    syntax::{
        self, Node, NodeKind, Part, ScalarStyle, Tree,
        expression::Expr,
        parse_expr,
        segment::SegmentKind,
        template::StatementKind,
        token::{Token, TokenKind, tokens},
    },
};
use std::{ops::Range, sync::Arc};

/// What can be written at a place, and what it replaces.
#[derive(Clone, Debug)]
pub struct Completing {
    /// What is expected.
    pub expected: Expected,
    /// The word at the place: what an accepted completion replaces.
    pub replace: Range<usize>,
    /// The part of the word before the place.
    pub typed: String,
    /// Whether a colon stands behind the word.
    pub colon: bool,
    /// Whether the word stands in quotes.
    pub quoted: bool,
    /// The column of the word, in characters, from 0.
    pub column: usize,
}

/// A word that no author writes.
const MARKER: &str = "zQ9marker";

/// Looks at a place of a text. `tree` is the text's own tree.
pub fn completing(index: &Index, context: &Context, tree: &Tree, offset: usize) -> Completing {
    let text: &str = &tree.text;
    let offset = crate::source::floor_char_boundary(text, offset);
    let nothing = Completing {
        expected: Expected::Nothing,
        replace: offset..offset,
        typed: String::new(),
        colon: false,
        quoted: false,
        column: 0,
    };
    if let Some(tag) = tag_at(text, offset) {
        return match tag.kind {
            SegmentKind::Comment => nothing,
            kind => in_tag(index, context, tree, tag.inner, kind, offset, nothing),
        };
    }
    in_document(context, tree, offset, nothing)
}

fn in_document(context: &Context, tree: &Tree, offset: usize, nothing: Completing) -> Completing {
    let text: &str = &tree.text;
    let line_start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    let before = &text[line_start..offset];
    let after = text[offset..].split('\n').next().unwrap_or_default();
    // Without a blank behind the colon there is no value yet.
    if is_comment(before)
        || before.ends_with(':') && !before.contains("://")
        || before.ends_with('{') && after.starts_with('{')
    {
        return nothing;
    }
    let words = before.trim_start();
    let dashes = words.trim_start_matches(['-', ' ']);
    let bare = words.starts_with("- ") || words == "-";
    // The first word of a line without a dash is a key; its colon is often still to come.
    let alone = !bare && !dashes.contains(char::is_whitespace) && !after.contains(':');
    let mut attempts = vec![MARKER.to_owned(), format!("{MARKER}:")];
    if alone {
        attempts.reverse();
    }
    for inserted in attempts {
        let mut patched = String::with_capacity(text.len() + inserted.len());
        patched.push_str(&text[..offset]);
        patched.push_str(&inserted);
        patched.push_str(&text[offset..]);
        let patched: Arc<str> = patched.into();
        let parsed = syntax::parse(FileId(u32::MAX), &patched);
        let roots = parsed.root.iter().chain(parsed.bodies.iter().filter_map(|b| b.root.as_ref()));
        for root in roots {
            let Some(way) = way_to(root, &parsed.template, MARKER) else { continue };
            let Some(range) = word_of(&parsed, way.node) else { return nothing };
            if range.start > offset {
                return nothing;
            }
            let start = range.start;
            let end = range.end.saturating_sub(MARKER.len()).clamp(offset, text.len());
            let mut found = if context.path == CONFIG_FILE {
                expected_config(&way)
            } else {
                expected(context, &way, MARKER)
            };
            let typed = &text[start..offset];
            let quoted = text[..start].ends_with(['"', '\'']);
            let mut replace = start..text[start..end].find('\n').map_or(end, |at| start + at);
            let mut typed_now = typed.to_owned();
            if let Some(inner) = source_path(typed) {
                found = Expected::Source;
                replace.start = start + inner;
                typed_now.replace_range(..inner, "");
            } else if found == Expected::Target {
                let word = typed.rfind([' ', '(']).map_or(0, |at| at + 1);
                replace.start = start + word;
                replace.end = offset;
                typed_now.replace_range(..word, "");
            }
            let colon = text[replace.end..].trim_start_matches(['"', '\'']).starts_with(':');
            let column = text[line_start..replace.start.max(line_start)].chars().count();
            return Completing { expected: found, replace, typed: typed_now, colon, quoted, column };
        }
    }
    nothing
}

/// Where the path behind `zester://` begins.
fn source_path(text: &str) -> Option<usize> {
    ["zester://", "salt://"].iter().find_map(|scheme| text.starts_with(scheme).then_some(scheme.len()))
}

/// Whether the end of a line's beginning lies in a comment.
fn is_comment(before: &str) -> bool {
    let mut quote = None;
    let mut last = ' ';
    for c in before.chars() {
        match (quote, c) {
            (None, '#') if last.is_whitespace() => return true,
            (None, '\'' | '"') if last.is_whitespace() || matches!(last, '[' | '{' | ',') => quote = Some(c),
            (Some(q), c) if q == c => quote = None,
            _ => {}
        }
        last = c;
    }
    false
}

/// The place of a scalar's text, when it is one word or line of literal text.
fn word_of(tree: &Tree, node: &Node) -> Option<Range<usize>> {
    let NodeKind::Scalar(scalar) = &node.kind else { return None };
    if nodes::is_block_text(scalar) || !matches!(scalar.parts.as_slice(), [Part::Text { .. }]) {
        return None;
    }
    let quote = usize::from(matches!(scalar.style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted));
    let range = node.span.range();
    let range = range.start + quote..range.end.saturating_sub(quote);
    let written = tree.text.get(range.clone())?;
    (!written.contains('\n')).then_some(range)
}

fn in_tag(
    index: &Index,
    context: &Context,
    tree: &Tree,
    inner: Range<usize>,
    kind: SegmentKind,
    offset: usize,
    nothing: Completing,
) -> Completing {
    let text: &str = &tree.text;
    let all = tokens(text, inner.start..offset);
    let rest = |extra: fn(char) -> bool| {
        let tail = &text[offset..inner.end];
        offset + tail.find(|c: char| !extra(c)).unwrap_or(tail.len())
    };
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let done = |expected, start: usize, end: usize| Completing {
        expected,
        typed: text[start..offset].to_owned(),
        replace: start..end,
        ..nothing.clone()
    };
    let place =
        Place { index, context, tree, inner: inner.clone(), kind, aliases: Aliases::of(&tree.template) };
    match all.as_slice() {
        [words @ .., Token { kind: TokenKind::Str { text: typed, closed: false }, range }] => {
            let start = range.start + 1;
            let end = rest(|c| !matches!(c, '\'' | '"' | '\n' | '}' | '%' | ')' | ']'));
            let (expected, skip) = place.in_text(words, typed);
            let start = (start + skip).min(offset);
            let mut found = done(expected, start, end);
            found.quoted = true;
            found
        }
        [words @ .., Token { kind: TokenKind::Name(_), range }] if range.end == offset => {
            done(place.at_word(words, kind), range.start, rest(is_word))
        }
        words => done(place.at_word(words, kind), offset, rest(is_word)),
    }
}

struct Place<'a> {
    index: &'a Index,
    context: &'a Context,
    tree: &'a Tree,
    /// The tag's text.
    inner: Range<usize>,
    kind: SegmentKind,
    aliases: Aliases,
}

impl Place<'_> {
    /// Inside of a text; how much of it does not belong to the word.
    fn in_text(&self, words: &[Token], typed: &str) -> (Expected, usize) {
        if let Some(skip) = source_path(typed)
            && !matches!(words, [Token { kind: TokenKind::Name(_), .. }])
        {
            return (Expected::Source, skip);
        }
        match words {
            [Token { kind: TokenKind::Name(word), .. }] if takes_path(word) => {
                return (Expected::TemplatePath, source_path(typed).unwrap_or(0));
            }
            [object @ .., Token { kind: TokenKind::Op("["), .. }] if !object.is_empty() => {
                if let [.., Token { kind: TokenKind::Name(name), .. }] = object
                    && matches!(name.as_str(), "salt" | "zester")
                {
                    return (Expected::ExecFunction { module: None }, 0);
                }
                if let Some(found) = self.member(object, true) {
                    return (found, 0);
                }
            }
            [callee @ .., Token { kind: TokenKind::Op("("), .. }] => {
                let Some(expr) = self.operand(callee) else { return (Expected::Nothing, 0) };
                if let Some(root) = exec_name(&expr).and_then(|(name, _)| Root::of_lookup(&name)) {
                    let skip = typed.rfind(':').map_or(0, |at| at + 1);
                    let path =
                        typed[..skip].split(':').filter(|s| !s.is_empty()).map(str::to_owned).collect();
                    return (Expected::Member { root, path, text: true }, skip);
                }
                if let [object @ .., Token { kind: TokenKind::Op("."), .. }, get] = callee
                    && matches!(&get.kind, TokenKind::Name(name) if name == "get" || name == "pop")
                    && let Some(found) = self.member(object, true)
                {
                    return (found, 0);
                }
            }
            [object @ .., Token { kind: TokenKind::Op("==" | "!="), .. }] => {
                if let Some((root, path)) = self.chain(object) {
                    return (Expected::Compared { root, path }, 0);
                }
                if let Some(ty) = self.type_of(object) {
                    return (Expected::ComparedText { ty }, 0);
                }
            }
            _ => {}
        }
        (Expected::Nothing, 0)
    }

    /// At a word outside of a text.
    fn at_word(&self, words: &[Token], kind: SegmentKind) -> Expected {
        if kind == SegmentKind::Statement
            && let Some(found) = self.in_statement(words)
        {
            return found;
        }
        match words {
            [.., Token { kind: TokenKind::Op("|"), .. }] => Expected::Filter,
            [.., Token { kind: TokenKind::Name(is), .. }] if is == "is" => Expected::Test,
            [.., Token { kind: TokenKind::Name(is), .. }, Token { kind: TokenKind::Name(not), .. }]
                if is == "is" && not == "not" =>
            {
                Expected::Test
            }
            [object @ .., Token { kind: TokenKind::Op("."), .. }] => self.attribute(object),
            [.., last] if is_operand(last) && words.len() > usize::from(kind == SegmentKind::Statement) => {
                Expected::Operator
            }
            _ => {
                let call = call_before(words);
                // A key of a literal map is free text.
                let in_map = open_bracket(words)
                    .is_some_and(|at| words.get(at).is_some_and(|t| t.kind == TokenKind::Op("{")));
                if in_map && matches!(words.last(), Some(Token { kind: TokenKind::Op("{" | ","), .. })) {
                    return Expected::Nothing;
                }
                Expected::Name { call }
            }
        }
    }

    fn in_statement(&self, words: &[Token]) -> Option<Expected> {
        let Some(Token { kind: TokenKind::Name(first), .. }) = words.first() else {
            return words.is_empty().then_some(Expected::Statement);
        };
        let has =
            |word: &str| words.iter().skip(1).any(|t| matches!(&t.kind, TokenKind::Name(n) if n == word));
        let has_op = |op: &str| words.iter().any(|t| matches!(t.kind, TokenKind::Op(o) if o == op));
        match first.as_str() {
            "from" if has("import") => {
                let ends_with_as =
                    matches!(words.last(), Some(Token { kind: TokenKind::Name(n), .. }) if n == "as");
                if ends_with_as {
                    return Some(Expected::Nothing);
                }
                let path = words.iter().find_map(|t| match &t.kind {
                    TokenKind::Str { text, .. } => Some(text.clone()),
                    _ => None,
                });
                let start = words.get(1).map(|t| t.range.start)?;
                let computed = self.tree.template.statements.iter().find_map(|s| match &s.kind {
                    StatementKind::FromImport { path, .. } if path.span.start as usize == start => {
                        Index::constants(self.context, self.tree).text(path)
                    }
                    _ => None,
                });
                let file = computed.or(path).and_then(|path| {
                    find_template(&self.index.project, &self.context.env, &path, &self.context.tree_path)
                });
                let present = words
                    .iter()
                    .skip_while(|t| !matches!(&t.kind, TokenKind::Name(n) if n == "import"))
                    .skip(1)
                    .filter_map(|t| match &t.kind {
                        TokenKind::Name(name) => Some(name.clone()),
                        _ => None,
                    })
                    .collect();
                Some(Expected::ImportedName { file: file.map(|f| f.path), present })
            }
            "set" if !has_op("=") => Some(Expected::Nothing),
            "for" if !has("in") => Some(Expected::Nothing),
            "macro" if !has_op("=") => Some(Expected::Nothing),
            "import" | "import_yaml" | "import_json" | "import_text" if has("as") => Some(Expected::Nothing),
            word if word.starts_with("load_") || word.starts_with("end") => Some(Expected::Nothing),
            "else" | "raw" | "block" | "break" | "continue" => Some(Expected::Nothing),
            "filter" if words.len() == 1 => Some(Expected::Filter),
            _ => None,
        }
    }

    fn attribute(&self, object: &[Token]) -> Expected {
        let accessor = |t: &Token| matches!(&t.kind, TokenKind::Name(n) if n == "salt" || n == "zester");
        match object {
            [.., last] if accessor(last) => return Expected::ExecFunction { module: None },
            [
                ..,
                salt,
                Token { kind: TokenKind::Op("."), .. },
                Token { kind: TokenKind::Name(module), .. },
            ] if accessor(salt) => {
                return Expected::ExecFunction { module: Some(module.clone()) };
            }
            _ => {}
        }
        if let Some(found) = self.member(object, false) {
            return found;
        }
        if let [before @ .., Token { kind: TokenKind::Name(name), .. }] = object
            && !matches!(before, [.., Token { kind: TokenKind::Op("."), .. }])
        {
            if name == "loop" {
                return Expected::LoopAttribute;
            }
            for statement in &self.tree.template.statements {
                let StatementKind::Import { path, name: bound, .. } = &statement.kind else { continue };
                if bound.0 != *name {
                    continue;
                }
                let path = Index::constants(self.context, self.tree).text(path);
                let file = path.and_then(|path| {
                    find_template(&self.index.project, &self.context.env, &path, &self.context.tree_path)
                });
                if let Some(file) = file {
                    return Expected::Attribute { file: file.path };
                }
            }
        }
        match self.type_of(object) {
            _ if object.is_empty() => Expected::Nothing,
            Some(ty) => Expected::Key { ty, text: false },
            None => Expected::Method,
        }
    }

    /// The type of the operand at the end of some words, where it is known. What stands behind the operand in its tag is
    /// half typed, so the text is read without it.
    fn type_of(&self, object: &[Token]) -> Option<Ty> {
        let operand = operand_range(object)?;
        let text: &str = &self.tree.text;
        let (closer, closed) = match self.kind {
            SegmentKind::Statement => (" %}", "%}"),
            _ => (" }}", "}}"),
        };
        let behind = text.get(self.inner.end..)?;
        // A tag that nothing closes is taken to end with its line.
        let rest = match behind.trim_start_matches(['-', '+']).strip_prefix(closed) {
            Some(rest) => rest,
            None => {
                text.get(operand.end..)?.find('\n').and_then(|at| text.get(operand.end + at..)).unwrap_or("")
            }
        };
        let patched: Arc<str> = format!("{}{closer}{rest}", text.get(..operand.end)?).into();
        let parsed = syntax::parse(FileId(u32::MAX), &patched);
        let types = self.index.types_of(self.context, &parsed);
        types.of(&operand).filter(|ty| !ty.is_any()).cloned()
    }

    /// A key of what some words end with: of facts, grains or settings, or of whatever has a known type.
    fn member(&self, object: &[Token], text: bool) -> Option<Expected> {
        let Some((root, path)) = self.chain(object) else {
            // Names of imported files and of loops are other questions.
            let ty = if text { self.type_of(object)? } else { return None };
            return Some(Expected::Key { ty, text });
        };
        // Paths through lists, and what conditions say, only types know.
        let is_known = root != Root::Settings
            || self.index.settings().get(&path).is_some_and(|s| !s.children.is_empty());
        if !is_known && let Some(ty) = self.type_of(object) {
            return Some(Expected::Key { ty, text });
        }
        Some(Expected::Member { root, path, text })
    }

    fn chain(&self, object: &[Token]) -> Option<(Root, Vec<String>)> {
        let chain = self.aliases.chain(&*self.operand(object)?)?;
        Some((chain.root, chain.segments.into_iter().map(|(s, _)| s).collect()))
    }

    /// The operand at the end of some tokens, with its calls, indices and attributes.
    fn operand(&self, words: &[Token]) -> Option<Arc<Expr>> {
        let (expr, _) = parse_expr(self.tree.file, &self.tree.text, operand_range(words)?);
        Some(Arc::new(expr))
    }
}

/// The place of the operand at the end of some tokens.
fn operand_range(words: &[Token]) -> Option<Range<usize>> {
    let mut start = words.len();
    loop {
        let last = words.get(start.checked_sub(1)?)?;
        match &last.kind {
            TokenKind::Op(")" | "]") => {
                let open = open_bracket(words.get(..start - 1)?)?;
                start = open;
                let goes_on = start
                    .checked_sub(1)
                    .and_then(|at| words.get(at))
                    .is_some_and(|t| matches!(t.kind, TokenKind::Name(_) | TokenKind::Op(")" | "]")));
                if !goes_on {
                    break;
                }
            }
            TokenKind::Name(_) | TokenKind::Str { .. } => {
                start -= 1;
                match start.checked_sub(1).and_then(|at| words.get(at)) {
                    Some(Token { kind: TokenKind::Op("."), .. }) => start -= 1,
                    _ => break,
                }
            }
            _ => return None,
        }
    }
    Some(words.get(start)?.range.start..words.last()?.range.end)
}

fn takes_path(word: &str) -> bool {
    matches!(word, "from" | "import" | "include" | "extends" | "import_yaml" | "import_json" | "import_text")
}

/// Whether an operator may follow.
fn is_operand(token: &Token) -> bool {
    match &token.kind {
        TokenKind::Name(word) => !matches!(
            word.as_str(),
            "and" | "or" | "not" | "in" | "is" | "if" | "else" | "elif" | "do" | "import" | "as" | "with"
        ),
        TokenKind::Str { .. } | TokenKind::Int(_) | TokenKind::Float(_) => true,
        TokenKind::Op(op) => matches!(*op, ")" | "]" | "}"),
        TokenKind::Unknown(_) => false,
    }
}
