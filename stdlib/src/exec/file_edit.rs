//! `file.*` functions that edit texts: the states of these names do the work, so a call and a state agree.

use crate::{Context, Library, State, file::edits};
use zester_compiler::types::{Map, Path, Regex, Value};

/// Arguments of a state: what is not given keeps the state's own default.
fn arguments<const N: usize>(given: [(&str, Option<Value>); N]) -> Map {
    given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// Runs a state unless `dry_run`; gives the difference where it is shown, else whether there is one.
pub(super) fn edit<S: State>(cx: &Context, arguments: &Map, dry_run: bool) -> Result<Value, String> {
    let state = S::from_values(arguments)?;
    let plan = state.plan(cx).map_err(|f| f.message)?;
    if let Some(failure) = plan.failure {
        return Err(failure.message);
    }
    let shown = arguments.get("show_changes") != Some(&Value::Bool(false));
    let diff = plan.changes.get("diff").filter(|_| shown).cloned();
    let result = diff.unwrap_or_else(|| Value::Bool(!plan.changes.is_empty()));
    if let Some(apply) = plan.apply.filter(|_| !dry_run) {
        apply(cx).map_err(|f| f.message)?;
    }
    Ok(result)
}

fn text(value: &str) -> Option<Value> {
    Some(value.into())
}

exec! {
    /// Replaces what a regular expression finds in a file; gives the difference, false where there is none.
    "file.replace" mutating Replace {
        /// The file.
        path: Path,
        /// What is looked for.
        pattern: Regex,
        /// What it is replaced by.
        repl: String,
        /// How many are replaced at most; 0 for all.
        #[arg(default = 0_i64)]
        count: i64,
        /// Flags of Python's `re`: names such as `IGNORECASE`, or their sum.
        flags: Option<Vec<String>>,
        /// How much is looked at at once.
        #[arg(inert = "the whole file is looked at")]
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
        backup: Option<Value>,
        /// Whether the file stays as it is.
        #[arg(default = false)]
        dry_run: bool,
        /// Whether it is only said if something is found.
        #[arg(default = false)]
        search_only: bool,
        /// Whether the difference is given.
        #[arg(default = true)]
        show_changes: bool,
        /// Whether a missing file is no error.
        #[arg(default = false)]
        ignore_if_missing: bool,
        /// Whether the file keeps its inode.
        #[arg(inert = "a file is replaced as one step, so that no half of it is ever seen")]
        preserve_inode: Option<bool>,
        /// Whether backslashes in `repl` are only backslashes.
        #[arg(default = false)]
        backslash_literal: bool,
    } |it, cx| {
        if it.search_only {
            let found = edits::finds(cx, &it.path, &it.pattern, it.flags.as_ref());
            return found.map(Value::Bool).map_err(|f| f.message);
        }
        edit::<edits::Replace>(cx, &arguments([
            ("name", text(&it.path)),
            ("pattern", text(&it.pattern)),
            ("repl", text(&it.repl)),
            ("count", Some(it.count.into())),
            ("flags", it.flags.clone().map(Value::from)),
            ("append_if_not_found", Some(it.append_if_not_found.into())),
            ("prepend_if_not_found", Some(it.prepend_if_not_found.into())),
            ("not_found_content", it.not_found_content.clone().map(Value::from)),
            ("backup", it.backup.clone()),
            ("show_changes", Some(it.show_changes.into())),
            ("ignore_if_missing", Some(it.ignore_if_missing.into())),
            ("backslash_literal", Some(it.backslash_literal.into())),
        ]), it.dry_run)
    }
}

/// Comments lines out or in.
fn comment(
    cx: &Context,
    path: &str,
    regex: &str,
    char: &str,
    backup: Option<&Value>,
    on: bool,
) -> Result<Value, String> {
    let arguments = arguments([
        ("name", text(path)),
        ("regex", text(regex)),
        ("char", text(char)),
        ("backup", backup.cloned()),
    ]);
    if on {
        edit::<edits::Comment>(cx, &arguments, false)
    } else {
        edit::<edits::Uncomment>(cx, &arguments, false)
    }
}

exec! {
    /// Makes comments of the lines that a regular expression finds, or takes the comment character off; gives the difference.
    "file.comment_line" mutating CommentLine {
        /// The file.
        path: Path,
        /// Finds the lines, without a comment character.
        regex: Regex,
        /// What makes a line a comment.
        #[arg(default = "#")]
        char: String,
        /// Whether they become comments; else they are none any more.
        #[arg(default = true)]
        cmnt: bool,
        /// Ending of the name of a copy of the old file; `false` for none.
        backup: Option<Value>,
    } |it, cx| comment(cx, &it.path, &it.regex, &it.char, it.backup.as_ref(), it.cmnt)
}

exec! {
    /// Makes comments of the lines that a regular expression finds; gives the difference.
    "file.comment" mutating Comment {
        /// The file.
        path: Path,
        /// Finds the lines, without a comment character.
        regex: Regex,
        /// What makes a line a comment.
        #[arg(default = "#")]
        char: String,
        /// Ending of the name of a copy of the old file; `false` for none.
        backup: Option<Value>,
    } |it, cx| comment(cx, &it.path, &it.regex, &it.char, it.backup.as_ref(), true)
}

exec! {
    /// Takes the comment character off the lines that a regular expression finds; gives the difference.
    "file.uncomment" mutating Uncomment {
        /// The file.
        path: Path,
        /// Finds the lines, without the comment character.
        regex: Regex,
        /// What makes a line a comment.
        #[arg(default = "#")]
        char: String,
        /// Ending of the name of a copy of the old file; `false` for none.
        backup: Option<Value>,
    } |it, cx| comment(cx, &it.path, &it.regex, &it.char, it.backup.as_ref(), false)
}

exec! {
    /// Replaces what stands between two marker lines of a file; gives the difference, false where there is none.
    "file.blockreplace" mutating BlockReplace {
        /// The file.
        path: Path,
        /// A line that holds this begins the block.
        #[arg(default = "#-- start managed zone --")]
        marker_start: String,
        /// A line that holds this ends the block.
        #[arg(default = "#-- end managed zone --")]
        marker_end: String,
        /// The content.
        #[arg(default = "")]
        content: String,
        /// Whether a block that is not there is put at the end.
        #[arg(default = false)]
        append_if_not_found: bool,
        /// Whether a block that is not there is put at the beginning.
        #[arg(default = false)]
        prepend_if_not_found: bool,
        /// Ending of the name of a copy of the old file; `false` for none.
        backup: Option<Value>,
        /// Whether the file stays as it is.
        #[arg(default = false)]
        dry_run: bool,
        /// Whether the difference is given.
        #[arg(default = true)]
        show_changes: bool,
        /// Whether a newline is put behind the content; unless said, only where it has none.
        append_newline: Option<bool>,
        /// A block that is not there is put before the first line this finds.
        insert_before_match: Option<Regex>,
        /// A block that is not there is put behind the first line this finds.
        insert_after_match: Option<Regex>,
    } |it, cx| edit::<edits::BlockReplace>(cx, &arguments([
        ("name", text(&it.path)),
        ("marker_start", text(&it.marker_start)),
        ("marker_end", text(&it.marker_end)),
        ("content", text(&it.content)),
        ("append_if_not_found", Some(it.append_if_not_found.into())),
        ("prepend_if_not_found", Some(it.prepend_if_not_found.into())),
        ("backup", it.backup.clone()),
        ("show_changes", Some(it.show_changes.into())),
        ("append_newline", it.append_newline.map(Value::from)),
        ("insert_before_match", it.insert_before_match.as_ref().and_then(|r| text(r))),
        ("insert_after_match", it.insert_after_match.as_ref().and_then(|r| text(r))),
    ]), it.dry_run)
}

exec! {
    /// Makes sure that a line is (or is not) in a file, at a certain place; gives the difference, false where there is none.
    "file.line" mutating Line {
        /// The file.
        path: Path,
        /// The line.
        content: Option<String>,
        /// Finds the lines that are replaced or deleted; the content itself unless given.
        #[arg(name = "match")]
        pattern: Option<String>,
        /// What is done.
        #[arg(default = "ensure", one_of("ensure", "replace", "insert", "delete", "absent"))]
        mode: String,
        /// The line goes to the `start` or `end` of the file.
        #[arg(one_of("start", "end"))]
        location: Option<String>,
        /// The line goes before the one this finds.
        before: Option<String>,
        /// The line goes behind the one this finds.
        after: Option<String>,
        /// Whether the difference is given.
        #[arg(default = true)]
        show_changes: bool,
        /// Keeps a copy of the old file: `true`, or a suffix.
        backup: Option<Value>,
        /// Whether finding nothing is no error.
        #[arg(default = false)]
        quiet: bool,
        /// Whether the line takes over the indentation of its neighbour, or of the line it replaces.
        #[arg(default = true)]
        indent: bool,
    } |it, cx| edit::<edits::Line>(cx, &arguments([
        ("name", text(&it.path)),
        ("content", it.content.clone().map(Value::from)),
        ("match", it.pattern.clone().map(Value::from)),
        ("mode", text(&it.mode)),
        ("location", it.location.clone().map(Value::from)),
        ("before", it.before.clone().map(Value::from)),
        ("after", it.after.clone().map(Value::from)),
        ("show_changes", Some(it.show_changes.into())),
        ("backup", it.backup.clone()),
        ("quiet", Some(it.quiet.into())),
        ("indent", Some(it.indent.into())),
    ]), false)
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library
        .exec::<Replace>()
        .exec::<CommentLine>()
        .exec::<Comment>()
        .exec::<Uncomment>()
        .exec::<BlockReplace>()
        .exec::<Line>();
}

#[cfg(test)]
mod tests {
    use crate::{
        exec::tests::{call, gives},
        provider::fake::FakeMachine,
    };

    #[test]
    fn what_states_do_calls_do() {
        let machine = FakeMachine::new();
        machine.files.put("/etc/a", "one\ntwo\n");
        let dry =
            call(&machine, "file.replace", r#"["/etc/a", "^one", "1"]"#, r#"{"dry_run": true}"#).unwrap();
        assert!(dry.as_str().is_some_and(|diff| diff.contains("+1")), "{dry}");
        assert_eq!(machine.files.text("/etc/a"), "one\ntwo\n");
        let quiet = r#"{"show_changes": false, "backup": false}"#;
        assert_eq!(call(&machine, "file.replace", r#"["/etc/a", "^one", "1"]"#, quiet), Ok(true.into()));
        gives(&machine, "file.replace", r#"["/etc/a", "^one", "1"]"#, "false");
        let search = r#"{"search_only": true}"#;
        assert_eq!(call(&machine, "file.replace", r#"["/etc/a", "tw.", ""]"#, search), Ok(true.into()));
        call(&machine, "file.comment", r#"["/etc/a", "^two"]"#, r#"{"backup": false}"#).unwrap();
        assert_eq!(machine.files.text("/etc/a"), "1\n#two\n");
        call(&machine, "file.comment_line", r##"["/etc/a", "^two", "#", false, false]"##, "{}").unwrap();
        call(&machine, "file.line", r#"["/etc/a", "three"]"#, r#"{"mode": "insert", "location": "end"}"#)
            .unwrap();
        assert_eq!(machine.files.text("/etc/a"), "1\ntwo\nthree\n");
        let block = r##"["/etc/a", "#<", "#>", "x"]"##;
        let append = r#"{"append_if_not_found": true, "backup": false}"#;
        assert!(
            call(&machine, "file.blockreplace", block, "{}").unwrap_err().contains("append_if_not_found")
        );
        call(&machine, "file.blockreplace", block, append).unwrap();
        assert!(machine.files.text("/etc/a").contains("#<\nx\n#>\n"));
        call(&machine, "file.prepend", r#"["/etc/a", "zero"]"#, "{}").unwrap();
        assert!(machine.files.text("/etc/a").starts_with("zero\n1\n"));
        let gone = call(&machine, "file.uncomment", r#"["/gone", "x"]"#, "{}").unwrap_err();
        assert!(gone.contains("/gone"), "{gone}");
    }
}
