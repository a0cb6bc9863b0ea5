//! `ssh_known_hosts.*`: keys of other hosts.

mod absent;
mod entries;
mod present;

use crate::Library;

/// Adds the module's functions.
pub(crate) fn register(library: &mut Library) {
    library.state::<present::Present>().state::<absent::Absent>();
}
