//! State and exec functions, facts, and the providers that touch a machine.
//!
//! A function is declared once: an argument struct whose fields and doc comments are its signature, next to the
//! code that does it. It reaches the machine through [`provider`]s only, so the same function runs on a real host
//! and is tested on a fake.

mod alternatives;
mod archive;
mod at;
mod cmd;
mod context;
mod cron;
mod custom;
mod debconf;
mod disk;
mod docker;
mod elsewhere;
mod environ;
mod exec;
pub mod facts;
mod file;
mod firewalld;
mod gem;
mod git;
mod group;
mod host;
mod http;
mod ini;
mod iptables;
mod kmod;
mod library;
mod locale;
mod logrotate;
mod lvm;
mod module;
mod mount;
mod mysql;
mod network;
mod npm;
mod ntp;
mod pip;
mod pkg;
mod pkgrepo;
mod postgres;
pub mod provider;
mod rabbitmq;
mod random;
mod selinux;
mod service;
mod source;
mod ssh_auth;
mod ssh_known_hosts;
mod state;
mod supervisord;
mod sysctl;
mod test;
mod timezone;
mod tuned;
mod user;
mod virtualenv;
mod x509;
pub mod zester;

pub use cmd::environment::variables as environment;
pub use context::{Cancel, Context, Machine, ManagedPaths, NoPeers, Peers, RunCache, StateFiles};
pub use environ::below as run_variables;
pub use library::{BoundLibrary, Exec, Library, STATE_FUNCTIONS, StateFunction};
pub use state::{Changes, Failure, Outcome, Plan, State, change};
pub use zester_stdlib_derive::Arguments;

/// The whole standard library.
pub fn library() -> Library {
    let mut library = Library::new();
    alternatives::register(&mut library);
    archive::register(&mut library);
    at::register(&mut library);
    cmd::register(&mut library);
    file::register(&mut library);
    module::register(&mut library);
    test::register(&mut library);
    cron::register(&mut library);
    debconf::register(&mut library);
    disk::register(&mut library);
    docker::register(&mut library);
    environ::register(&mut library);
    exec::register(&mut library);
    firewalld::register(&mut library);
    gem::register(&mut library);
    git::register(&mut library);
    group::register(&mut library);
    host::register(&mut library);
    http::register(&mut library);
    ini::register(&mut library);
    iptables::register(&mut library);
    kmod::register(&mut library);
    locale::register(&mut library);
    logrotate::register(&mut library);
    lvm::register(&mut library);
    mount::register(&mut library);
    mysql::register(&mut library);
    network::register(&mut library);
    npm::register(&mut library);
    ntp::register(&mut library);
    pip::register(&mut library);
    pkg::register(&mut library);
    pkgrepo::register(&mut library);
    postgres::register(&mut library);
    rabbitmq::register(&mut library);
    selinux::register(&mut library);
    service::register(&mut library);
    ssh_auth::register(&mut library);
    ssh_known_hosts::register(&mut library);
    supervisord::register(&mut library);
    sysctl::register(&mut library);
    timezone::register(&mut library);
    tuned::register(&mut library);
    user::register(&mut library);
    virtualenv::register(&mut library);
    x509::register(&mut library);
    zester::register(&mut library);
    elsewhere::register(library.registry_mut());
    library
}
