//! `file.*`: files, directories and links.

mod accumulated;
pub(crate) mod attributes;
mod backup;
pub(crate) mod desired;
mod diff;
mod managed;
pub(crate) mod path;
pub(crate) mod template;

use crate::Library;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library.state::<managed::Managed>().state::<accumulated::Accumulated>();
}
