//! SARIF 2.1.0, for code-scanning services.

use super::{
    Diagnostic, Rule, Severity,
    place::{Range, locate},
};
use crate::source::Files;
use serde_json::{Value, json};

/// The log file, ending in a line break.
pub fn sarif(diagnostics: &[Diagnostic], files: &Files) -> String {
    let mut rules: Vec<&'static Rule> = diagnostics.iter().map(|d| d.rule).collect();
    rules.sort_by_key(|r| r.code);
    rules.dedup();
    let results: Vec<Value> = diagnostics.iter().map(|d| result(d, files, &rules)).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "zester",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|r| rule(r)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    serde_json::to_string_pretty(&log).unwrap_or_default() + "\n"
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Hint => "note",
        Severity::Allow => "none",
    }
}

fn rule(rule: &Rule) -> Value {
    json!({
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.summary()},
        "fullDescription": {"text": rule.page_text()},
        "defaultConfiguration": {"level": level(rule.severity)},
    })
}

fn region(range: Range) -> Value {
    json!({
        "startLine": range.start.line,
        "startColumn": range.start.column,
        "endLine": range.end.line,
        "endColumn": range.end.column,
    })
}

fn location(path: &str, range: Range) -> Value {
    json!({"artifactLocation": {"uri": uri(path)}, "region": region(range)})
}

/// A relative reference; SARIF wants URIs, so what a URI cannot hold is escaped.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(byte as char);
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn result(diagnostic: &Diagnostic, files: &Files, rules: &[&'static Rule]) -> Value {
    let (path, range) = locate(files, diagnostic.span);
    let mut text = diagnostic.message.clone();
    if let Some(help) = &diagnostic.help {
        text.push_str(". ");
        text.push_str(help);
    }
    let related: Vec<Value> = diagnostic
        .labels
        .iter()
        .enumerate()
        .map(|(id, label)| {
            let (path, range) = locate(files, label.span);
            json!({"id": id, "physicalLocation": location(&path, range), "message": {"text": label.message}})
        })
        .collect();
    let fixes: Vec<Value> = diagnostic
        .fixes
        .iter()
        .map(|fix| {
            let changes: Vec<Value> = fix
                .edits
                .iter()
                .map(|edit| {
                    let (path, range) = locate(files, edit.span);
                    json!({
                        "artifactLocation": {"uri": uri(&path)},
                        "replacements": [{"deletedRegion": region(range), "insertedContent": {"text": edit.text}}],
                    })
                })
                .collect();
            json!({"description": {"text": fix.title}, "artifactChanges": changes})
        })
        .collect();
    let mut result = json!({
        "ruleId": diagnostic.rule.code,
        "ruleIndex": rules.iter().position(|r| *r == diagnostic.rule),
        "level": level(diagnostic.severity),
        "message": {"text": text},
        "locations": [{"physicalLocation": location(&path, range)}],
    });
    if !related.is_empty() {
        result["relatedLocations"] = related.into();
    }
    if !fixes.is_empty() {
        result["fixes"] = fixes.into();
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::tests::sample;

    #[test]
    fn results_point_to_their_rules() {
        let (files, diagnostics) = sample();
        let log: Value = serde_json::from_str(&sarif(&diagnostics, &files)).unwrap();
        let run = &log["runs"][0];
        let index = run["results"][0]["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], run["results"][0]["ruleId"]);
        let region = &run["results"][0]["locations"][0]["physicalLocation"]["region"];
        assert_eq!((&region["startLine"], &region["endColumn"]), (&json!(2), &json!(8)));
        assert_eq!(run["results"][0]["relatedLocations"][0]["message"]["text"], "the first is here");
    }

    #[test]
    fn paths_are_escaped() {
        assert_eq!(uri("a b/ü.zy"), "a%20b/%C3%BC.zy");
    }
}
