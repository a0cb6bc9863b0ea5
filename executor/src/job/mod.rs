//! Jobs: what is asked of peels, what they answer, and how neither gets lost.

pub mod fit;
pub mod journal;
pub mod ledger;
pub mod message;
pub mod owner;
#[cfg(test)]
mod simulation;
pub mod store;
