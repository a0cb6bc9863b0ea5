//! `rabbitmq_user.*`, `rabbitmq_vhost.*`, `rabbitmq_policy.*` and `rabbitmq_plugin.*`: what a RabbitMQ server has.

mod client;
mod plugin;
mod policy;
mod user;
mod vhost;

use crate::Library;

/// Adds the functions of these modules.
pub(crate) fn register(library: &mut Library) {
    library
        .state::<plugin::Enabled>()
        .state::<plugin::Disabled>()
        .state::<policy::Present>()
        .state::<policy::Absent>()
        .state::<user::Present>()
        .state::<user::Absent>()
        .state::<vhost::Present>()
        .state::<vhost::Absent>();
}
