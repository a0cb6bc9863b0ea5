//! Custom modules: what is wrong with the files of `_modules/` and `_states/`.

use crate::{diagnostic::Diagnostic, modules::CustomModules, source::FileId, types::Registry};
use std::collections::HashSet;

/// Checks the custom modules against each other and the built-in functions, and returns their files.
pub fn check_modules(
    custom: &CustomModules,
    built_in: &Registry,
    found: &mut Vec<Diagnostic>,
) -> HashSet<FileId> {
    custom.check(built_in, found);
    custom.modules().iter().map(|module| module.file).collect()
}
