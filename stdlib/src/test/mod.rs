//! `test.*`: states without a machine, to try requisites and order with.

mod configurable;
mod fixed;
mod pillar;

use crate::Library;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library
        .state::<fixed::Nop>()
        .state::<fixed::Ping>()
        .state::<fixed::ShowNotification>()
        .state::<fixed::SucceedWithoutChanges>()
        .state::<fixed::SucceedWithChanges>()
        .state::<fixed::FailWithoutChanges>()
        .state::<fixed::FailWithChanges>()
        .state::<configurable::ConfigurableTestState>()
        .state::<pillar::CheckPillar>();
}
