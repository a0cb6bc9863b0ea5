//! What was migrated, and what is left to a person.

use super::MigrateArgs;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt::Write};
use zester_compiler::{
    diagnostic::{Diagnostic, Severity},
    migrate::{MigratedFile, Migration, Note, NoteKind},
};

/// What happened to a file.
fn action(file: &MigratedFile) -> &'static str {
    match (&file.change, extension(&file.from) == extension(&file.to)) {
        (Some(_), _) => "changed",
        (None, false) => "renamed",
        (None, true) => "copied",
    }
}

fn extension(path: &str) -> Option<&str> {
    path.rsplit_once('.').map(|(_, extension)| extension)
}

/// The old tree and the new one as a difference, the way git shows it.
pub fn diff(migration: &Migration) -> String {
    let mut out = String::new();
    for file in migration.files.iter().filter(|file| action(file) != "copied") {
        let (from, to) = (format!("a/{}", file.from), format!("b/{}", file.to));
        let _ = writeln!(out, "diff --git {from} {to}");
        if file.from != file.to {
            let _ = writeln!(out, "rename from {}\nrename to {}", file.from, file.to);
        }
        if let Some((old, new)) = &file.change {
            let diff = similar::TextDiff::from_lines(&**old, new.as_str());
            let _ = write!(out, "{}", diff.unified_diff().header(&from, &to));
        }
    }
    out
}

/// Findings by their rule, errors first.
fn by_rule(migration: &Migration) -> Vec<Vec<&Diagnostic>> {
    let mut groups: BTreeMap<(u8, &str), Vec<&Diagnostic>> = BTreeMap::new();
    for finding in &migration.report.diagnostics {
        let rank = match finding.severity {
            Severity::Error => 0,
            Severity::Warning => 1,
            _ => continue,
        };
        groups.entry((rank, finding.rule.code)).or_default().push(finding);
    }
    groups.into_values().collect()
}

fn by_kind(migration: &Migration) -> BTreeMap<NoteKind, Vec<&Note>> {
    let mut groups: BTreeMap<NoteKind, Vec<&Note>> = BTreeMap::new();
    for note in &migration.notes {
        groups.entry(note.kind).or_default().push(note);
    }
    groups
}

fn many(n: usize, one: &str, more: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { more })
}

/// For people.
pub fn text(args: &MigrateArgs, migration: &Migration, quiet: bool) -> String {
    let mut out = String::new();
    let count = |what: &str| migration.files.iter().filter(|file| action(file) == what).count();
    if !quiet {
        let place = match &args.to {
            Some(to) if !args.dry_run => format!(" to {}", to.display()),
            _ => String::new(),
        };
        let _ = writeln!(
            out,
            "{} {}{place}: {} renamed, {} changed ({}, {}), {} copied",
            if args.dry_run { "would migrate" } else { "migrated" },
            many(migration.files.len(), "file", "files"),
            count("renamed"),
            count("changed"),
            many(migration.references, "reference", "references"),
            many(migration.fixes, "fix", "fixes"),
            count("copied"),
        );
    }
    for (kind, notes) in by_kind(migration) {
        let _ = writeln!(out, "\n{} ({}): {}", kind.title(), notes.len(), kind.advice());
        for note in notes {
            let _ = writeln!(out, "  {}:{}:{}: {}", note.file, note.line, note.column, note.message);
        }
    }
    let files = migration.project.files();
    for group in by_rule(migration) {
        let Some(first) = group.first() else { continue };
        let is_error = first.is_error();
        if quiet && !is_error {
            continue;
        }
        let word = if is_error { "error" } else { "warning" };
        let rule = first.rule;
        let plural = if group.len() == 1 { "" } else { "s" };
        let _ = writeln!(
            out,
            "\n{} ({} {word}{plural} of `zester check`; zester explain {})",
            rule.name,
            group.len(),
            rule.code
        );
        for finding in group {
            let (path, at) = files.locate(finding.span);
            let _ = write!(out, "  {path}:{}:{}: {}", at.line, at.column, finding.message);
            if let Some(help) = &finding.help {
                let _ = write!(out, ": {help}");
            }
            out.push('\n');
        }
    }
    if !quiet {
        let errors = migration.report.count(Severity::Error);
        out.push_str(&match errors {
            0 => "\nthe new tree passes `zester check`\n".to_owned(),
            n => format!("\nthe new tree does not pass `zester check` yet: {}\n", many(n, "error", "errors")),
        });
    }
    out
}

/// For programs.
pub fn document(args: &MigrateArgs, migration: &Migration) -> Value {
    let files: Vec<Value> = migration
        .files
        .iter()
        .map(|file| json!({"from": file.from, "to": file.to, "action": action(file)}))
        .collect();
    let notes = migration.notes.iter().map(|note| {
        json!({
            "kind": note.kind.name(), "file": note.file, "line": note.line, "column": note.column,
            "message": note.message, "help": note.kind.advice(),
        })
    });
    let table = migration.project.files();
    let findings = by_rule(migration).into_iter().flatten().map(|finding| {
        let (path, at) = table.locate(finding.span);
        json!({
            "kind": "check", "code": finding.rule.code, "name": finding.rule.name,
            "severity": if finding.is_error() { "error" } else { "warning" },
            "file": &*path, "line": at.line, "column": at.column,
            "message": finding.message, "help": finding.help,
        })
    });
    let left: Vec<Value> = notes.chain(findings).collect();
    json!({
        "format_version": "1.0",
        "directory": args.to,
        "dry_run": args.dry_run,
        "files": files,
        "references": migration.references,
        "fixes": migration.fixes,
        "errors": migration.report.count(Severity::Error),
        "warnings": migration.report.count(Severity::Warning),
        "left": left,
    })
}
