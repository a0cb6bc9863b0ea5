//! `ssh_known_hosts.*`: keys of other hosts.

use crate::Library;

/// Adds the module's functions.
pub(crate) fn register(_library: &mut Library) {}
