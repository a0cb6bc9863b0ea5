//! `logrotate.*`: how logs are rotated.

mod document;
mod set;

use crate::Library;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library.state::<set::Set>();
}
