//! The ranges a selection grows through.

use std::ops::Range;
use zester_compiler::{
    check::UnitKind,
    query::{self, Context, Index},
    syntax::Tree,
};

/// Ranges around a place, the smallest first.
pub fn selection(index: &Index, context: &Context, tree: &Tree, offset: usize) -> Vec<Range<usize>> {
    let at = offset as u32;
    let mut found: Vec<Range<usize>> = Vec::new();
    let around = |span: zester_compiler::source::Span| span.start <= at && at <= span.end;
    found.extend(index.mentions_of(context, tree).iter().filter(|m| around(m.span)).map(|m| m.span.range()));
    for (span, expr) in &tree.template.expressions {
        if around(*span) {
            found.push(span.range());
            found.push(expr.span.range());
        }
    }
    for block in tree.template.blocks.iter().filter(|b| around(b.span)) {
        found.push(block.span.range());
        found.extend(block.arms.iter().filter(|a| around(a.body)).map(|a| a.body.range()));
    }
    found.extend(tree.template.statements.iter().filter(|s| around(s.span)).map(|s| s.span.range()));
    let roots = tree.root.iter().chain(tree.bodies.iter().filter_map(|b| b.root.as_ref()));
    for root in roots {
        let chain = query::node_chain(root, at);
        found.extend(chain.iter().map(|n| n.span.range()));
    }
    if context.kind == UnitKind::States {
        found.extend(
            query::states_of(context, tree).iter().filter(|s| around(s.span)).map(|s| s.span.range()),
        );
    }
    found.push(0..tree.text.len());
    found.retain(|r| r.start <= offset && offset <= r.end && tree.text.get(r.clone()).is_some());
    found.sort_by_key(|r| (r.len(), r.start));
    // Each must hold the one before it.
    let mut grown: Vec<Range<usize>> = Vec::new();
    for range in found {
        let holds = grown
            .last()
            .is_none_or(|last| range.start <= last.start && last.end <= range.end && range != *last);
        if holds {
            grown.push(range);
        }
    }
    grown
}
