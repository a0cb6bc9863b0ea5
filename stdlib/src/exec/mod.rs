//! Exec functions: what `salt[…]`, guards, `module.run` and the command line call.
//!
//! They are small and many, so a file holds one module of them. What only needs facts and settings while rendering
//! is the template environment's own.

/// Declares an exec function: its argument struct, its signature, and what it does.
macro_rules! exec {
    (
        $(#[doc = $doc:literal])+
        $name:literal $effect:ident $struct:ident {
            $( $(#[$meta:meta])* $field:ident: $ty:ty ),* $(,)?
        } |$it:pat_param, $cx:pat_param| $body:expr
    ) => {
        $(#[doc = $doc])+
        #[derive($crate::Arguments)]
        #[exec($name, $effect)]
        pub(crate) struct $struct { $( $(#[$meta])* $field: $ty ),* }

        impl $crate::Exec for $struct {
            fn call(&self, cx: &$crate::Context) -> Result<zester_compiler::types::Value, String> {
                let body = |$it: &Self, $cx: &$crate::Context| -> Result<zester_compiler::types::Value, String> {
                    $body
                };
                body(self, cx)
            }
        }
    };
}

mod alternatives;
mod cmd;
mod cp;
mod cron;
mod data;
mod disk;
mod environ;
mod file_change;
mod file_edit;
mod file_read;
mod file_system;
mod group_change;
mod hashutil;
mod hmac;
mod hosts;
pub(crate) mod http;
mod kernel;
mod locale;
mod mount;
mod network;
mod pkg;
mod pkg_files;
mod pkg_hold;
mod pkg_info;
mod proc;
mod random;
mod routes;
mod saltutil;
mod service;
mod ssh;
mod status;
mod sys;
mod system;
mod test;
mod user;
mod user_change;

#[cfg(test)]
mod tests;

use crate::Library;
pub(crate) use cmd::words as split_words;

/// Adds the module's functions.
pub(crate) fn register(library: &mut Library) {
    alternatives::register(library);
    cmd::register(library);
    cp::register(library);
    cron::register(library);
    data::register(library);
    disk::register(library);
    environ::register(library);
    file_change::register(library);
    file_edit::register(library);
    file_read::register(library);
    file_system::register(library);
    group_change::register(library);
    hashutil::register(library);
    hmac::register(library);
    hosts::register(library);
    http::register(library);
    kernel::register(library);
    locale::register(library);
    mount::register(library);
    network::register(library);
    pkg::register(library);
    pkg_files::register(library);
    pkg_hold::register(library);
    pkg_info::register(library);
    proc::register(library);
    random::register(library);
    routes::register(library);
    saltutil::register(library);
    service::register(library);
    ssh::register(library);
    status::register(library);
    sys::register(library);
    system::register(library);
    test::register(library);
    user::register(library);
    user_change::register(library);
}
