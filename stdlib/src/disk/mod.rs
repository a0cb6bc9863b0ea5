//! `disk.*`: how full a file system is.

mod status;

use crate::Library;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library.state::<status::Status>();
}
