//! `file.replace`

use super::{
    backup::Backup,
    path, pattern,
    text::{self, Edit},
};
use crate::{Context, Failure, Plan, State};
use zester_compiler::types::{Path, Regex, Value};
use zester_stdlib_derive::Arguments;

/// Replaces what a regular expression finds in a file.
///
/// The expression is Python's, with `MULTILINE` unless `flags` says otherwise; the replacement knows `\1` and
/// `\g<name>`. For a second run to have nothing to do, the replacement must not match so that it changes again.
#[derive(Arguments)]
#[state("file.replace")]
pub(crate) struct Replace {
    /// The file's path.
    #[arg(primary, alias = "path")]
    name: Path,
    /// What is looked for.
    pattern: Regex,
    /// What it is replaced by.
    #[arg(default = "")]
    repl: String,
    /// How many are replaced at most; 0 for all.
    #[arg(default = 0_i64)]
    count: usize,
    /// Flags of Python's `re`: names such as `IGNORECASE`, or their sum.
    #[arg(ty = Type::List(Box::new(Type::Str)))]
    flags: Option<Vec<String>>,
    /// How much of the file is looked at at once; it is always the whole, Salt's `file`.
    #[arg(ty = Type::Str)]
    #[expect(dead_code, reason = "accepted for what it means in Salt, which is what always happens here")]
    bufsize: Option<Value>,
    /// Whether `repl` (or `not_found_content`) is put at the end when nothing is found.
    #[arg(default = false)]
    append_if_not_found: bool,
    /// Whether `repl` (or `not_found_content`) is put at the beginning when nothing is found.
    #[arg(default = false)]
    prepend_if_not_found: bool,
    /// What is put there instead of `repl`.
    not_found_content: Option<String>,
    /// Ending of the name of a copy of the old file; `false` for none.
    #[arg(default = ".bak")]
    backup: Backup,
    /// Whether the state only says if something is found.
    #[arg(default = false)]
    search_only: bool,
    /// Whether the difference is shown.
    #[arg(default = true)]
    show_changes: bool,
    /// Whether a missing file is no failure.
    #[arg(default = false)]
    ignore_if_missing: bool,
    /// Whether backslashes in `repl` are only backslashes.
    #[arg(default = false)]
    backslash_literal: bool,
    /// Encoding of the file.
    #[arg(inert = "files are read as UTF-8")]
    encoding: Option<String>,
    /// Whether a file that is not there is made by `append_if_not_found`.
    #[arg(
        inert = "a missing file is a failure unless `ignore_if_missing` is set; make it by `file.managed`"
    )]
    create: Option<bool>,
}

/// How the pattern is read; unless said otherwise, lines begin and end in the middle of a text.
fn flags(words: Option<&Vec<String>>) -> Result<pattern::Flags, Failure> {
    words.map_or(Ok(pattern::Flags::MULTI_LINE), |words| pattern::Flags::read(words))
}

/// Whether a pattern finds something in a file that is there.
pub(crate) fn finds(
    cx: &Context,
    path: &str,
    wanted: &str,
    words: Option<&Vec<String>>,
) -> Result<bool, Failure> {
    let Some(text) = text::read(cx, &path::absolute(cx, path)?)? else {
        return Err(Failure::new(format!("`{path}` does not exist")));
    };
    pattern::is_match(&pattern::compile(wanted, flags(words)?)?, &text)
}

impl State for Replace {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = path::absolute(cx, &self.name)?;
        let compiled = pattern::compile(&self.pattern, flags(self.flags.as_ref())?)?;
        let Some(old) = text::read(cx, &target)? else {
            if self.ignore_if_missing {
                return Ok(Plan::unchanged(format!("`{target}` does not exist")));
            }
            return text::missing(cx, &target);
        };
        let found = pattern::is_match(&compiled, &old)?;
        if self.search_only {
            let said = if found { "is" } else { "is not" };
            return Ok(Plan::unchanged(format!("`{}` {said} found in `{target}`", self.pattern)));
        }
        let new = if found {
            let expand = |c: &fancy_regex::Captures<'_>| {
                if self.backslash_literal { Ok(self.repl.clone()) } else { pattern::expand(&self.repl, c) }
            };
            pattern::substitute(&old, &compiled, &expand, self.count)?
        } else {
            self.added(&old)
        };
        let edit = Edit {
            backup: self.backup.clone(),
            show_changes: self.show_changes,
            secret: &["repl", "not_found_content"],
            ..Edit::new(target)
        };
        edit.plan(cx, new)
    }
}

impl Replace {
    /// The text with the content put in that was not found; the text itself when it is there already.
    fn added(&self, old: &str) -> String {
        if !self.append_if_not_found && !self.prepend_if_not_found {
            return old.to_owned();
        }
        let content = self.not_found_content.as_ref().unwrap_or(&self.repl);
        let content = content.trim_end_matches('\n');
        // The pattern need not match what was added; the content itself shows that it was.
        if text::contains(old, content, false) {
            return old.to_owned();
        }
        if self.prepend_if_not_found {
            return format!("{content}\n{old}");
        }
        let gap = if old.is_empty() || old.ends_with('\n') { "" } else { "\n" };
        format!("{old}{gap}{content}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{FileSystem, fake::FakeMachine};
    use zester_compiler::types::{Arguments, Map};

    fn args(json: &str) -> Map {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn every_line_with_groups() {
        let machine = FakeMachine::new();
        machine.files.put("/f", "#Port 22\nHost a\n#Port 22\n");
        machine
            .converge::<Replace>(&args(
                r#"{"name": "/f", "pattern": "^#?(Port).*$", "repl": "\\1 2222", "backup": false}"#,
            ))
            .unwrap();
        assert_eq!(machine.files.text("/f"), "Port 2222\nHost a\nPort 2222\n");
        assert_eq!(machine.files.list("/").unwrap(), ["f", "tmp"]);
    }

    #[test]
    fn count_flags_and_backup() {
        let machine = FakeMachine::new();
        machine.files.put("/f", "A\nx\n");
        machine
            .converge::<Replace>(&args(
                r#"{"name": "/f", "pattern": "a", "repl": "b", "count": 1, "flags": ["IGNORECASE"]}"#,
            ))
            .unwrap();
        assert_eq!(
            (machine.files.text("/f").as_str(), machine.files.text("/f.bak").as_str()),
            ("b\nx\n", "A\nx\n")
        );
    }

    #[test]
    fn what_is_not_found_is_put_in_once() {
        let machine = FakeMachine::new();
        machine.files.put("/f", "a");
        machine
            .converge::<Replace>(&args(
                r#"{"name": "/f", "pattern": "^x=.*", "repl": "x=1", "append_if_not_found": true}"#,
            ))
            .unwrap();
        machine
            .converge::<Replace>(&args(
                r#"{"name": "/f", "pattern": "nowhere", "repl": "", "not_found_content": "top", "prepend_if_not_found": true}"#,
            ))
            .unwrap();
        assert_eq!(machine.files.text("/f"), "top\na\nx=1\n");
    }

    #[test]
    fn a_missing_file_and_a_wrong_pattern_are_named() {
        let machine = FakeMachine::new();
        let cx = machine.context();
        let plan = |json: &str| {
            Replace::from_values(&args(json)).unwrap().plan(&cx).map(|_| ()).map_err(|f| f.message)
        };
        assert_eq!(
            plan(r#"{"name": "/f", "pattern": "a"}"#).unwrap_err(),
            "`/f` does not exist, so there is nothing to edit"
        );
        assert!(plan(r#"{"name": "/f", "pattern": "a", "ignore_if_missing": true}"#).is_ok());
        assert!(plan(r#"{"name": "/f", "pattern": "a("}"#).unwrap_err().contains("`a(` is wrong"));
    }

    #[test]
    fn on_a_real_disk() {
        let machine = FakeMachine::on_disk();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        std::fs::write(&file, "a=1\n").unwrap();
        machine
            .converge::<Replace>(&args(&format!(
                r#"{{"name": "{}", "pattern": "^a=.*$", "repl": "a=2"}}"#,
                file.display()
            )))
            .unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"a=2\n");
        assert_eq!(std::fs::read(dir.path().join("f.bak")).unwrap(), b"a=1\n");
    }
}
