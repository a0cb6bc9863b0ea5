//! The JSON document of `zester check` has the shape that `docs/schemas/check.json` promises.

use serde_json::Value;
use std::fs;
use zester_compiler::diagnostic::{json, json_error};
use zester_tests::{Checked, repository};

/// What of a value breaks a schema. Knows the words that our schemas use, and no others.
fn problems(schema: &Value, root: &Value, value: &Value, at: &str, out: &mut Vec<String>) {
    let Value::Object(words) = schema else { panic!("a schema is a map") };
    for (word, rule) in words {
        match word.as_str() {
            "$schema" | "title" | "description" | "$defs" | "pattern" => {}
            "$ref" => {
                let name = rule.as_str().unwrap().trim_start_matches("#/$defs/");
                problems(&root["$defs"][name], root, value, at, out);
            }
            "oneOf" => {
                let fitting = rule.as_array().unwrap().iter().filter(|s| {
                    let mut found = Vec::new();
                    problems(s, root, value, at, &mut found);
                    found.is_empty()
                });
                if fitting.count() != 1 {
                    out.push(format!("{at}: not exactly one alternative fits"));
                }
            }
            "type" => {
                let is = |name: &str| match name {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "null" => value.is_null(),
                    other => panic!("type {other} is not known to this test"),
                };
                let fits = match rule {
                    Value::String(name) => is(name),
                    Value::Array(names) => names.iter().any(|n| is(n.as_str().unwrap())),
                    _ => false,
                };
                if !fits {
                    out.push(format!("{at}: {value} is no {rule}"));
                }
            }
            "enum" if !rule.as_array().unwrap().contains(value) => {
                out.push(format!("{at}: {value} is not among {rule}"));
            }
            "enum" => {}
            "minimum" if value.as_i64() < rule.as_i64() => out.push(format!("{at}: {value} is too small")),
            "minimum" => {}
            "required" => {
                for name in rule.as_array().unwrap() {
                    if value.get(name.as_str().unwrap()).is_none() {
                        out.push(format!("{at}: {name} is missing"));
                    }
                }
            }
            "properties" => {
                for (name, inner) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        problems(inner, root, value, &format!("{at}.{name}"), out);
                    }
                }
                if let Some(map) = value.as_object() {
                    for name in map.keys().filter(|n| !rule.as_object().unwrap().contains_key(*n)) {
                        out.push(format!("{at}: {name} is not in the schema"));
                    }
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    problems(rule, root, item, &format!("{at}[{index}]"), out);
                }
            }
            other => panic!("{other} is not known to this test"),
        }
    }
}

fn check(text: &str) {
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(repository().join("docs/schemas/check.json")).unwrap())
            .unwrap();
    let value: Value = serde_json::from_str(text).unwrap();
    let mut found = Vec::new();
    problems(&schema, &schema, &value, "document", &mut found);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_report_has_the_promised_shape() {
    let files =
        [("states/a.zy".to_owned(), "nginx:\n  pgk.installed: []\nnginx:\n  test.nop: []\n".to_owned())];
    let checked = Checked::of(&files);
    assert!(checked.report.diagnostics.len() >= 2, "{}", checked.lines());
    check(&json(&checked.report.diagnostics, checked.project.files(), checked.report.counts));
}

#[test]
fn a_failure_has_the_promised_shape() {
    check(&json_error("there is no such path"));
}
