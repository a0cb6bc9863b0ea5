//! `postgres_user.*`, `postgres_database.*`, `postgres_extension.*` and `postgres_privileges.*`: what a PostgreSQL server has.

mod client;
mod database;
mod extension;
mod grants;
mod password;
mod privileges;
mod user;

use crate::Library;

/// Adds the functions of these modules.
pub(crate) fn register(library: &mut Library) {
    library
        .state::<user::Present>()
        .state::<user::Absent>()
        .state::<database::Present>()
        .state::<database::Absent>()
        .state::<extension::Present>()
        .state::<extension::Absent>()
        .state::<privileges::Present>()
        .state::<privileges::Absent>();
}
