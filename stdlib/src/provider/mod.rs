//! The small traits through which functions reach a machine, and what implements them.

mod accounts;
mod apt;
mod commands;
pub mod debian_version;
pub mod detect;
mod directory;
mod disk;
mod dpkg_status;
pub mod fake;
mod files;
mod packages;
mod processes;
mod services;
mod shadow_utils;
mod systemd;
mod sysv;
pub(crate) mod tool;

pub use accounts::{Accounts, GroupAccount, Shadow, UserAccount};
pub use apt::Apt;
pub use commands::{Command, Commands, Output, Program};
pub use disk::Disk;
pub use files::{FileKind, FileSystem, Ownership, Stat};
pub use packages::{InstallOptions, Packages, Transaction, Versions};
pub use processes::Processes;
pub use services::{ServiceStatus, Services};
pub use shadow_utils::ShadowUtils;
pub use systemd::Systemd;
pub use sysv::SysV;
