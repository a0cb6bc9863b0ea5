//! Ways through trees: states with their functions and parameters, and all expressions.

use std::sync::Arc;
use zester_compiler::syntax::{
    BodyKind, Entry, Node, NodeKind, Tree,
    expression::{Expr, ExprKind},
    template::{BlockKind, StatementKind},
};

/// A function of a state, as the author wrote it.
pub struct Written<'t> {
    /// The state's id.
    pub id: &'t Node,
    /// The key (or short form) that names the function.
    pub word: &'t Node,
    /// Its parameters.
    pub parameters: Vec<&'t Entry>,
    /// Below `extend`.
    pub extends: bool,
}

/// The functions of all states of a file.
pub fn functions(tree: &Tree) -> Vec<Written<'_>> {
    let mut found = Vec::new();
    let bodies = tree.bodies.iter().filter(|b| b.kind == BodyKind::States).filter_map(|b| b.root.as_ref());
    for root in tree.root.iter().chain(bodies) {
        of_ids(root, false, &mut found);
    }
    found
}

/// A node, or each of its alternatives.
pub fn alternatives(node: &Node) -> Vec<&Node> {
    match &node.kind {
        NodeKind::Choice(nodes) => nodes.iter().flat_map(alternatives).collect(),
        _ => vec![node],
    }
}

fn entries(node: &Node) -> Vec<&Entry> {
    alternatives(node).into_iter().filter_map(Node::as_mapping).flat_map(|m| &m.entries).collect()
}

fn of_ids<'t>(root: &'t Node, extends: bool, found: &mut Vec<Written<'t>>) {
    for entry in entries(root) {
        match entry.key.text().as_deref() {
            Some("include" | "exclude") => {}
            Some("extend") if !extends => of_ids(&entry.value, true, found),
            _ => of_body(entry, extends, found),
        }
    }
}

fn of_body<'t>(state: &'t Entry, extends: bool, found: &mut Vec<Written<'t>>) {
    for body in alternatives(&state.value) {
        if body.text().is_some_and(|t| t.contains('.')) {
            found.push(Written { id: &state.key, word: body, parameters: Vec::new(), extends });
        }
        for function in entries(body) {
            let parameters = alternatives(&function.value).into_iter().flat_map(|value| match &value.kind {
                NodeKind::Sequence(list) => list.items.iter().flat_map(entries).collect(),
                _ => entries(value),
            });
            let parameters = parameters.collect();
            found.push(Written { id: &state.key, word: &function.key, parameters, extends });
        }
    }
}

/// All nodes of a file, bodies of macros among them.
pub fn nodes(tree: &Tree) -> Vec<&Node> {
    let mut pending: Vec<&Node> =
        tree.root.iter().chain(tree.bodies.iter().filter_map(|b| b.root.as_ref())).collect();
    let mut found = Vec::new();
    while let Some(node) = pending.pop() {
        found.push(node);
        match &node.kind {
            NodeKind::Sequence(list) => pending.extend(&list.items),
            NodeKind::Mapping(map) => pending.extend(map.entries.iter().flat_map(|e| [&e.key, &e.value])),
            NodeKind::Choice(nodes) => pending.extend(nodes),
            _ => {}
        }
    }
    found
}

/// Calls `visit` with every expression of a file and whether what is undefined in it is allowed there.
pub fn expressions(tree: &Tree, visit: &mut dyn FnMut(&Expr, bool)) {
    let template = &tree.template;
    for (_, expr) in &template.expressions {
        below(expr, false, visit);
    }
    for block in &template.blocks {
        for condition in block.arms.iter().filter_map(|arm| arm.condition.as_ref()) {
            below(condition, false, visit);
        }
        match &block.kind {
            BlockKind::For { iterable, filter, .. } => {
                below(iterable, false, visit);
                if let Some(filter) = filter {
                    below(filter, false, visit);
                }
            }
            BlockKind::Call { call, .. } => below(call, false, visit),
            BlockKind::Filter { filters } => below(filters, false, visit),
            _ => {}
        }
    }
    for statement in &template.statements {
        match &statement.kind {
            StatementKind::Set { value: expr, .. }
            | StatementKind::Do(expr)
            | StatementKind::Include { path: expr, .. }
            | StatementKind::Import { path: expr, .. }
            | StatementKind::FromImport { path: expr, .. } => below(expr, false, visit),
            _ => {}
        }
    }
}

fn below(expr: &Expr, lenient: bool, visit: &mut dyn FnMut(&Expr, bool)) {
    visit(expr, lenient);
    let mut each = |exprs: &[&Arc<Expr>], lenient: bool| {
        for expr in exprs {
            below(expr, lenient, visit);
        }
    };
    match &expr.kind {
        ExprKind::Attribute { object, .. } => each(&[object], lenient),
        ExprKind::Index { object, index } => each(&[object, index], lenient),
        ExprKind::Slice { object, bounds } => {
            each(&[object], lenient);
            each(&bounds.iter().flatten().collect::<Vec<_>>(), false);
        }
        ExprKind::Call { callee, args } => {
            each(&[callee], lenient);
            each(&args.iter().map(|a| &a.value).collect::<Vec<_>>(), false);
        }
        ExprKind::Filter { value, name, args, .. } => {
            let lenient = lenient || matches!(name.as_str(), "default" | "d");
            each(&value.iter().collect::<Vec<_>>(), lenient);
            each(&args.iter().map(|a| &a.value).collect::<Vec<_>>(), false);
        }
        ExprKind::Test { value, name, args, .. } => {
            each(&[value], matches!(name.as_str(), "defined" | "undefined"));
            each(&args.iter().map(|a| &a.value).collect::<Vec<_>>(), false);
        }
        ExprKind::Unary { operand, .. } => each(&[operand], lenient),
        ExprKind::Binary { left, right, .. } => each(&[left, right], lenient),
        ExprKind::Conditional { condition, then, otherwise } => {
            each(&[condition, then], lenient);
            each(&otherwise.iter().collect::<Vec<_>>(), lenient);
        }
        ExprKind::List(items) | ExprKind::Tuple(items) => each(&items.iter().collect::<Vec<_>>(), false),
        ExprKind::Dict(pairs) => {
            for (key, value) in pairs {
                each(&[key, value], false);
            }
        }
        ExprKind::Literal(_) | ExprKind::Name(_) | ExprKind::Error => {}
    }
}
