//! `docs/diagnostics/` is the rules' own documentation, and its examples are true.
//!
//! `UPDATE=1 cargo test -p zester-tests --test language diagnostic_pages::` writes the pages anew.

use std::{collections::BTreeMap, fs};
use zester_compiler::diagnostic::{
    Rule,
    catalogue::{self, catalogue},
};
use zester_tests::{Checked, FOUND_ELSEWHERE, archive, repository};

fn pages() -> BTreeMap<String, String> {
    let mut pages: BTreeMap<String, String> =
        catalogue().iter().map(|rule| (format!("{}.md", rule.code), catalogue::page(rule))).collect();
    pages.insert("README.md".to_owned(), catalogue::index());
    pages
}

#[test]
fn pages_are_not_stale() {
    let dir = repository().join("docs/diagnostics");
    let pages = pages();
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(&dir).unwrap();
        for (name, text) in &pages {
            fs::write(dir.join(name), text).unwrap();
        }
    }
    for (name, text) in &pages {
        let found = fs::read_to_string(dir.join(name)).unwrap_or_default();
        assert!(found == *text, "docs/diagnostics/{name} is stale; run this test with UPDATE=1");
    }
    for entry in fs::read_dir(&dir).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(pages.contains_key(&name), "docs/diagnostics/{name} belongs to no rule");
    }
}

/// The ```yaml blocks of a page, with the word behind the language.
fn examples(rule: &Rule) -> Vec<(String, String)> {
    let text = rule.page_text();
    let mut found = Vec::new();
    let mut current: Option<(String, String)> = None;
    for line in text.lines() {
        match (&mut current, line.strip_prefix("```")) {
            (None, Some(info)) => current = Some((info.trim().to_owned(), String::new())),
            (Some(_), Some(_)) => found.extend(current.take()),
            (Some((_, body)), None) => {
                body.push_str(line);
                body.push('\n');
            }
            (None, None) => {}
        }
    }
    found.retain(|(info, _)| info.split_whitespace().next() == Some("yaml"));
    found
}

/// Where an example without file names belongs.
fn default_path(rule: &Rule, body: &str) -> &'static str {
    if rule.code.starts_with("Z05") && !body.contains("salt[") {
        "settings/common.zy"
    } else if body.starts_with("base:") {
        "states/top.zy"
    } else {
        "states/example.zy"
    }
}

#[test]
fn examples_are_true() {
    let mut failures = String::new();
    for rule in catalogue() {
        if FOUND_ELSEWHERE.contains(&rule.name) {
            continue;
        }
        for (index, (info, body)) in examples(rule).into_iter().enumerate() {
            let right = info.ends_with("right") || (index > 0 && !info.ends_with("wrong"));
            let checked = Checked::of(&archive::files(&body, default_path(rule, &body)));
            let found = checked.report.diagnostics.iter().any(|d| d.rule == *rule);
            if found == right {
                let what =
                    if right { "the right example gives it" } else { "the wrong example does not give it" };
                failures.push_str(&format!(
                    "== {} {}: {what}\n{body}{}",
                    rule.code,
                    rule.name,
                    checked.lines()
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}
