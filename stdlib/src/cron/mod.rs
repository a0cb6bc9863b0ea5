//! `cron.*`: lines of users' crontabs.
//!
//! A managed line stands below a remark `# SALT_CRON_IDENTIFIER:name`, the form Salt writes: so a machine that was
//! managed by Salt keeps its lines instead of getting them twice.

mod absent;
mod crontab;
mod env;
mod file;
mod present;
mod table;

use crate::Library;
pub(crate) use crontab::read;
pub(crate) use table::Table;

/// Adds the module's functions.
pub(crate) fn register(library: &mut Library) {
    library
        .state::<present::Present>()
        .state::<absent::Absent>()
        .state::<env::EnvPresent>()
        .state::<env::EnvAbsent>()
        .state::<file::File>();
}
