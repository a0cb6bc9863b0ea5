//! `cron.*`: lines of crontabs.

use crate::Library;

/// Adds the module's functions.
pub(crate) fn register(_library: &mut Library) {}
