//! `textDocument/foldingRange`

use crate::{
    ide::folding::{FoldKind, folds},
    server::{Answer, Seen},
};
use gen_lsp_types::{FoldingRange, FoldingRangeKind, FoldingRangeParams};

/// What can be folded.
pub fn answer(seen: &Seen, _: FoldingRangeParams) -> Answer<Vec<FoldingRange>> {
    let range = |fold: crate::ide::folding::Fold| FoldingRange {
        start_line: fold.start as u32,
        end_line: fold.end as u32,
        kind: match fold.kind {
            FoldKind::Region => None,
            FoldKind::Comment => Some(FoldingRangeKind::Comment),
            FoldKind::Imports => Some(FoldingRangeKind::Imports),
        },
        ..FoldingRange::default()
    };
    Ok(folds(&seen.tree()).into_iter().map(range).collect())
}
