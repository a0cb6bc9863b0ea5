//! `user.*`: users of the system.

mod absent;
mod ageing;
mod gecos;
mod password;
mod present;

use crate::Library;

pub(crate) use gecos::Gecos;
pub(crate) use password::{crypt, new_salt};

/// Adds the module's functions.
pub(crate) fn register(library: &mut Library) {
    library.state::<present::Present>().state::<absent::Absent>();
}
