//! Template structure of a file: statements, blocks and their arms.

use super::expression::Expr;
use crate::source::Span;
use std::sync::Arc;

/// All template constructs of a file.
#[derive(Default)]
pub struct Template {
    /// Blocks in order of their opening tag; a parent stands before its children.
    pub blocks: Vec<Block>,
    /// Statements without a body (`set x = …`, `import`, `include`, `do`, …) in source order.
    pub statements: Vec<Statement>,
    /// Every `{{ … }}` in source order.
    pub expressions: Vec<(Span, Arc<Expr>)>,
    /// Template comments.
    pub comments: Vec<Span>,
}

impl Template {
    /// Gives back what was reserved for more: a template is kept for as long as a project is open, and most are short.
    pub(super) fn shrink(&mut self) {
        self.blocks.shrink_to_fit();
        self.statements.shrink_to_fit();
        self.expressions.shrink_to_fit();
        self.comments.shrink_to_fit();
        self.blocks.iter_mut().for_each(|block| block.arms.shrink_to_fit());
    }
}

/// A statement with a body and an end tag.
pub struct Block {
    /// The opening tag with its words.
    pub kind: BlockKind,
    /// The block this one lies in, and the arm of it.
    pub parent: Option<(usize, usize)>,
    /// The arms: `if`/`elif`/`else`, a loop's body and `else`; one for other blocks.
    pub arms: Vec<Arm>,
    /// From the opening tag to the end tag.
    pub span: Span,
    /// Whether some arm is taken on every path (`if` with `else`).
    pub exhaustive: bool,
}

/// One way through a block.
pub struct Arm {
    /// The tag that opens it.
    pub tag: Span,
    /// Its condition (`if`, `elif`), where it has one.
    pub condition: Option<Arc<Expr>>,
    /// The text between its tag and the next.
    pub body: Span,
}

/// What a block is.
pub enum BlockKind {
    /// `if`
    If,
    /// `for targets in iterable [if filter]`
    For {
        /// The loop's variables.
        targets: Vec<(String, Span)>,
        /// What is looped over.
        iterable: Arc<Expr>,
        /// The loop's own condition.
        filter: Option<Arc<Expr>>,
    },
    /// `macro name(params)`
    Macro {
        /// Name and its place.
        name: (String, Span),
        /// Parameters: name, place, default.
        params: Vec<(String, Span, Option<Arc<Expr>>)>,
    },
    /// `set name` with a body
    Set {
        /// Name and its place.
        name: (String, Span),
        /// Filters applied to the body (`set x | trim`).
        filters: Option<Arc<Expr>>,
    },
    /// `load_yaml as x`, `load_json`, `load_text`
    Load {
        /// `yaml`, `json` or `text`.
        format: String,
        /// Name and its place.
        name: (String, Span),
    },
    /// `call(args) expr`
    Call {
        /// The macro call.
        call: Arc<Expr>,
        /// Parameters that the macro's `caller()` passes.
        params: Vec<(String, Span, Option<Arc<Expr>>)>,
    },
    /// `filter name`
    Filter {
        /// The filter chain.
        filters: Arc<Expr>,
    },
    /// `raw`: its text is not looked at.
    Raw,
    /// `with a = 1`
    With {
        /// Assignments.
        assignments: Vec<(String, Span, Arc<Expr>)>,
    },
    /// `block name`
    Named {
        /// The block's name.
        name: (String, Span),
    },
    /// A tag that is not known; its error is among the diagnostics.
    Unknown,
}

/// A statement without a body.
pub struct Statement {
    /// From `{%` to `%}`.
    pub span: Span,
    /// What it is.
    pub kind: StatementKind,
    /// The block it lies in, and the arm.
    pub parent: Option<(usize, usize)>,
}

/// Statements without a body.
pub enum StatementKind {
    /// `set targets = value`; a target is a name or an attribute of a namespace (`ns.x`).
    Set {
        /// The names, with places; `ns.x` as written.
        targets: Vec<(String, Span)>,
        /// The value.
        value: Arc<Expr>,
    },
    /// `do expr`
    Do(Arc<Expr>),
    /// `include path [ignore missing] [with|without context]`
    Include {
        /// The path expression.
        path: Arc<Expr>,
        /// `ignore missing`
        ignore_missing: bool,
    },
    /// `import path as name [with context]`
    Import {
        /// The path expression.
        path: Arc<Expr>,
        /// The name it is bound to.
        name: (String, Span),
        /// `with context`
        with_context: bool,
    },
    /// `from path import a, b as c [with context]`
    FromImport {
        /// The path expression.
        path: Arc<Expr>,
        /// Name in the file, its place, and the local name.
        names: Vec<(String, Span, String)>,
        /// `with context`
        with_context: bool,
    },
    /// `import_yaml path as name` and its kin.
    ImportData {
        /// `yaml`, `json` or `text`.
        format: String,
        /// The path expression.
        path: Arc<Expr>,
        /// The name it is bound to.
        name: (String, Span),
    },
    /// `extends path`
    Extends(Arc<Expr>),
    /// `break`, `continue`
    LoopControl(&'static str),
    /// Not understood; its error is among the diagnostics.
    Unknown,
}

impl Template {
    /// Whether it has no tags at all.
    pub fn is_plain(&self) -> bool {
        self.blocks.is_empty() && self.statements.is_empty() && self.expressions.is_empty()
    }

    /// The arms that `offset` lies in, outermost first: block index and arm index.
    pub fn arms_at(&self, offset: u32) -> Vec<(usize, usize)> {
        let mut arms = Vec::new();
        for (index, block) in self.blocks.iter().enumerate() {
            if block.span.start > offset {
                break;
            }
            if offset >= block.span.end {
                continue;
            }
            if let Some(arm) = block.arms.iter().position(|a| a.body.start <= offset && offset < a.body.end) {
                arms.push((index, arm));
            }
        }
        arms
    }

    /// Whether two places can never both be taken: they lie in different arms of one block.
    pub fn exclusive(&self, a: u32, b: u32) -> bool {
        let others = self.arms_at(b);
        self.arms_at(a).iter().any(|(block, arm)| {
            matches!(self.blocks[*block].kind, BlockKind::If)
                && others.iter().any(|(other, other_arm)| other == block && other_arm != arm)
        })
    }

    /// Whether one of two places is taken wherever the other is. Of two that stand in different blocks nothing is known: what they ask may
    /// never be true together.
    pub fn together(&self, a: u32, b: u32) -> bool {
        let (one, other) = (self.arms_at(a), self.arms_at(b));
        one.iter().all(|arm| other.contains(arm)) || other.iter().all(|arm| one.contains(arm))
    }

    /// Whether a place lies in a loop's body.
    pub fn in_loop(&self, offset: u32) -> bool {
        self.arms_at(offset)
            .iter()
            .any(|(block, arm)| *arm == 0 && matches!(self.blocks[*block].kind, BlockKind::For { .. }))
    }
}
