//! `docker_container.*`, `docker_image.*`, `docker_network.*`, `docker_volume.*`: what a Docker daemon has.

mod client;
mod container;
mod image;
mod network;
mod networks;
mod options;
mod recipe;
mod rows;
mod run;
mod running;
mod shape;
mod text;
mod volume;

use crate::Library;

/// Adds the functions of these modules.
pub(crate) fn register(library: &mut Library) {
    library
        .state::<run::Run>()
        .state::<running::Running>()
        .state::<container::Stopped>()
        .state::<container::Absent>()
        .state::<image::Present>()
        .state::<image::Absent>()
        .state::<network::Present>()
        .state::<network::Absent>()
        .state::<volume::Present>()
        .state::<volume::Absent>();
}
