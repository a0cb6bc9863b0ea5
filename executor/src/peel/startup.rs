//! States that a peel applies when it starts, once it has a tree: the one of before where no newer one comes in time.

use super::{Shared, now_ms};
use crate::job::{ledger::Own, message::Call};
use std::{sync::Arc, time::Duration};
use zester_compiler::types::Value;

/// How long a newer tree is waited for.
const WAIT: Duration = Duration::from_secs(60);
/// The first and the longest pause after a run that could not even begin.
const AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));
/// After so many such runs the log says so once more, as an error.
const LOUD: u32 = 10;

/// What `startup_states` says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Startup {
    /// Nothing.
    #[default]
    Nothing,
    /// All that the top file says.
    Highstate,
    /// These state files.
    Refs(Vec<String>),
}

impl Startup {
    fn call(&self) -> Option<Call> {
        let refs = match self {
            Self::Nothing => return None,
            Self::Highstate => Vec::new(),
            Self::Refs(refs) => refs.iter().map(|r| Value::Str(r.clone())).collect(),
        };
        Some(Call { function: "state.apply".to_owned(), args: refs, ..Call::default() })
    }
}

/// Applies them, and ends.
pub(super) async fn run(shared: Arc<Shared>) {
    let Some(call) = shared.options.daemon.startup.call() else { return };
    let mut looked = shared.looked.subscribe();
    tokio::select! {
        _ = looked.wait_for(|l| *l) => {}
        () = tokio::time::sleep(WAIT) => {}
        () = shared.stopped() => return,
    }
    let mut enforced = shared.enforced.subscribe();
    while shared.host.trees.revision().is_none() {
        tokio::select! {
            _ = enforced.changed() => {}
            () = shared.stopped() => return,
        }
    }
    let (mut pause, mut tries) = (AGAIN.0, 0_u32);
    loop {
        let own = Own { entry: "startup".to_owned(), returns: false };
        let (book, call) = (shared.book.clone(), call.clone());
        let expires = now_ms().saturating_add(24 * 3_600_000);
        let begun = tokio::task::spawn_blocking(move || book.run_own(own, &call, None, expires)).await;
        let Ok(begun) = begun else { return };
        match begun {
            Ok(jid) => {
                tracing::info!(peel = %shared.id(), %jid, "the states of the start are applied");
                let mut unstored = shared.book.watch_unstored();
                while shared.book.is_open(&jid) {
                    tokio::select! {
                        _ = unstored.changed() => {}
                        () = tokio::time::sleep(Duration::from_secs(5)) => {}
                        () = shared.stopped() => return,
                    }
                }
                // States that failed are reported and tried again by who is responsible for them; a run that found no settings or no files is ours.
                if shared.book.ran_states(&jid) {
                    return;
                }
            }
            Err(error) => tracing::warn!(peel = %shared.id(), %error, "the states of the start cannot begin"),
        }
        tries += 1;
        if tries == LOUD {
            tracing::error!(peel = %shared.id(), tries, "the states of the start could not begin yet; the events say why");
        }
        if !shared.pause(super::jittered(pause)).await {
            return;
        }
        pause = (pause * 2).min(AGAIN.1);
    }
}
