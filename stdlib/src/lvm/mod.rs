//! `lvm.*`: physical volumes, volume groups and logical volumes.

mod lv;
mod pv;
mod report;
mod vg;

use crate::{
    Context, Failure, Library,
    provider::{
        Command,
        tool::{succeed, tool},
    },
};
use zester_compiler::types::Value;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library
        .state::<pv::Present>()
        .state::<pv::Absent>()
        .state::<vg::Present>()
        .state::<vg::Absent>()
        .state::<lv::Present>()
        .state::<lv::Absent>();
}

/// One of LVM's tools. It complains of every open file of its parent unless told not to.
fn lvm(program: &str, args: Vec<String>) -> Command {
    let mut command = tool(program, args);
    command.env.push(("LVM_SUPPRESS_FD_WARNINGS".to_owned(), Some("1".to_owned())));
    command
}

/// Runs one of LVM's tools; it must succeed.
fn execute(cx: &Context, program: &str, args: Vec<String>) -> Result<(), Failure> {
    succeed(cx, lvm(program, args)).map(drop).map_err(Failure::from)
}

/// Options with values, as flags; those not given are left out, `true` is a flag alone.
fn flags(options: &[(&str, &Option<Value>)]) -> Vec<String> {
    let mut flags = Vec::new();
    for (name, value) in options {
        match value {
            None | Some(Value::Null | Value::Bool(false)) => {}
            Some(Value::Bool(true)) => flags.push(format!("--{name}")),
            Some(value) => flags.extend([format!("--{name}"), value.to_string()]),
        }
    }
    flags
}

/// A name that is an argument of its own: no flag, no path out of the group.
fn check_name(what: &str, name: &str) -> Result<(), Failure> {
    let good = !name.is_empty()
        && !name.starts_with(['-', '.'])
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+_.-".contains(&b));
    if good {
        return Ok(());
    }
    Err(Failure::new(format!("`{name}` is not the name of a {what}: it has letters, digits and `+_.-`")))
}

/// The path of a device.
fn check_device(path: &str) -> Result<(), Failure> {
    if path.starts_with('/') {
        return Ok(());
    }
    Err(Failure::new(format!("`{path}` is not the absolute path of a device, such as `/dev/sdb1`")))
}

#[cfg(test)]
mod tests;
