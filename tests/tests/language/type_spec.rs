//! `docs/types.md` is true: each of its blocks is checked, and has the types and findings that it says, and no others.

use zester_compiler::{
    diagnostic::{Severity, locate},
    infer,
};
use zester_tests::{Checked, archive, repository};

/// What a line of a block promises.
#[derive(Debug)]
enum Promise {
    /// The type of an expression that stands in the line.
    Type { expr: String, ty: String },
    /// A finding.
    Finding { severity: Severity, code: String, says: String },
}

/// The ```yaml blocks of the page, each with its first line.
fn blocks(page: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut current: Option<(usize, String)> = None;
    for (number, line) in page.lines().enumerate() {
        match (&mut current, line) {
            (None, "```yaml") => current = Some((number + 2, String::new())),
            (Some(_), "```") => found.extend(current.take()),
            (Some((_, body)), line) => {
                body.push_str(line);
                body.push('\n');
            }
            (None, _) => {}
        }
    }
    found
}

fn promise(line: &str) -> Option<Promise> {
    if let Some((_, said)) = line.split_once("# reveal: ") {
        let (expr, ty) = said
            .rsplit_once(": ")
            .filter(|_| !said.contains('{') || !said.ends_with('}'))
            .or_else(|| said.split_once(": "))?;
        return Some(Promise::Type { expr: expr.to_owned(), ty: ty.to_owned() });
    }
    for (mark, severity) in [("# error: ", Severity::Error), ("# warning: ", Severity::Warning)] {
        if let Some((_, said)) = line.split_once(mark) {
            let (code, says) = said.split_once(' ')?;
            return Some(Promise::Finding {
                severity,
                code: code.to_owned(),
                says: says.trim_matches('"').to_owned(),
            });
        }
    }
    None
}

#[test]
fn the_page_is_true() {
    let page = std::fs::read_to_string(repository().join("docs/types.md")).unwrap();
    let mut failures = String::new();
    let mut promises = 0;
    for (first, body) in blocks(&page) {
        let files = archive::files(&body, "states/example.zy");
        let checked = Checked::of(&files);
        let mut unexpected: Vec<_> = checked.report.diagnostics.iter().collect();
        for (path, text) in &files {
            for (number, line) in text.lines().enumerate() {
                let Some(promise) = promise(line) else { continue };
                promises += 1;
                let line_number = number as u32 + 1;
                match &promise {
                    Promise::Type { expr, ty } => {
                        let at =
                            line.find(expr.as_str()).unwrap_or_else(|| panic!("`{expr}` is not in `{line}`"));
                        let column = line[..at + expr.len()].chars().count() as u32 + 1;
                        let revealed = infer::reveal_at(
                            &checked.project,
                            Checked::registry(),
                            path,
                            line_number,
                            column,
                        )
                        .unwrap();
                        let found = revealed.map_or("nothing".to_owned(), |r| r.ty.to_string());
                        if found != *ty {
                            failures += &format!(
                                "block at {first}, {path}:{line_number}: `{expr}` is `{found}`, not `{ty}`\n"
                            );
                        }
                    }
                    Promise::Finding { severity, code, says } => {
                        let before = unexpected.len();
                        unexpected.retain(|d| {
                            let (file, range) = locate(checked.project.files(), d.span);
                            let here = file == path.as_str() && range.start.line as usize == number + 1;
                            let text = format!("{} {}", d.message, d.help.as_deref().unwrap_or_default());
                            !(here
                                && d.severity == *severity
                                && d.rule.code == code
                                && text.contains(says.as_str()))
                        });
                        if unexpected.len() == before {
                            failures += &format!(
                                "block at {first}, {path}:{line_number}: {promise:?} is not found\n"
                            );
                        }
                    }
                }
            }
        }
        if !unexpected.is_empty() {
            failures += &format!("block at {first}: not said there:\n{}", checked.lines());
        }
    }
    assert!(failures.is_empty(), "{failures}");
    assert!(promises > 30, "the page promises {promises} things");
}
