//! `firewalld.*`: zones and services of the FirewallD daemon, in its permanent configuration.

mod client;
mod present;
mod service;

use crate::Library;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library.state::<present::Present>().state::<service::Service>();
}
