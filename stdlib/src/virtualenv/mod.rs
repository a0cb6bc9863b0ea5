//! `virtualenv.*`: Python environments.

mod managed;

use crate::Library;

/// Adds the module's functions.
pub(crate) fn register(library: &mut Library) {
    library.state::<managed::Managed>();
}
