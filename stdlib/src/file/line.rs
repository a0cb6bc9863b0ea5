//! `file.line`

use super::{
    attributes::{Attributes, FileMode},
    backup::Backup,
    desired::Desired,
    diff::Show,
    path, pattern, text,
};
use crate::{Context, Failure, Plan, State};
use zester_compiler::types::{Group, Path, User};
use zester_stdlib_derive::Arguments;

/// Makes sure that a line is (or is not) in a file, at a certain place.
///
/// `match`, `before` and `after` are fragments of lines or regular expressions.
#[derive(Arguments)]
#[state("file.line")]
pub(crate) struct Line {
    /// The file's path.
    #[arg(primary, alias = "path")]
    name: Path,
    /// The line.
    content: Option<String>,
    /// What is done: `ensure` the line at its place, `replace` the matching lines, `insert` it, `delete` the matching
    /// lines.
    #[arg(default = "ensure", one_of("ensure", "replace", "insert", "delete", "absent"))]
    mode: String,
    /// Finds the lines that are replaced or deleted; the content itself unless given.
    #[arg(name = "match")]
    pattern: Option<String>,
    /// The line goes before the one this finds.
    before: Option<String>,
    /// The line goes behind the one this finds.
    after: Option<String>,
    /// The line goes to the `start` or `end` of the file.
    #[arg(one_of("start", "end"))]
    location: Option<String>,
    /// Whether the line takes over the indentation of its neighbour, or of the line it replaces.
    #[arg(default = true)]
    indent: bool,
    /// Whether a missing file is made.
    #[arg(default = false)]
    create: bool,
    /// Owner of the file, when it is made.
    user: Option<User>,
    /// Group of the file, when it is made.
    group: Option<Group>,
    /// Permission bits of the file, when it is made.
    file_mode: Option<FileMode>,
    /// Keeps a copy of the old file: `true`, or a suffix.
    backup: Backup,
    /// Whether the difference is shown.
    #[arg(default = true)]
    show_changes: bool,
    /// Whether finding nothing is no failure.
    #[arg(default = false)]
    quiet: bool,
}

impl State for Line {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = path::absolute(cx, &self.name)?;
        let old = text::read(cx, &target)?;
        let exists = old.is_some();
        let old = match old {
            Some(old) => old,
            None if self.create => String::new(),
            None if self.quiet => return Ok(Plan::unchanged(format!("`{target}` does not exist"))),
            None => return text::missing(cx, &target),
        };
        let new = match self.edit(&old) {
            Ok(new) => new,
            Err(_) if self.quiet => old,
            Err(failure) => return Err(failure),
        };
        let mode = self.file_mode.and_then(FileMode::bits);
        let attributes = if exists {
            Attributes::default()
        } else {
            Attributes::resolve(cx, self.user.as_deref(), self.group.as_deref(), mode)?
        };
        let show = match (cx.is_secret("content"), self.show_changes) {
            (true, _) => Show::Secret,
            (false, true) => Show::Diff,
            (false, false) => Show::Hidden,
        };
        Desired {
            attributes,
            backup: self.backup.clone(),
            show,
            ..Desired::content(target, new.into_bytes())
        }
        .plan(cx)
    }
}

/// The lines that a fragment or a regular expression finds.
fn find(lines: &[String], wanted: &str) -> Result<Vec<usize>, Failure> {
    let compiled = pattern::compile(wanted, pattern::Flags::default()).ok();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let hit = line.contains(wanted)
            || match &compiled {
                Some(compiled) => pattern::is_match(compiled, line)?,
                None => false,
            };
        if hit {
            found.push(index);
        }
    }
    Ok(found)
}

fn indentation(line: &str) -> &str {
    line.get(..line.len() - line.trim_start().len()).unwrap_or_default()
}

impl Line {
    fn content(&self) -> Result<&str, Failure> {
        match self.content.as_deref().map(|c| c.trim_end_matches(['\n', '\r'])) {
            Some(content) if !content.contains('\n') => Ok(content),
            Some(_) => Err(Failure::new(
                "`content` has several lines; `file.line` is about one, `file.blockreplace` about several",
            )),
            None => Err(Failure::new(format!("`mode: {}` needs `content`: the line", self.mode))),
        }
    }

    fn edit(&self, old: &str) -> Result<String, Failure> {
        let mut lines: Vec<String> = old.lines().map(str::to_owned).collect();
        match self.mode.as_str() {
            "delete" | "absent" => {
                let wanted = self.wanted()?;
                let gone = find(&lines, wanted)?;
                let mut index = 0;
                lines.retain(|_| {
                    index += 1;
                    !gone.contains(&(index - 1))
                });
            }
            "replace" => {
                let content = self.content()?;
                for index in find(&lines, self.wanted()?)? {
                    if let Some(line) = lines.get_mut(index) {
                        *line = self.indented(content, line);
                    }
                }
            }
            "insert" => self.insert(&mut lines)?,
            _ => self.ensure(&mut lines)?,
        }
        if lines.is_empty() {
            return Ok(String::new());
        }
        // A last line without a newline stays so, unless something was put behind it.
        let newline =
            old.is_empty() || old.ends_with('\n') || old.lines().last() != lines.last().map(String::as_str);
        Ok(lines.join("\n") + if newline { "\n" } else { "" })
    }

    /// What finds lines: `match`, else the content.
    fn wanted(&self) -> Result<&str, Failure> {
        match self.pattern.as_deref().filter(|p| !p.is_empty()) {
            Some(pattern) => Ok(pattern),
            None => self.content.as_deref().map(str::trim).filter(|c| !c.is_empty()).ok_or_else(|| {
                Failure::new(format!("`mode: {}` needs `match` or `content` to find lines by", self.mode))
            }),
        }
    }

    fn indented(&self, content: &str, neighbour: &str) -> String {
        if self.indent {
            format!("{}{}", indentation(neighbour), content.trim_start())
        } else {
            content.to_owned()
        }
    }

    /// The one line that `before` or `after` finds.
    fn anchor(&self, lines: &[String], parameter: &str, wanted: &str) -> Result<usize, Failure> {
        match find(lines, wanted)?.as_slice() {
            [single] => Ok(*single),
            [] => Err(Failure::new(format!("`{parameter}: {wanted}` finds no line in `{}`", self.name))),
            several => Err(Failure::new(format!(
                "`{parameter}: {wanted}` finds {} lines in `{}`; it has to find one",
                several.len(),
                self.name
            ))),
        }
    }

    fn insert(&self, lines: &mut Vec<String>) -> Result<(), Failure> {
        let content = self.content()?;
        let is_content = |line: Option<&String>| line.is_some_and(|l| l.trim() == content.trim());
        match (self.location.as_deref(), &self.before, &self.after) {
            (Some("start"), ..) => {
                if !is_content(lines.first()) {
                    lines.insert(0, content.to_owned());
                }
            }
            (Some(_), ..) => {
                if !is_content(lines.last()) {
                    lines.push(content.to_owned());
                }
            }
            (None, Some(_), Some(_)) => self.between(lines, content)?,
            (None, Some(before), None) => {
                let at = self.anchor(lines, "before", before)?;
                if !is_content(at.checked_sub(1).and_then(|i| lines.get(i))) {
                    let line = lines.get(at).map(|l| self.indented(content, l)).unwrap_or_default();
                    lines.insert(at, line);
                }
            }
            (None, None, Some(after)) => {
                let at = self.anchor(lines, "after", after)?;
                if !is_content(lines.get(at + 1)) {
                    let line = lines.get(at).map(|l| self.indented(content, l)).unwrap_or_default();
                    lines.insert(at + 1, line);
                }
            }
            (None, None, None) => {
                return Err(Failure::new(
                    "`mode: insert` needs a place: `before`, `after`, or `location: start` or `end`",
                ));
            }
        }
        Ok(())
    }

    fn between(&self, lines: &mut Vec<String>, content: &str) -> Result<(), Failure> {
        let (Some(before), Some(after)) = (&self.before, &self.after) else { return Ok(()) };
        let first = self.anchor(lines, "after", after)?;
        let last = self.anchor(lines, "before", before)?;
        if last <= first {
            return Err(Failure::new(format!(
                "In `{}` the line of `before` does not come behind that of `after`",
                self.name
            )));
        }
        let inside = lines.get(first + 1..last).unwrap_or_default();
        if inside.iter().any(|l| l.trim() == content.trim()) {
            return Ok(());
        }
        let hits = match &self.pattern {
            Some(pattern) => find(inside, pattern)?,
            None => Vec::new(),
        };
        if let (Some(hit), 1) = (hits.first(), hits.len()) {
            if let Some(line) = lines.get_mut(first + 1 + hit) {
                *line = self.indented(content, line);
            }
            return Ok(());
        }
        if self.mode == "ensure" && inside.len() > 1 {
            return Err(Failure::new(format!(
                "In `{}` there are {} lines between `after` and `before`, and none of them is the content",
                self.name,
                inside.len()
            )));
        }
        let neighbour = lines.get(first).cloned().unwrap_or_default();
        let line = self.indented(content, &neighbour);
        if self.mode == "ensure" && inside.len() == 1 {
            if let Some(old) = lines.get_mut(first + 1) {
                *old = line;
            }
        } else {
            lines.insert(first + 1, line);
        }
        Ok(())
    }

    fn ensure(&self, lines: &mut Vec<String>) -> Result<(), Failure> {
        let content = self.content()?;
        if self.before.is_some() && self.after.is_some() {
            return self.between(lines, content);
        }
        if let Some(pattern) = &self.pattern {
            let found = find(lines, pattern)?;
            if !found.is_empty() {
                for index in found {
                    if let Some(line) = lines.get_mut(index) {
                        *line = self.indented(content, line);
                    }
                }
                return Ok(());
            }
        }
        if self.before.is_none() && self.after.is_none() && self.location.is_none() {
            if lines.iter().any(|l| l.trim() == content.trim()) {
                return Ok(());
            }
            return Err(Failure::new(
                "`mode: ensure` needs a place for a line that is not there: `before`, `after`, or `location: start` or `end`",
            ));
        }
        self.insert(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;
    use zester_compiler::types::{Arguments, Map};

    fn args(json: &str) -> Map {
        serde_json::from_str(json).unwrap()
    }

    fn run(text: &str, json: &str) -> String {
        let machine = FakeMachine::new();
        machine.files.put("/f", text);
        let mut all = args(json);
        all.insert("name".into(), "/f".into());
        match machine.converge::<Line>(&all) {
            Ok(_) => machine.files.text("/f"),
            Err(failure) => failure.message,
        }
    }

    #[test]
    fn a_line_is_ensured_at_its_place_with_its_neighbours_indentation() {
        let text = "[a]\n  x = 1\n[b]\n";
        assert_eq!(run(text, r#"{"content": "y = 2", "after": "x = "}"#), "[a]\n  x = 1\n  y = 2\n[b]\n");
        assert_eq!(run(text, r#"{"content": "y = 2", "before": "x = "}"#), "[a]\n  y = 2\n  x = 1\n[b]\n");
        assert_eq!(
            run(text, r#"{"content": "x = 2", "after": "\\[a\\]", "before": "\\[b\\]", "indent": false}"#),
            "[a]\nx = 2\n[b]\n"
        );
        assert_eq!(run(text, r#"{"content": "x = 5", "match": "^\\s*x ="}"#), "[a]\n  x = 5\n[b]\n");
        assert!(run(text, r#"{"content": "y", "after": "none"}"#).contains("`after: none` finds no line"));
        assert!(run(text, r#"{"content": "y", "after": "["}"#).contains("finds 2 lines"));
        assert!(run(text, r#"{"content": "y"}"#).contains("needs a place"));
    }

    #[test]
    fn lines_are_inserted_replaced_and_deleted() {
        assert_eq!(run("a\nb", r#"{"content": "c", "mode": "insert", "location": "end"}"#), "a\nb\nc\n");
        assert_eq!(run("a\n", r#"{"content": "c", "mode": "insert", "location": "start"}"#), "c\na\n");
        assert_eq!(
            run("a=1\nb=1\n", r#"{"content": "a=2", "match": "a=", "mode": "replace"}"#),
            "a=2\nb=1\n"
        );
        assert_eq!(run("a=1\nb=1\nca=\n", r#"{"match": "^a", "mode": "delete"}"#), "b=1\nca=\n");
        assert_eq!(run("a\nb\n", r#"{"content": "b", "mode": "delete"}"#), "a\n");
    }

    #[test]
    fn a_missing_file() {
        let machine = FakeMachine::new();
        let wanted =
            r#"{"name": "/f", "content": "a", "location": "end", "create": true, "file_mode": "0600"}"#;
        machine.converge::<Line>(&args(wanted)).unwrap();
        assert_eq!(machine.files.text("/f"), "a\n");
        let state = Line::from_values(&args(r#"{"name": "/g", "content": "a"}"#)).unwrap();
        assert!(state.plan(&machine.context()).err().unwrap().message.contains("`/g` does not exist"));
    }

    #[test]
    fn on_a_real_disk() {
        let machine = FakeMachine::on_disk();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        std::fs::write(&file, "a\nc\n").unwrap();
        machine
            .converge::<Line>(&args(&format!(
                r#"{{"name": "{}", "content": "b", "after": "^a"}}"#,
                file.display()
            )))
            .unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"a\nb\nc\n");
    }
}
