//! The small traits through which functions reach a machine, and what implements them.

mod accounts;
mod commands;
mod directory;
mod disk;
pub mod fake;
mod files;
mod packages;
mod processes;
mod services;

pub use accounts::{Accounts, GroupAccount, UserAccount};
pub use commands::{Command, Commands, Output, Program};
pub use disk::Disk;
pub use files::{FileKind, FileSystem, Ownership, Stat};
pub use packages::{InstallOptions, Packages};
pub use processes::Processes;
pub use services::Services;
