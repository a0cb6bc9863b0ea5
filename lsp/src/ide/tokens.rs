//! What each word is, for colours.

use zester_compiler::{
    query::{Context, Index, Role, Symbol},
    syntax::{
        Tree,
        segment::{SegmentKind, segments},
        token::{TokenKind, tokens},
    },
};

/// A coloured word: byte range, kind and modifiers by the numbers of the legend.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Token {
    /// First byte.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// Its kind.
    pub kind: u32,
    /// A bit for each modifier.
    pub modifiers: u32,
}

const NAMESPACE: u32 = 0;
const FUNCTION: u32 = 1;
const METHOD: u32 = 2;
const PROPERTY: u32 = 3;
const PARAMETER: u32 = 4;
const VARIABLE: u32 = 5;
const KEYWORD: u32 = 7;
const STRING: u32 = 8;
const COMMENT: u32 = 9;
const OPERATOR: u32 = 10;
const CLASS: u32 = 13;
const NUMBER: u32 = 14;
const DECLARATION: u32 = 1;
const LIBRARY: u32 = 4;

const WORDS: &[&str] = &[
    "if",
    "elif",
    "else",
    "endif",
    "for",
    "endfor",
    "in",
    "set",
    "endset",
    "do",
    "macro",
    "endmacro",
    "call",
    "endcall",
    "filter",
    "endfilter",
    "import",
    "from",
    "as",
    "with",
    "without",
    "context",
    "include",
    "ignore",
    "missing",
    "extends",
    "block",
    "endblock",
    "raw",
    "endraw",
    "not",
    "and",
    "or",
    "is",
    "import_yaml",
    "import_json",
    "import_text",
    "load_yaml",
    "load_json",
    "load_text",
    "endload",
    "endwith",
    "break",
    "continue",
    "true",
    "false",
    "none",
    "True",
    "False",
    "None",
    "recursive",
];

/// The words of a file, sorted, without overlaps.
pub fn semantic_tokens(index: &Index, context: &Context, tree: &Tree) -> Vec<Token> {
    let mut found: Vec<Token> = Vec::new();
    for mention in index.mentions_of(context, tree) {
        let (kind, modifiers) = match &mention.symbol {
            Symbol::State(_) => (CLASS, 0),
            Symbol::File(_) | Symbol::Missing(_) => (NAMESPACE, 0),
            Symbol::Setting(_) | Symbol::Fact(_) | Symbol::Grain(_) => (PROPERTY, 0),
            Symbol::Name { .. } | Symbol::Given { .. } => (VARIABLE, 0),
            Symbol::Global(_) => (VARIABLE, LIBRARY),
            Symbol::Module(..) => (NAMESPACE, LIBRARY),
            Symbol::Function(..) => (FUNCTION, LIBRARY),
            Symbol::Parameter(..) => (PARAMETER, 0),
            Symbol::GenericKey(_) => (KEYWORD, 0),
            Symbol::Filter(_) | Symbol::Test(_) => (METHOD, LIBRARY),
            Symbol::Nodegroup(_) => (CLASS, 0),
        };
        let declared = if mention.role == Role::Definition { DECLARATION } else { 0 };
        let range = mention.span.range();
        found.push(Token { start: range.start, end: range.end, kind, modifiers: modifiers | declared });
    }
    for segment in segments(&tree.text) {
        if segment.kind == SegmentKind::Comment {
            lines_of(tree, segment.range.clone(), COMMENT, &mut found);
        }
        if !matches!(segment.kind, SegmentKind::Expression | SegmentKind::Statement) {
            continue;
        }
        for token in tokens(&tree.text, segment.inner.clone()) {
            let kind = match &token.kind {
                TokenKind::Name(word) if WORDS.contains(&word.as_str()) => KEYWORD,
                TokenKind::Int(_) | TokenKind::Float(_) => NUMBER,
                TokenKind::Str { .. } => {
                    lines_of(tree, token.range.clone(), STRING, &mut found);
                    continue;
                }
                TokenKind::Op(op) if !matches!(*op, "(" | ")" | "[" | "]" | "{" | "}" | "," | "." | ":") => {
                    OPERATOR
                }
                _ => continue,
            };
            found.push(Token { start: token.range.start, end: token.range.end, kind, modifiers: 0 });
        }
    }
    apart(found)
}

/// Tokens may not span lines.
fn lines_of(tree: &Tree, range: std::ops::Range<usize>, kind: u32, found: &mut Vec<Token>) {
    let mut at = range.start;
    for line in tree.text.get(range).unwrap_or_default().split_inclusive('\n') {
        let width = line.trim_end_matches(['\n', '\r']).len();
        if width > 0 {
            found.push(Token { start: at, end: at + width, kind, modifiers: 0 });
        }
        at += line.len();
    }
}

/// Cuts tokens so that none overlap: the shorter ones stay whole, what is around them is cut.
fn apart(mut found: Vec<Token>) -> Vec<Token> {
    found.retain(|t| t.end > t.start);
    found.sort_by_key(|t| (t.start, std::cmp::Reverse(t.end), t.kind));
    let mut done: Vec<Token> = Vec::new();
    let mut open: Vec<Token> = Vec::new();
    for token in found {
        while let Some(last) = open.last().copied() {
            if last.end > token.start {
                break;
            }
            done.extend(open.pop());
        }
        if let Some(last) = open.last_mut() {
            if last.start == token.start && last.end == token.end {
                continue;
            }
            if token.end > last.end {
                continue;
            }
            let before = Token { end: token.start, ..*last };
            if before.end > before.start {
                done.push(before);
            }
            last.start = token.end;
        }
        open.push(token);
    }
    done.extend(open);
    done.retain(|t| t.end > t.start);
    done.sort();
    done
}
