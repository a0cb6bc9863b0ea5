//! How deep brackets are nested, told before the recursive parser reads them, and how deep the tree is that it gave.

use starlark_syntax::{
    codemap::Span,
    syntax::{
        ast::{AstExpr, AstStmt},
        uniplate::Visit,
    },
};

/// Deepest nesting of brackets.
pub const MAX_DEPTH: usize = 100;

/// Deepest tree of statements and expressions.
pub const MAX_TREE_DEPTH: usize = 300;

/// The first place of a tree beyond [`MAX_TREE_DEPTH`]. Wants a stack for trees as deep as they are.
pub fn too_deep_tree(statement: &AstStmt) -> Option<Span> {
    fn statements(statement: &AstStmt, depth: usize) -> Option<Span> {
        if depth > MAX_TREE_DEPTH {
            return Some(statement.span);
        }
        let mut found = None;
        statement.visit_children(|child| {
            if found.is_none() {
                found = match child {
                    Visit::Stmt(inner) => statements(inner, depth + 1),
                    Visit::Expr(inner) => expressions(inner, depth + 1),
                };
            }
        });
        found
    }
    fn expressions(expression: &AstExpr, depth: usize) -> Option<Span> {
        if depth > MAX_TREE_DEPTH {
            return Some(expression.span);
        }
        let mut found = None;
        expression.visit_expr(|inner| {
            if found.is_none() {
                found = expressions(inner, depth + 1);
            }
        });
        found
    }
    statements(statement, 0)
}

/// The offset of the first bracket beyond [`MAX_DEPTH`]; brackets in texts and comments do not count.
pub fn too_deep(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'#' => at += bytes[at..].iter().position(|b| *b == b'\n').unwrap_or(bytes.len() - at),
            b'"' | b'\'' => {
                at = end_of_text(bytes, at);
                continue;
            }
            b'(' | b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Some(at);
                }
            }
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where a quoted text that begins at `at` ends. One that is never closed ends with its line, so that a stray quote
/// hides no more than that; the parser reports it.
fn end_of_text(bytes: &[u8], at: usize) -> usize {
    let quote = bytes[at];
    let triple = [quote; 3];
    let (long, mut at) = if bytes[at..].starts_with(&triple) { (true, at + 3) } else { (false, at + 1) };
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'\n' if !long => return at,
            byte if byte == quote && !long => return at + 1,
            _ if long && bytes[at..].starts_with(&triple) => return at + 3,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}
