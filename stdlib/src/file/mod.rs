//! `file.*`: files, directories and links.

mod absent;
mod accumulated;
pub(crate) mod attributes;
mod backup;
pub(crate) mod desired;
mod diff;
mod directory;
mod managed;
pub(crate) mod path;
mod pattern;
mod select;
mod symlink;
pub(crate) mod template;

use crate::Library;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library
        .state::<managed::Managed>()
        .state::<directory::Directory>()
        .state::<absent::Absent>()
        .state::<symlink::Symlink>()
        .state::<accumulated::Accumulated>();
}
