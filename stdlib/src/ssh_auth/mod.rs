//! `ssh_auth.*`: keys that may log in as a user.

mod absent;
mod authorized;
mod key;
mod manage;
mod present;

use crate::Library;

pub(crate) use authorized::Authorized;
pub(crate) use key::{Key, full_type, types};

/// Adds the module's functions.
pub(crate) fn register(library: &mut Library) {
    library.state::<present::Present>().state::<absent::Absent>().state::<manage::Manage>();
}
