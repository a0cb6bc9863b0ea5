//! `gem.*`: packages of Ruby.

mod client;
mod installed;
mod removed;

use crate::Library;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library.state::<installed::Installed>().state::<removed::Removed>();
}
