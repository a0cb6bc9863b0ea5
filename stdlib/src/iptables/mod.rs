//! `iptables.*`: rules of the packet filter.

mod chain;
mod filter;
mod policy;
mod rule;
mod rules;

use crate::Library;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library
        .state::<rules::Append>()
        .state::<rules::Insert>()
        .state::<rules::Delete>()
        .state::<policy::SetPolicy>()
        .state::<chain::Flush>()
        .state::<chain::ChainPresent>()
        .state::<chain::ChainAbsent>();
}
