//! What dnf and yum print for people: the table of a transaction, the listing of packages, their complaints.

use crate::provider::{Command, Output, Transaction, Versions, rpm::Database, tool};
use std::collections::BTreeMap;

/// Versions of packages that could be installed, by name.
pub(super) type Listing = BTreeMap<String, Vec<String>>;

/// What a section of the table does with its packages.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Arrive,
    Leave,
    Other,
}

/// The table that stands before the question whether to go on.
pub(super) fn transaction(text: &str, database: &Database, installed: &Versions) -> Transaction {
    let mut all = Transaction::new();
    let mut action = Action::Other;
    // A long name stands on a line of its own, its columns on the next.
    let mut row: Vec<&str> = Vec::new();
    for line in text.lines() {
        if line.starts_with("Transaction Summary") {
            break;
        }
        if !line.starts_with(' ') {
            row.clear();
            let first = line.split_ascii_whitespace().next().unwrap_or_default();
            action = match first.trim_end_matches(':') {
                _ if !line.trim_end().ends_with(':') => Action::Other,
                "Installing" | "Upgrading" | "Updating" | "Downgrading" | "Reinstalling" => Action::Arrive,
                "Removing" => Action::Leave,
                _ => Action::Other,
            };
            continue;
        }
        if action == Action::Other {
            continue;
        }
        row.extend(line.split_ascii_whitespace());
        if let ["replacing", rest @ ..] = row.as_slice() {
            // dnf 4: `replacing  name.arch 1.0-1`; dnf 5 has a column for the architecture.
            let replaced = match rest {
                [name, arch, _, _, ..] => Some(database.listed(name, arch)),
                [name, ..] => Some(listed(name, database)),
                [] => None,
            };
            if let Some(name) = replaced
                && let Some(old) = installed.get(&name)
            {
                all.entry(name).or_insert_with(|| (Some(old.clone()), None));
            }
            row.clear();
        } else if let [name, arch, version, _repository, _size, ..] = row.as_slice() {
            let name = database.listed(name, arch);
            let version = version.strip_prefix("0:").unwrap_or(version).to_owned();
            let old = installed.get(&name).cloned();
            match action {
                Action::Arrive => all.insert(name, (old, Some(version))),
                _ => all.insert(name, (old.or(Some(version)), None)),
            };
            row.clear();
        }
    }
    all
}

/// `name.arch` as it is listed.
fn listed(name: &str, database: &Database) -> String {
    match name.rsplit_once('.') {
        Some((base, arch)) => database.listed(base, arch),
        None => name.to_owned(),
    }
}

/// The rows below "Available Packages": `name.arch  version  repository`, where a long one may go on on the next line.
/// What is installed and in no repository could not be installed.
pub(super) fn available(text: &str, database: &Database) -> Listing {
    let mut all = Listing::new();
    let mut inside = false;
    let mut row: Vec<&str> = Vec::new();
    for line in text.lines() {
        let title = line.trim().to_lowercase();
        if title.ends_with(" packages") && title.split(' ').count() == 2 {
            inside = title.starts_with("available");
            row.clear();
            continue;
        }
        if !inside {
            continue;
        }
        row.extend(line.split_ascii_whitespace());
        if let [name, version, _repository, ..] = row.as_slice() {
            let version = version.strip_prefix("0:").unwrap_or(version);
            all.entry(listed(name, database)).or_default().push(version.to_owned());
            row.clear();
        }
    }
    all
}

/// dnf's reasons; the rest is progress.
pub(super) fn complaint(command: &Command, output: &Output) -> String {
    const REASONS: [&str; 10] = [
        "Error:",
        "Failed",
        "No match for argument",
        "No package ",
        "No such command",
        " Problem",
        "  - ",
        "Curl error",
        "Cannot ",
        "Unable to find",
    ];
    let said: Vec<&str> = output
        .stderr
        .lines()
        .chain(output.stdout.lines())
        .filter(|line| REASONS.iter().any(|r| line.starts_with(r)))
        .map(str::trim)
        .take(20)
        .collect();
    if said.is_empty() || output.timed_out {
        return tool::failure(command, output);
    }
    format!("`{}` exited with {}: {}", tool::line(command), output.status, said.join("; "))
}
