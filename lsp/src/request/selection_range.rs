//! `textDocument/selectionRange`

use crate::{
    ide::selection,
    server::{Answer, Seen},
};
use gen_lsp_types::{SelectionRange, SelectionRangeParams};

/// The ranges a selection grows through, for each place.
pub fn answer(seen: &Seen, params: SelectionRangeParams) -> Answer<Vec<SelectionRange>> {
    let tree = seen.tree();
    let grown = |position| {
        let ranges = selection::selection(&seen.index, &seen.context, &tree, seen.offset(position));
        let lines = seen.lines();
        let mut outer: Option<Box<SelectionRange>> = None;
        for range in ranges.into_iter().rev() {
            outer = Some(Box::new(SelectionRange { range: lines.range(range), parent: outer }));
        }
        outer.map(|o| *o).unwrap_or_default()
    };
    Ok(params.positions.into_iter().map(grown).collect())
}
