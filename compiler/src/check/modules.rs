//! Custom modules: what is wrong with the files of `_modules/` and `_states/`.

use super::{CheckOptions, allow::Allows};
use crate::{
    diagnostic::Diagnostic, modules::CustomModules, project::Project, source::FileId, types::Registry,
};
use std::collections::HashMap;

/// Checks the custom modules against each other and the built-in functions. Gives the files whose findings are wanted,
/// with their allow comments.
pub fn check_modules(
    project: &Project,
    custom: &CustomModules,
    built_in: &Registry,
    options: &CheckOptions,
    found: &mut Vec<Diagnostic>,
) -> HashMap<FileId, Allows> {
    custom.check(built_in, found);
    let mut wanted = HashMap::new();
    for module in custom.modules() {
        let file = project.files().get(module.file);
        if options.paths.is_empty() || options.paths.iter().any(|given| is_below(&file.path, given)) {
            wanted.insert(module.file, Allows::of(module.file, &file.text, found));
        }
    }
    wanted
}

/// Whether a path is the given one, or in the given directory.
fn is_below(path: &str, given: &str) -> bool {
    let given = given.trim_start_matches("./").trim_end_matches('/');
    let rest = path.strip_prefix(given);
    given.is_empty() || given == "." || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
