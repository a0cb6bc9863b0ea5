//! How much of a disk the server reads: an editor may be opened on a home directory, or on `/`.

use std::path::Path;
use zester_compiler::{
    project::CONFIG_FILE,
    source::{DiskSources, MAX_UNDECLARED_FILES},
};

/// Most files and directories of a project that a `zester.yaml` declares to be one. Nobody has more, but a link or a
/// mount below a project may lead anywhere.
const MAX_DECLARED_FILES: usize = 1_000_000;

/// Most files and directories that are read of a directory.
fn limit(root: &Path, chosen: Option<usize>) -> usize {
    let usual = if root.join(CONFIG_FILE).is_file() { MAX_DECLARED_FILES } else { MAX_UNDECLARED_FILES };
    chosen.unwrap_or(usual)
}

/// The files of a directory, as far as they are read. `chosen` is what the user says of how many those are.
pub(crate) fn files(root: &Path, chosen: Option<usize>) -> DiskSources {
    DiskSources::limited(root, limit(root, chosen))
}

/// That a directory has more files than are read, for its user.
pub(super) fn too_large(sources: &DiskSources, chosen: Option<usize>) -> Option<String> {
    let root = sources.root();
    let help = if root.join(CONFIG_FILE).is_file() {
        "raise `maxFiles` in the options of the server if they belong to the project".to_owned()
    } else {
        format!("open the directory of a project, or put a `{CONFIG_FILE}` at its top (an empty one does)")
    };
    sources.exceeded().then(|| {
        format!(
            "`{}` has more than {} files, so that only open files are checked: {help}",
            root.display(),
            limit(root, chosen),
        )
    })
}
