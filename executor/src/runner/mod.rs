//! The runner: walks a plan in its order, decides what runs, compares, applies, reports.
//!
//! Invariants: each state runs at most once (a watch reaction and a listener apart); a failure is transitive and
//! names its first cause; a test run takes the same path as an apply and stops before the application; nothing a
//! state does can end the process.

mod gate;
mod guard;
mod lock;
mod result;
mod state;
#[cfg(test)]
mod tests;
mod walk;

pub use lock::{Lock, LockError};
pub use result::{Counts, Observer, Outcome, Return, Silent, SkipReason, StateResult, Status};
pub use walk::{RunOptions, run};
