//! `supervisord.*`: programs that Supervisor keeps running.

mod client;
mod dead;
mod running;

use crate::Library;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library.state::<running::Running>().state::<dead::Dead>();
}
