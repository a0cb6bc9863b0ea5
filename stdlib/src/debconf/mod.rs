//! `debconf.*`: answers to the questions of Debian's packages.

mod set;

use crate::Library;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library.state::<set::Set>();
}
