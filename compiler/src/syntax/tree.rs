//! The tree: what a file says, on every branch, with the place of each word.
//!
//! The same types hold a source file (scalars may contain template expressions) and a rendered text (scalars may
//! contain the values those expressions gave).

use super::expression::Expr;
use super::template::Template;
use crate::{
    diagnostic::Diagnostic,
    source::{FileId, Span},
    types::Value,
};
use compact_str::CompactString;
use std::sync::Arc;
use thin_vec::ThinVec;

/// A parsed file.
pub struct Tree {
    /// The file.
    pub file: FileId,
    /// Its text; the tree is lossless because every span indexes into this.
    pub text: Arc<str>,
    /// Template blocks, statements and comments.
    pub template: Template,
    /// The document, with the entries of all branches in it; `None` when the file holds none.
    pub root: Option<Node>,
    /// Bodies of macros, block sets, `load_*` and `call` blocks that hold YAML, as documents of their own.
    pub bodies: Vec<Body>,
    /// Everything that is wrong with the text.
    pub diagnostics: Vec<Diagnostic>,
    /// Why the structure could not be understood, where it could not. Such a file is checked after rendering only.
    pub opaque: Option<Opaque>,
}

/// Why a file's structure is left to rendering.
#[derive(Clone, Debug)]
pub struct Opaque {
    /// The construct that is in the way.
    pub span: Span,
    /// What it is, in the user's words.
    pub reason: String,
}

/// A template body with a document of its own.
pub struct Body {
    /// The block it belongs to: index into [`Template::blocks`].
    pub block: usize,
    /// What the body emits.
    pub kind: BodyKind,
    /// Its document, when it is one.
    pub root: Option<Node>,
}

/// What a macro's (or another captured block's) text is, inferred from its definition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodyKind {
    /// Text within a scalar, or nothing (only `set` and `do`).
    Text,
    /// Entries of a mapping: `key: value` lines.
    Entries,
    /// Items of a list: `- …` lines.
    Items,
    /// Whole states: entries whose keys are ids with function bodies.
    States,
}

/// A node of the document.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it stands. For collections: from the first key or dash to the end of the last value.
    pub span: Span,
    /// What it is.
    pub kind: NodeKind,
    /// Its tag as written (`!encrypted`), with its place. Few nodes have one.
    pub tag: Option<Box<(String, Span)>>,
}

/// The kinds of node.
#[derive(Clone, Debug)]
pub enum NodeKind {
    /// Nothing was written (`key:`).
    Empty,
    /// A scalar, perhaps with expressions in it.
    Scalar(Scalar),
    /// A list.
    Sequence(Sequence),
    /// A map.
    Mapping(Mapping),
    /// An expression (or include) alone on its line, whose text is YAML of its own: macro calls, `| yaml(False)`.
    Splice(Splice),
    /// The value differs in shape between branches. Each alternative's own span tells its branch.
    Choice(ThinVec<Node>),
    /// What stands here could not be parsed; the error is among the diagnostics.
    Error,
}

/// Entries of a map in source order.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    /// The entries, those of all branches; two with one key may stand in exclusive branches.
    pub entries: ThinVec<Entry>,
    /// Expressions alone on their line among the entries; each adds entries that are not known here.
    pub splices: ThinVec<Splice>,
    /// `{a: b}` rather than lines.
    pub flow: bool,
}

/// One key and value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: Node,
    /// The value.
    pub value: Node,
}

/// Items of a list in source order.
#[derive(Clone, Debug, Default)]
pub struct Sequence {
    /// The items, those of all branches.
    pub items: ThinVec<Node>,
    /// Expressions alone on their line among the items; each adds items that are not known here.
    pub splices: ThinVec<Splice>,
    /// `[a, b]` rather than lines.
    pub flow: bool,
}

/// Text that is emitted into the structure by an expression or an include.
#[derive(Clone, Debug)]
pub struct Splice {
    /// The whole `{{ … }}` or `{% include … %}`.
    pub span: Span,
    /// The expression; `None` for an include, whose statement is found in the template at `span`.
    pub expr: Option<Arc<Expr>>,
}

/// A scalar's style.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScalarStyle {
    /// `text`
    Plain,
    /// `'text'`
    SingleQuoted,
    /// `"text"`
    DoubleQuoted,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

/// A scalar: pieces of text and expressions.
#[derive(Clone, Debug)]
pub struct Scalar {
    /// How it was written.
    pub style: ScalarStyle,
    /// Its pieces in order; none for the empty text.
    pub parts: Vec<Part>,
}

/// A piece of a scalar.
#[derive(Clone, Debug)]
pub enum Part {
    /// Literal text, unquoted and unescaped, folded as YAML folds.
    Text {
        /// The text.
        text: CompactString,
        /// Where it was written.
        span: Span,
    },
    /// `{{ … }}` in a source file.
    Expr {
        /// The parsed expression.
        expr: Arc<Expr>,
        /// From `{{` to `}}`.
        span: Span,
    },
    /// A block inside the scalar: `{% if a %}x{% else %}y{% endif %}`, a loop in a literal block's text.
    Block {
        /// Index into [`Template::blocks`].
        block: usize,
        /// The whole block.
        span: Span,
    },
    /// What an expression gave, in rendered text.
    Value {
        /// The value, typed.
        value: Box<Value>,
        /// Its text as rendered.
        text: CompactString,
        /// Its place in the rendered text.
        span: Span,
    },
}

impl Scalar {
    /// The text, when no expression is in it.
    pub fn literal(&self) -> Option<std::borrow::Cow<'_, str>> {
        match self.parts.as_slice() {
            [] => Some("".into()),
            [Part::Text { text, .. } | Part::Value { text, .. }] => Some(text.as_str().into()),
            parts => {
                let mut whole = String::new();
                for part in parts {
                    match part {
                        Part::Text { text, .. } | Part::Value { text, .. } => whole.push_str(text),
                        _ => return None,
                    }
                }
                Some(whole.into())
            }
        }
    }

    /// The one expression that is the whole scalar.
    pub fn only_expr(&self) -> Option<&Arc<Expr>> {
        match self.parts.as_slice() {
            [Part::Expr { expr, .. }] => Some(expr),
            _ => None,
        }
    }
}

impl Node {
    /// The literal text of a scalar node.
    pub fn text(&self) -> Option<std::borrow::Cow<'_, str>> {
        match &self.kind {
            NodeKind::Scalar(scalar) => scalar.literal(),
            _ => None,
        }
    }

    /// The map, when it is one.
    pub fn as_mapping(&self) -> Option<&Mapping> {
        match &self.kind {
            NodeKind::Mapping(mapping) => Some(mapping),
            _ => None,
        }
    }

    /// The list, when it is one.
    pub fn as_sequence(&self) -> Option<&Sequence> {
        match &self.kind {
            NodeKind::Sequence(sequence) => Some(sequence),
            _ => None,
        }
    }

    /// Whether nothing was written, or only quotes around nothing.
    pub fn is_nothing(&self) -> bool {
        match &self.kind {
            NodeKind::Empty => true,
            NodeKind::Scalar(scalar) => scalar.literal().is_some_and(|text| text.is_empty()),
            _ => false,
        }
    }

    /// What it is, for messages: "a list", "a map", "text".
    pub fn describe(&self) -> &'static str {
        match &self.kind {
            NodeKind::Empty => "nothing",
            NodeKind::Scalar(_) => "a scalar",
            NodeKind::Sequence(_) => "a list",
            NodeKind::Mapping(_) => "a map",
            NodeKind::Splice(_) => "a template expression",
            NodeKind::Choice(_) => "a value that depends on a branch",
            NodeKind::Error => "something unreadable",
        }
    }
}
