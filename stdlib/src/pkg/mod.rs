//! `pkg.*`: packages of the system's package manager.

mod files;
mod held;
mod index;
mod installed;
#[cfg(test)]
mod installed_tests;
mod latest;
mod removed;
mod transaction;
mod unheld;
mod uptodate;
mod version;
mod wanted;

use crate::Library;

pub(crate) use files::{PackageFile, wanted_files};
pub(crate) use index::{force as refresh_now, forget_refresh, note_new_repository, refresh_if_due};
pub(crate) use transaction::observe;
pub(crate) use version::{glob, satisfies};
pub(crate) use wanted::wanted;

/// Adds the module's functions.
pub(crate) fn register(library: &mut Library) {
    library
        .state::<installed::Installed>()
        .state::<latest::Latest>()
        .state::<removed::Removed>()
        .state::<removed::Purged>()
        .state::<held::Held>()
        .state::<unheld::Unheld>()
        .state::<uptodate::UpToDate>();
}
