//! `mysql_user.*`, `mysql_database.*`, `mysql_grants.*` and `mysql_query.*`: what a MariaDB or MySQL server has.

mod client;
mod database;
mod grants;
mod level;
mod password;
mod privileges;
mod query;
mod quote;
mod tls;
mod user;

use crate::Library;

/// Adds the functions of these modules.
pub(crate) fn register(library: &mut Library) {
    library
        .state::<user::Present>()
        .state::<user::Absent>()
        .state::<database::Present>()
        .state::<database::Absent>()
        .state::<grants::Present>()
        .state::<grants::Absent>()
        .state::<query::Run>()
        .state::<query::RunFile>();
}
