//! State and exec functions, facts, and the providers that touch a machine.
//!
//! A function is declared once: an argument struct whose fields and doc comments are its signature, next to the
//! code that does it. It reaches the machine through [`provider`]s only, so the same function runs on a real host
//! and is tested on a fake.

mod archive;
mod cmd;
mod context;
mod cron;
mod elsewhere;
mod exec;
pub mod facts;
mod file;
mod git;
mod group;
mod library;
mod module;
mod pip;
mod pkg;
mod pkgrepo;
pub mod provider;
mod random;
mod service;
mod source;
mod ssh_auth;
mod ssh_known_hosts;
mod state;
mod sysctl;
mod test;
mod user;
mod virtualenv;

pub use cmd::environment::variables as environment;
pub use context::{Cancel, Context, Machine, ManagedPaths, NoPeers, Peers, RunCache, StateFiles};
pub use library::{BoundLibrary, Exec, Library, StateFunction};
pub use state::{Changes, Failure, Outcome, Plan, State, change};
pub use zester_stdlib_derive::Arguments;

/// The whole standard library.
pub fn library() -> Library {
    let mut library = Library::new();
    archive::register(&mut library);
    cmd::register(&mut library);
    file::register(&mut library);
    module::register(&mut library);
    test::register(&mut library);
    cron::register(&mut library);
    exec::register(&mut library);
    git::register(&mut library);
    group::register(&mut library);
    pip::register(&mut library);
    pkg::register(&mut library);
    pkgrepo::register(&mut library);
    service::register(&mut library);
    ssh_auth::register(&mut library);
    ssh_known_hosts::register(&mut library);
    sysctl::register(&mut library);
    user::register(&mut library);
    virtualenv::register(&mut library);
    elsewhere::register(library.registry_mut());
    library
}
