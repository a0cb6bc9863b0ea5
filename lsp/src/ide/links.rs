//! Names of files that can be followed with a click.

use zester_compiler::{
    query::{Context, Index, Symbol},
    source::Span,
    syntax::Tree,
};

/// Places of refs, templates and sources with the project path each names.
pub fn links(index: &Index, context: &Context, tree: &Tree) -> Vec<(Span, String)> {
    index
        .mentions_of(context, tree)
        .into_iter()
        .filter_map(|m| match m.symbol {
            Symbol::File(path) => Some((m.span, path)),
            _ => None,
        })
        .collect()
}
