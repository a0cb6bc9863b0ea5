//! `network.*`: the machine's own name.

mod system;

use crate::Library;
pub(crate) use system::System;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library.state::<System>();
}
