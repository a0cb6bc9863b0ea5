//! `git.*`: working copies of Git repositories, through the `git` program.

mod client;
mod cloned;
mod config_set;
mod detached;
mod latest;
#[cfg(test)]
mod tests;

use crate::Library;

/// Adds the module's functions.
pub(crate) fn register(library: &mut Library) {
    library
        .state::<latest::Latest>()
        .state::<cloned::Cloned>()
        .state::<detached::Detached>()
        .state::<config_set::ConfigSet>();
}
