//! `zester.*`: steps of an orchestration, which ask the fleet. `salt.*` are the same under Salt's names.

mod fleet;
mod function;
mod runner;
mod runners;
mod state;
mod step;
#[cfg(test)]
mod tests;
mod wait_for_event;

pub use fleet::{Answer, Done, End, Event, Fleet, OnPeel, Order, Wait};

use crate::{Changes, Context, Failure, Library, Plan};
use std::sync::Arc;

/// Adds the functions of this module, under both names.
pub(crate) fn register(library: &mut Library) {
    library
        .state_of::<state::State>(&["zester", "salt"])
        .state_of::<function::Function>(&["zester", "salt"])
        .state_of::<runner::Runner>(&["zester", "salt"])
        .state_of::<wait_for_event::WaitForEvent>(&["zester", "salt"]);
    let registry = library.registry_mut();
    for runner in runners::RUNNERS {
        let arguments = runner.params.iter().flat_map(|(own, salts, _)| [*own, *salts]);
        for name in std::iter::once(&runner.name).chain(runner.aliases) {
            registry.add_runner(name, arguments.clone().collect());
        }
    }
    registry
        .note_elsewhere("salt.parallel_runners", "write a `zester.runner` for each, with `- parallel: true`");
    registry.note_elsewhere(
        "salt.wheel",
        "keys of machines are `zester enroll`'s, and other commands of `zester` do the rest",
    );
}

/// The fleet, or why there is none.
fn fleet(cx: &Context, function: &str) -> Result<Arc<dyn Fleet>, Failure> {
    cx.fleet.clone().ok_or_else(|| {
        Failure::new(format!(
            "`{function}` asks the fleet, and this is no orchestration; run the file with `zester orch REF`"
        ))
    })
}

/// What a test run says: that nothing would change, or what would. Nobody applies it.
fn foreseen<'a>(changes: bool, what: Changes, comment: String) -> Plan<'a> {
    if changes {
        Plan::change(what, comment, |_| Err(Failure::new("a test run changes nothing")))
    } else {
        Plan::unchanged(comment)
    }
}
