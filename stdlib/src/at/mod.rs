//! `at.*`: commands that run once, at a time.

mod absent;
mod present;
mod queue;

use crate::Library;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library.state::<present::Present>().state::<absent::Absent>();
}
