//! `archive.*`: archives put on the machine.

mod extracted;
mod format;

use crate::Library;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library.state::<extracted::Extracted>();
}
