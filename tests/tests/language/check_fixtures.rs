//! Every fixture below `tests/fixtures/check/` gives the findings written in it, and no others.

use std::fs;
use zester_tests::{Checked, archive, expectation, repository};

fn fixtures() -> Vec<(String, String)> {
    let dir = repository().join("tests/fixtures/check");
    let mut found: Vec<(String, String)> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

#[test]
fn fixtures_give_what_they_say() {
    let mut failures = String::new();
    for (name, text) in fixtures() {
        let files = archive::files(&text, "states/fixture.zy");
        let checked = Checked::of(&files);
        let mut expected: Vec<_> =
            files.iter().flat_map(|(path, content)| expectation::read(path, content)).collect();
        let mut unexpected = Vec::new();
        for diagnostic in &checked.report.diagnostics {
            match expected.iter().position(|e| e.fits(diagnostic, checked.project.files())) {
                Some(index) => {
                    expected.remove(index);
                }
                None => unexpected.push(diagnostic.rule.code),
            }
        }
        if !expected.is_empty() || !unexpected.is_empty() {
            failures.push_str(&format!("== {name}\n"));
            for expectation in &expected {
                failures.push_str(&format!("  not found: {expectation:?}\n"));
            }
            failures.push_str(&format!("  unexpected: {unexpected:?}\n{}", checked.lines()));
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

/// A file is half-typed most of its life: each fixture, cut at every byte, is checked without panic.
#[test]
fn fixtures_cut_anywhere_are_survived() {
    for (name, text) in fixtures() {
        let files = archive::files(&text, "states/fixture.zy");
        for (index, (path, content)) in files.iter().enumerate() {
            for cut in (0..content.len()).filter(|c| content.is_char_boundary(*c)) {
                // Long fixtures are cut at fewer places, so that the suite stays quick.
                if content.len() > 400 && cut % 3 != 0 {
                    continue;
                }
                let mut files = files.clone();
                files[index].1 = content[..cut].to_owned();
                if std::path::Path::new(path.as_str()).extension().is_some_and(|e| e == "yaml") {
                    continue;
                }
                let checked = Checked::of(&files);
                for diagnostic in &checked.report.diagnostics {
                    let file = checked.project.files().get(diagnostic.span.file);
                    assert!(
                        file.text.get(diagnostic.span.range()).is_some(),
                        "{name}, cut at {cut}: {} at {:?} is not at characters of {}",
                        diagnostic.rule.code,
                        diagnostic.span,
                        file.path
                    );
                }
            }
        }
    }
}

/// Each rule has a fixture that shows its code.
#[test]
fn every_rule_has_a_fixture() {
    let all: String = fixtures().into_iter().map(|(_, text)| text).collect();
    let missing: Vec<&str> = zester_compiler::diagnostic::catalogue()
        .iter()
        .filter(|rule| !zester_tests::FOUND_ELSEWHERE.contains(&rule.name))
        .filter(|rule| !all.contains(rule.code))
        .map(|rule| rule.name)
        .collect();
    assert!(missing.is_empty(), "no fixture for {missing:?}");
}
