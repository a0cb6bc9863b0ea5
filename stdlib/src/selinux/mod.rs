//! `selinux.*`: SELinux's mode and switches.

mod boolean;
mod mode;

use crate::Library;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library.state::<mode::ModeOf>().state::<boolean::Boolean>();
}
