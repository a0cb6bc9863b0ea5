//! `host.*`: names and addresses in the file of hosts.

mod absent;
mod only;
mod present;
mod table;

use crate::{
    Changes, Context, Failure, Library, Plan,
    file::text::{self, Edit},
};
use table::Table;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library.state::<present::Present>().state::<absent::Absent>().state::<only::Only>();
}

/// The file.
const FILE: &str = "/etc/hosts";

/// What is in the file.
pub(crate) fn read(cx: &Context) -> Result<Table, Failure> {
    Ok(Table::parse(&text::read(cx, FILE)?.unwrap_or_default()))
}

/// Reads the file, edits it, and plans what came of it.
fn edit(
    cx: &Context,
    edit: impl FnOnce(&mut Table, &mut Changes) -> Result<(), String>,
) -> Result<Plan<'static>, Failure> {
    let mut table = read(cx)?;
    let mut changes = Changes::new();
    edit(&mut table, &mut changes)?;
    if changes.is_empty() {
        return Ok(Plan::unchanged(format!("`{FILE}` is in the correct state")));
    }
    let mut plan = Edit::new(FILE.to_owned()).plan(cx, table.to_string())?;
    plan.changes = changes;
    Ok(plan)
}

/// Refuses what would be read back as something else.
fn check(what: &str, word: &str) -> Result<(), String> {
    if word.is_empty() || word.contains(|c: char| c.is_whitespace() || c == '#') {
        return Err(format!("`{}` is not {what}", word.escape_debug()));
    }
    Ok(())
}

fn check_address(word: &str) -> Result<(), String> {
    // An address may name its interface: `fe80::1%eth0`.
    match word.split('%').next().unwrap_or_default().parse::<std::net::IpAddr>() {
        Ok(_) => check("an address", word),
        Err(_) => Err(format!("`{}` is not an IP address", word.escape_debug())),
    }
}
