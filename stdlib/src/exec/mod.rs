//! Exec functions: what `salt[…]`, guards, `module.run` and the command line call.

use crate::Library;

/// Adds the module's functions.
pub(crate) fn register(_library: &mut Library) {}
