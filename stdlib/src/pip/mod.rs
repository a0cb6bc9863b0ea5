//! `pip.*`: Python packages.

use crate::Library;

/// Adds the module's functions.
pub(crate) fn register(_library: &mut Library) {}
