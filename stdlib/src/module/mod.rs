//! `module.*`: exec functions called as states.

mod call;
mod run;
mod wait;

use crate::Library;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library.state::<run::Run>().state::<wait::Wait>();
}
