//! State and exec functions, facts, and the providers that touch a machine.
//!
//! A function is declared once: an argument struct whose fields and doc comments are its signature, next to the
//! code that does it. It reaches the machine through [`provider`]s only, so the same function runs on a real host
//! and is tested on a fake.

mod cmd;
mod context;
mod elsewhere;
mod file;
mod library;
pub mod provider;
mod source;
mod state;
mod test;

pub use context::{Cancel, Context, Machine, ManagedPaths, RunCache, StateFiles};
pub use library::{BoundLibrary, Exec, Library, StateFunction};
pub use state::{Changes, Failure, Outcome, Plan, State, change};
pub use zester_stdlib_derive::Arguments;

/// The whole standard library.
pub fn library() -> Library {
    let mut library = Library::new();
    cmd::register(&mut library);
    file::register(&mut library);
    test::register(&mut library);
    elsewhere::register(library.registry_mut());
    library
}
