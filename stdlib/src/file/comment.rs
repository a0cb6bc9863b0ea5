//! `file.comment` and `file.uncomment`

use super::{
    backup::Backup,
    path, pattern,
    text::{self, Edit},
};
use crate::{Context, Failure, Plan, State};
use zester_compiler::types::{Path, Regex};
use zester_stdlib_derive::Arguments;

/// Makes comments of the lines that a regular expression finds.
#[derive(Arguments)]
#[state("file.comment")]
pub(crate) struct Comment {
    /// The file's path.
    #[arg(primary, alias = "path")]
    name: Path,
    /// Finds the lines, without a comment character.
    regex: Regex,
    /// What makes a line a comment.
    #[arg(default = "#")]
    char: String,
    /// Ending of the name of a copy of the old file; `false` for none.
    #[arg(default = ".bak")]
    backup: Backup,
    /// Whether it is no failure when no line is found.
    #[arg(default = false)]
    ignore_missing: bool,
    /// Whether the difference is shown.
    #[arg(default = true)]
    show_changes: bool,
}

/// Takes the comment character off the lines that a regular expression finds. Blanks behind it stay: they may indent the line.
#[derive(Arguments)]
#[state("file.uncomment")]
pub(crate) struct Uncomment {
    /// The file's path.
    #[arg(primary, alias = "path")]
    name: Path,
    /// Finds the lines, without the comment character.
    regex: Regex,
    /// What makes a line a comment.
    #[arg(default = "#")]
    char: String,
    /// Ending of the name of a copy of the old file; `false` for none.
    #[arg(default = ".bak")]
    backup: Backup,
    /// Whether it is no failure when no line is found.
    #[arg(default = false)]
    ignore_missing: bool,
    /// Whether the difference is shown.
    #[arg(default = true)]
    show_changes: bool,
}

/// What is behind the comment character, and the white space before it.
fn behind<'a>(line: &'a str, char: &str) -> Option<(&'a str, &'a str)> {
    let start = line.len() - line.trim_start().len();
    let (indent, rest) = line.split_at(start);
    rest.strip_prefix(char).map(|rest| (indent, rest))
}

/// Whether the pattern finds a text as it stands, or without leading blanks.
fn finds(regex: &fancy_regex::Regex, text: &str) -> Result<bool, Failure> {
    Ok(pattern::is_match(regex, text)? || pattern::is_match(regex, text.trim_start())?)
}

/// The lines that are found commented and not commented, and the text after the edit.
fn edit(old: &str, regex: &str, char: &str, comment: bool) -> Result<(bool, String), Failure> {
    let compiled = pattern::compile(regex, pattern::Flags::default())?;
    // Behind a comment character the text begins, also where the author left the anchor out.
    let anchored =
        pattern::compile(&format!("^(?:{})", regex.trim_start_matches('^')), pattern::Flags::default())?;
    let mut found = false;
    let mut new = String::with_capacity(old.len() + 16);
    for full in old.split_inclusive('\n') {
        let line = full.trim_end_matches(['\n', '\r']);
        let end = full.get(line.len()..).unwrap_or_default();
        match behind(line, char) {
            Some((indent, rest)) if finds(&anchored, rest)? => {
                found = true;
                if comment {
                    new.push_str(line);
                } else {
                    // Where the character is indented itself, the line keeps that place.
                    new.push_str(indent);
                    new.push_str(if indent.is_empty() { rest } else { rest.trim_start() });
                }
            }
            Some(_) => new.push_str(line),
            None if pattern::is_match(&compiled, line)? || !comment && finds(&anchored, line)? => {
                found = true;
                if comment {
                    new.push_str(char);
                }
                new.push_str(line);
            }
            None => new.push_str(line),
        }
        new.push_str(end);
    }
    Ok((found, new))
}

fn plan(
    cx: &Context,
    name: &str,
    regex: &str,
    char: &str,
    ignore_missing: bool,
    edited: Edit,
    comment: bool,
) -> Result<Plan<'static>, Failure> {
    let Some(old) = text::read(cx, &edited.path)? else {
        return text::missing(cx, &edited.path);
    };
    let (found, new) = edit(&old, regex, char, comment)?;
    if !found && !ignore_missing {
        // The file may come from a state that has not run yet.
        if cx.test {
            return Ok(Plan::unchanged(format!("`{regex}` is not found in `{name}`")));
        }
        return Err(Failure::new(format!(
            "`{regex}` is not found in `{name}`; `ignore_missing: true` accepts that"
        )));
    }
    edited.plan(cx, new)
}

impl State for Comment {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = path::absolute(cx, &self.name)?;
        let edited =
            Edit { backup: self.backup.clone(), show_changes: self.show_changes, ..Edit::new(target) };
        plan(cx, &self.name, &self.regex, &self.char, self.ignore_missing, edited, true)
    }
}

impl State for Uncomment {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = path::absolute(cx, &self.name)?;
        let edited =
            Edit { backup: self.backup.clone(), show_changes: self.show_changes, ..Edit::new(target) };
        plan(cx, &self.name, &self.regex, &self.char, self.ignore_missing, edited, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;
    use zester_compiler::types::Map;

    fn args(json: &str) -> Map {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn lines_are_commented_once_and_back() {
        let machine = FakeMachine::new();
        machine.files.put("/f", "deb http://x\n  deb-src y\n#deb z\nother\n");
        machine.converge::<Comment>(&args(r#"{"name": "/f", "regex": "^deb ", "backup": false}"#)).unwrap();
        assert_eq!(machine.files.text("/f"), "#deb http://x\n  deb-src y\n#deb z\nother\n");
        machine.converge::<Uncomment>(&args(r#"{"name": "/f", "regex": "^deb http"}"#)).unwrap();
        assert_eq!(machine.files.text("/f"), "deb http://x\n  deb-src y\n#deb z\nother\n");
    }

    #[test]
    fn blanks_around_the_character_and_other_characters() {
        let machine = FakeMachine::new();
        machine.files.put("/f", "  # key = 1\n; x\n");
        machine.converge::<Uncomment>(&args(r#"{"name": "/f", "regex": "key"}"#)).unwrap();
        machine.converge::<Uncomment>(&args(r#"{"name": "/f", "regex": "^x$", "char": ";"}"#)).unwrap();
        assert_eq!(machine.files.text("/f"), "  key = 1\n x\n");
    }

    #[test]
    fn what_was_indented_behind_the_character_is_found_again() {
        let machine = FakeMachine::new();
        machine.files.put("/f", "# list:\n#   - item\n");
        machine.converge::<Uncomment>(&args(r#"{"name": "/f", "regex": "^- item$"}"#)).unwrap();
        assert_eq!(machine.files.text("/f"), "# list:\n   - item\n");
    }

    #[test]
    fn what_is_not_there_is_named() {
        let machine = FakeMachine::new();
        machine.files.put("/f", "a\n");
        assert!(
            machine
                .converge::<Comment>(&args(r#"{"name": "/f", "regex": "b", "ignore_missing": true}"#))
                .is_ok()
        );
        let cx = machine.context();
        use zester_compiler::types::Arguments;
        let state = Comment::from_values(&args(r#"{"name": "/f", "regex": "b"}"#)).unwrap();
        let failure = State::plan(&state, &cx).err().unwrap();
        assert!(failure.message.starts_with("`b` is not found in `/f`"));
    }

    #[test]
    fn on_a_real_disk() {
        let machine = FakeMachine::on_disk();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        std::fs::write(&file, "a\nb\n").unwrap();
        machine
            .converge::<Comment>(&args(&format!(r#"{{"name": "{}", "regex": "^b"}}"#, file.display())))
            .unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"a\n#b\n");
        machine
            .converge::<Uncomment>(&args(&format!(r#"{{"name": "{}", "regex": "^b"}}"#, file.display())))
            .unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"a\nb\n");
    }
}
