//! Every place that is ever shown lies within its file, at characters.

use std::sync::Arc;
use zester_compiler::{
    diagnostic::Diagnostic,
    source::{Files, Span},
    syntax::{
        Body, Node, NodeKind, Part, Splice, Tree,
        expression::{Argument, Expr, ExprKind},
        template::{BlockKind, StatementKind, Template},
    },
};

/// Holds that a span is one of `text`.
pub fn hold(text: &str, span: Span, what: &str) {
    assert!(text.get(span.range()).is_some(), "{what} is at {span:?} of {} bytes", text.len());
}

/// Holds that all places of findings are places of their files.
pub fn of_diagnostics(files: &Files, diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        let code = diagnostic.rule.code;
        let held =
            |span: Span, what: &str| hold(&files.get(span.file).text, span, &format!("{code}'s {what}"));
        held(diagnostic.span, "place");
        for label in &diagnostic.labels {
            held(label.span, "label");
        }
        for fix in &diagnostic.fixes {
            let mut edits: Vec<Span> = fix.edits.iter().map(|e| e.span).collect();
            for span in &edits {
                held(*span, "edit");
            }
            edits.sort_by_key(|span| (span.file, span.start));
            for pair in edits.windows(2) {
                let apart = pair[0].file != pair[1].file || pair[0].end <= pair[1].start;
                assert!(apart, "{code}'s edits {pair:?} overlap");
            }
        }
        assert!(!diagnostic.message.is_empty(), "{code} says nothing");
    }
}

/// Holds that all places of a tree are places of its text.
pub fn of_tree(tree: &Tree) {
    let text = &*tree.text;
    of_template(text, &tree.template);
    for root in tree.root.iter().chain(tree.bodies.iter().filter_map(|Body { root, .. }| root.as_ref())) {
        of_node(text, root);
    }
    for Body { block, .. } in &tree.bodies {
        assert!(*block < tree.template.blocks.len(), "a body of block {block}");
    }
    if let Some(opaque) = &tree.opaque {
        hold(text, opaque.span, "the reason for opacity");
    }
    for diagnostic in &tree.diagnostics {
        hold(text, diagnostic.span, diagnostic.rule.code);
        diagnostic.labels.iter().for_each(|l| hold(text, l.span, diagnostic.rule.code));
    }
}

fn of_template(text: &str, template: &Template) {
    template.comments.iter().for_each(|span| hold(text, *span, "a comment"));
    for (span, expr) in &template.expressions {
        hold(text, *span, "an expression's tag");
        of_expr(text, expr);
    }
    for (index, block) in template.blocks.iter().enumerate() {
        hold(text, block.span, "a block");
        if let Some((parent, arm)) = block.parent {
            assert!(parent < index, "block {index} has the parent {parent}");
            assert!(arm < template.blocks[parent].arms.len(), "block {index} is in arm {arm} of {parent}");
        }
        for arm in &block.arms {
            hold(text, arm.tag, "an arm's tag");
            hold(text, arm.body, "an arm's body");
            each_expr(text, arm.condition.iter());
        }
        let named = |(_, span): &(String, Span)| hold(text, *span, "a name");
        let params = |params: &[(String, Span, Option<Arc<Expr>>)]| {
            for (_, span, default) in params {
                hold(text, *span, "a parameter");
                each_expr(text, default.iter());
            }
        };
        match &block.kind {
            BlockKind::For { targets, iterable, filter } => {
                targets.iter().for_each(named);
                of_expr(text, iterable);
                each_expr(text, filter.iter());
            }
            BlockKind::Macro { name, params: of } => {
                named(name);
                params(of);
            }
            BlockKind::Set { name, filters } => {
                named(name);
                each_expr(text, filters.iter());
            }
            BlockKind::Load { name, .. } | BlockKind::Named { name } => named(name),
            BlockKind::Call { call, params: of } => {
                of_expr(text, call);
                params(of);
            }
            BlockKind::Filter { filters } => of_expr(text, filters),
            BlockKind::With { assignments } => {
                for (_, span, value) in assignments {
                    hold(text, *span, "a name");
                    of_expr(text, value);
                }
            }
            BlockKind::If | BlockKind::Raw | BlockKind::Unknown => {}
        }
    }
    for statement in &template.statements {
        hold(text, statement.span, "a statement");
        if let Some((block, arm)) = statement.parent {
            assert!(arm < template.blocks[block].arms.len(), "a statement in arm {arm} of block {block}");
        }
        match &statement.kind {
            StatementKind::Set { targets, value } => {
                for (_, span) in targets {
                    hold(text, *span, "a name");
                }
                of_expr(text, value);
            }
            StatementKind::Do(expr)
            | StatementKind::Extends(expr)
            | StatementKind::Include { path: expr, .. } => of_expr(text, expr),
            StatementKind::Import { path, name, .. } | StatementKind::ImportData { path, name, .. } => {
                of_expr(text, path);
                hold(text, name.1, "a name");
            }
            StatementKind::FromImport { path, names, .. } => {
                of_expr(text, path);
                for (_, span, _) in names {
                    hold(text, *span, "a name");
                }
            }
            StatementKind::LoopControl(_) | StatementKind::Unknown => {}
        }
    }
}

/// Holds that all places of a node are places of `text`.
pub fn of_node(text: &str, node: &Node) {
    hold(text, node.span, "a node");
    node.tag.as_deref().iter().for_each(|(_, span)| hold(text, *span, "a tag"));
    let spliced = |splices: &[Splice]| {
        for splice in splices {
            hold(text, splice.span, "a splice");
            each_expr(text, splice.expr.iter());
        }
    };
    match &node.kind {
        NodeKind::Scalar(scalar) => {
            for part in &scalar.parts {
                match part {
                    Part::Text { span, .. } | Part::Block { span, .. } | Part::Value { span, .. } => {
                        hold(text, *span, "a part");
                    }
                    Part::Expr { expr, span } => {
                        hold(text, *span, "a part");
                        of_expr(text, expr);
                    }
                }
            }
        }
        NodeKind::Sequence(list) => {
            list.items.iter().for_each(|n| of_node(text, n));
            spliced(&list.splices);
        }
        NodeKind::Mapping(map) => {
            for entry in &map.entries {
                of_node(text, &entry.key);
                of_node(text, &entry.value);
            }
            spliced(&map.splices);
        }
        NodeKind::Splice(splice) => spliced(std::slice::from_ref(splice)),
        NodeKind::Choice(nodes) => nodes.iter().for_each(|n| of_node(text, n)),
        NodeKind::Empty | NodeKind::Error => {}
    }
}

fn each_expr<'e>(text: &str, all: impl Iterator<Item = &'e Arc<Expr>>) {
    for expr in all {
        of_expr(text, expr);
    }
}

/// Holds that all places of an expression are places of `text`.
pub fn of_expr(text: &str, expr: &Expr) {
    hold(text, expr.span, "an expression");
    let arguments = |args: &[Argument]| {
        for argument in args {
            argument.name.iter().for_each(|(_, span)| hold(text, *span, "an argument's name"));
            of_expr(text, &argument.value);
        }
    };
    match &expr.kind {
        ExprKind::Attribute { object, name_span, .. } => {
            of_expr(text, object);
            hold(text, *name_span, "an attribute");
        }
        ExprKind::Index { object, index } => {
            of_expr(text, object);
            of_expr(text, index);
        }
        ExprKind::Slice { object, bounds } => {
            of_expr(text, object);
            each_expr(text, bounds.iter().flatten());
        }
        ExprKind::Call { callee, args } => {
            of_expr(text, callee);
            arguments(args);
        }
        ExprKind::Filter { value, name_span, args, .. } => {
            each_expr(text, value.iter());
            hold(text, *name_span, "a filter's name");
            arguments(args);
        }
        ExprKind::Test { value, name_span, args, .. } => {
            of_expr(text, value);
            hold(text, *name_span, "a test's name");
            arguments(args);
        }
        ExprKind::Unary { operand, .. } => of_expr(text, operand),
        ExprKind::Binary { left, right, .. } => {
            of_expr(text, left);
            of_expr(text, right);
        }
        ExprKind::Conditional { condition, then, otherwise } => {
            of_expr(text, condition);
            of_expr(text, then);
            each_expr(text, otherwise.iter());
        }
        ExprKind::List(items) | ExprKind::Tuple(items) => each_expr(text, items.iter()),
        ExprKind::Dict(entries) => {
            for (key, value) in entries {
                of_expr(text, key);
                of_expr(text, value);
            }
        }
        ExprKind::Literal(_) | ExprKind::Name(_) | ExprKind::Error => {}
    }
}
