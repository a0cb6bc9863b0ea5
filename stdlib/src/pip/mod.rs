//! `pip.*`: Python packages.

mod client;
mod installed;
mod removed;
mod requirement;

use crate::Library;

pub(crate) use client::Pip;

/// Adds the module's functions.
pub(crate) fn register(library: &mut Library) {
    library.state::<installed::Installed>().state::<removed::Removed>();
}
