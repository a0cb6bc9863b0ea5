//! `--statistics`: which rules found how much, and how much of it has a fix.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use zester_compiler::diagnostic::{Applicability, Diagnostic};

/// One rule's findings.
#[derive(Default)]
struct Row {
    severity: String,
    count: usize,
    /// With a fix that keeps the meaning.
    safe: usize,
    /// With any fix.
    fixable: usize,
}

fn rows(diagnostics: &[Diagnostic]) -> Vec<((&'static str, &'static str), Row)> {
    let mut rows: BTreeMap<(&'static str, &'static str), Row> = BTreeMap::new();
    for diagnostic in diagnostics {
        let row = rows.entry((diagnostic.rule.code, diagnostic.rule.name)).or_default();
        row.severity = diagnostic.severity.to_string();
        row.count += 1;
        row.fixable += usize::from(!diagnostic.fixes.is_empty());
        let is_safe = diagnostic.fixes.iter().any(|fix| fix.applicability == Applicability::Safe);
        row.safe += usize::from(is_safe);
    }
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by(|a, b| b.1.count.cmp(&a.1.count).then_with(|| a.0.cmp(&b.0)));
    rows
}

/// The table for people.
pub fn table(diagnostics: &[Diagnostic]) -> String {
    let rows = rows(diagnostics);
    if rows.is_empty() {
        return String::new();
    }
    let mut out =
        format!("{:>6}  {:>5}  {:>8}  {:7}  {:5}  rule\n", "count", "--fix", "--unsafe", "level", "code");
    for ((code, name), row) in rows {
        out.push_str(&format!(
            "{:>6}  {:>5}  {:>8}  {:7}  {code}  {name}\n",
            row.count, row.safe, row.fixable, row.severity
        ));
    }
    out
}

/// The same for programs.
pub fn document(diagnostics: &[Diagnostic]) -> Value {
    rows(diagnostics)
        .into_iter()
        .map(|((code, name), row)| {
            json!({"code": code, "name": name, "severity": row.severity, "count": row.count,
                   "fixable_safe": row.safe, "fixable": row.fixable})
        })
        .collect()
}
