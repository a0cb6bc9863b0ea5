//! What a module can call of the machine: names, arguments and effects. What they do is the host's business.

use crate::types::Effect;

/// A function that reaches the machine.
#[derive(Debug)]
pub struct HostFunction {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub effect: Effect,
    /// Its parameters, in the order in which positional arguments bind.
    pub params: &'static [&'static str],
    /// How many of them must be given.
    pub required: usize,
}

const fn function(
    name: &'static str,
    effect: Effect,
    required: usize,
    params: &'static [&'static str],
) -> HostFunction {
    HostFunction { name, effect, params, required }
}

/// All of them.
pub const HOST_FUNCTIONS: &[HostFunction] = &[
    function("cmd_run", Effect::Command, 1, &["command", "args", "cwd", "env", "stdin", "timeout"]),
    function("file_exists", Effect::Probe, 1, &["path"]),
    function("file_list", Effect::Probe, 1, &["path"]),
    function("file_mkdir", Effect::Mutating, 1, &["path", "mode"]),
    function("file_read", Effect::Probe, 1, &["path"]),
    function("file_remove", Effect::Mutating, 1, &["path"]),
    function("file_stat", Effect::Probe, 1, &["path"]),
    function("file_write", Effect::Mutating, 2, &["path", "content", "mode"]),
    function("http_get", Effect::Probe, 1, &["url", "headers"]),
    function("http_request", Effect::Mutating, 2, &["method", "url", "body", "headers"]),
    function("pkg_is_installed", Effect::Probe, 1, &["name"]),
    function("pkg_version", Effect::Probe, 1, &["name"]),
];

/// The one of two effects that says more.
pub fn stronger(a: Effect, b: Effect) -> Effect {
    let rank = |effect| match effect {
        Effect::Pure => 0,
        Effect::Probe => 1,
        Effect::Command => 2,
        Effect::Mutating => 3,
    };
    if rank(a) < rank(b) { b } else { a }
}
