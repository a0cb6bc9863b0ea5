//! `group.*`: groups of the system.

mod absent;
mod present;

use crate::Library;

/// Adds the module's functions.
pub(crate) fn register(library: &mut Library) {
    library.state::<present::Present>().state::<absent::Absent>();
}
