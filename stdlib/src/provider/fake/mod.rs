//! Providers held in memory: a machine that a test makes up, looks at, and throws away.

mod accounts;
mod commands;
mod files;
mod machine;
mod packages;
mod services;

pub use accounts::FakeAccounts;
pub use commands::FakeCommands;
pub use files::FakeFiles;
pub use machine::{FakeMachine, FakeTree};
pub use packages::FakePackages;
pub use services::{FakeService, FakeServices};
