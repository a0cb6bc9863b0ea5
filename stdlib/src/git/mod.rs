//! `git.*`: working copies of Git repositories.

use crate::Library;

/// Adds the module's functions.
pub(crate) fn register(_library: &mut Library) {}
