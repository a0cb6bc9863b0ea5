//! `ntp.*`: where the machine's clock gets the time.

mod managed;

use crate::Library;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library.state::<managed::Managed>();
}
