//! `mount.*`: file systems and where they are mounted.

pub(crate) mod active;
pub(crate) mod fstab;
mod mounted;
mod swap;
mod unmounted;

use crate::Library;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library.state::<mounted::Mounted>().state::<unmounted::Unmounted>().state::<swap::Swap>();
}
