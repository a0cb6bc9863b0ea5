//! `tests/nats-checklist.md` tells the truth: each threat has its row, each test that a row names exists, and no row says nothing.

use std::{collections::BTreeSet, fs};
use zester_tests::{entry::ENTRIES, repository};

/// Whether a file has a test of this name: an attribute that makes it one stands above it.
fn is_test(text: &str, function: &str) -> bool {
    let head = format!("fn {function}(");
    let mut lines = text.lines();
    let mut attribute = false;
    lines.any(|line| {
        let line = line.trim_start();
        let found = attribute && line.contains(&head);
        attribute = line.starts_with("#[test]")
            || line.starts_with("#[tokio::test")
            || (attribute && (line.starts_with("#[") || line.starts_with("///")));
        found
    })
}

#[test]
fn every_threat_has_its_tests_and_every_test_exists() {
    let page = fs::read_to_string(repository().join("tests/nats-checklist.md")).unwrap();
    let (mut seen, mut wrong, mut named) = (Vec::new(), String::new(), 0);
    for line in
        page.lines().filter(|l| l.starts_with("| ") && l.as_bytes().get(2).is_some_and(u8::is_ascii_digit))
    {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [number, threat, tests] = cells.as_slice() else { panic!("a row has three cells: {line}") };
        seen.push(number.parse::<u32>().unwrap());
        assert!(!threat.is_empty(), "{line}");
        let mut any = tests.contains("– ");
        for word in tests.split('`').skip(1).step_by(2) {
            let Some((file, function)) = word.split_once('#') else {
                panic!("`{word}` is no `file#function`")
            };
            let text = fs::read_to_string(repository().join(file)).unwrap_or_default();
            // The tests of the entries are made by a macro.
            let made = file == "tests/tests/language/fuzzed.rs" && ENTRIES.iter().any(|e| e.name == function);
            if !made && !is_test(&text, function) {
                wrong.push_str(&format!("{number}: {file} has no test `{function}`\n"));
            }
            any = true;
            named += 1;
        }
        assert!(any, "{number} names no test and no reason");
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(seen, (1..=76).collect::<Vec<_>>());
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 76);
    assert!(named > 76, "{named}");
}

#[test]
fn a_function_is_a_test_only_with_its_attribute() {
    let text =
        "#[test]\nfn a() {}\nfn b() {}\n#[tokio::test(flavor = \"x\")]\n#[cfg(unix)]\nasync fn c() {}\n";
    assert!(is_test(text, "a") && !is_test(text, "b") && is_test(text, "c"));
}
