//! `file.blockreplace`

use super::{
    accumulated,
    backup::Backup,
    path, pattern,
    text::{self, Edit, Texts},
};
use crate::{Context, Failure, Plan, State};
use zester_compiler::types::{Map, Path, Regex, Value};
use zester_stdlib_derive::Arguments;

/// Replaces what stands between two marker lines of a file.
///
/// The content is `content`, then the sources, then what `file.accumulated` collected for the file.
#[derive(Arguments)]
#[state("file.blockreplace")]
pub(crate) struct BlockReplace {
    /// The file's path.
    #[arg(primary, alias = "path")]
    name: Path,
    /// The content.
    #[arg(default = "")]
    content: String,
    /// A line that holds this begins the block.
    #[arg(default = "#-- start managed zone --")]
    marker_start: String,
    /// A line that holds this ends the block.
    #[arg(default = "#-- end managed zone --")]
    marker_end: String,
    /// File the content comes from.
    #[arg(ty = Type::Source)]
    source: Option<String>,
    /// Checksum of that file.
    #[arg(ty = Type::Hash)]
    source_hash: Option<String>,
    /// Files the content comes from.
    #[arg(ty = Type::List(Box::new(Type::Source)))]
    sources: Vec<String>,
    /// Checksums of those files, in their order.
    source_hashes: Vec<String>,
    /// Takes sources of the web without a checksum.
    #[arg(default = false)]
    skip_verify: bool,
    /// Renders the sources as templates: `jinja`.
    #[arg(ty = Type::Template)]
    template: Option<Value>,
    /// Variables of the templates.
    context: Map,
    /// Variables of the templates where `context` has none of that name.
    defaults: Map,
    /// Whether a block that is not there is put at the end.
    #[arg(default = false)]
    append_if_not_found: bool,
    /// Whether a block that is not there is put at the beginning.
    #[arg(default = false)]
    prepend_if_not_found: bool,
    /// A block that is not there is put before the first line this finds.
    insert_before_match: Option<Regex>,
    /// A block that is not there is put behind the first line this finds.
    insert_after_match: Option<Regex>,
    /// Whether a newline is put behind the content; unless said, only where it has none.
    append_newline: Option<bool>,
    /// Ending of the name of a copy of the old file; `false` for none.
    #[arg(default = ".bak")]
    backup: Backup,
    /// Whether the difference is shown.
    #[arg(default = true)]
    show_changes: bool,
}

impl State for BlockReplace {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = path::absolute(cx, &self.name)?;
        if self.marker_start.is_empty() || self.marker_end.is_empty() {
            return Err(Failure::new("`marker_start` and `marker_end` must not be empty"));
        }
        let content = self.block(cx, &target)?;
        let old = match text::read(cx, &target)? {
            Some(old) => old,
            None if self.append_if_not_found || self.prepend_if_not_found => String::new(),
            None => return text::missing(cx, &target),
        };
        let new = match self.replaced(&old, &content)? {
            Some(new) => new,
            None => match self.inserted(&old, &content)? {
                Some(new) => new,
                // The markers may come from a state that has not run yet.
                None if cx.test => return Ok(Plan::unchanged(format!("`{target}` has no block yet"))),
                None => {
                    return Err(Failure::new(format!(
                        "`{target}` has no line with `{}`; `append_if_not_found` or its kin puts the block in",
                        self.marker_start
                    )));
                }
            },
        };
        let edit = Edit {
            backup: self.backup.clone(),
            show_changes: self.show_changes,
            secret: &["content", "context", "defaults"],
            ..Edit::new(target)
        };
        edit.plan(cx, new)
    }
}

impl BlockReplace {
    /// What stands between the markers.
    fn block(&self, cx: &Context, target: &str) -> Result<String, Failure> {
        let given: &[String] =
            if self.content.is_empty() { &[] } else { std::slice::from_ref(&self.content) };
        let texts = Texts {
            given,
            source: self.source.as_deref(),
            source_hash: self.source_hash.as_deref(),
            sources: &self.sources,
            source_hashes: &self.source_hashes,
            skip_verify: self.skip_verify,
            template: self.template.as_ref(),
            context: &self.context,
            defaults: &self.defaults,
        }
        .read(cx, target)?;
        let mut parts = texts;
        for list in accumulated::of(cx, target).values() {
            parts.extend(list.as_list().unwrap_or_default().iter().map(Value::to_string));
        }
        let mut content = String::new();
        for part in parts {
            if !content.is_empty() && !content.ends_with('\n') {
                content.push('\n');
            }
            content.push_str(&part);
        }
        let newline = match self.append_newline {
            Some(always) => always,
            None => !content.is_empty() && !content.ends_with('\n'),
        };
        if newline {
            content.push('\n');
        }
        Ok(content)
    }

    /// The text with the block's content replaced; `None` when there is no block.
    fn replaced(&self, old: &str, content: &str) -> Result<Option<String>, Failure> {
        let Some(start) = old.find(&self.marker_start) else {
            if old.contains(&self.marker_end) {
                return Err(Failure::new(format!(
                    "`{}` has `{}` but not `{}` before it",
                    self.name, self.marker_end, self.marker_start
                )));
            }
            return Ok(None);
        };
        let behind = old.get(start..).unwrap_or_default();
        let head = start + behind.find('\n').map_or(behind.len(), |i| i + 1);
        let rest = old.get(head..).unwrap_or_default();
        let Some(end) = rest.find(&self.marker_end) else {
            return Err(Failure::new(format!(
                "In `{}` the block that begins with `{}` has no `{}`; nothing is changed, since nothing says where it ends",
                self.name, self.marker_start, self.marker_end
            )));
        };
        // Blanks before the end marker are its indentation, not content.
        let line = rest.get(..end).unwrap_or_default().rfind('\n').map_or(0, |i| i + 1);
        let indent = rest.get(line..end).unwrap_or_default();
        let end = if indent.trim().is_empty() { line } else { end };
        let before = old.get(..head).unwrap_or_default();
        Ok(Some(format!("{before}{content}{}", rest.get(end..).unwrap_or_default())))
    }

    /// The text with the whole block put in; `None` when nothing says where.
    fn inserted(&self, old: &str, content: &str) -> Result<Option<String>, Failure> {
        let block = format!("{}\n{content}{}\n", self.marker_start, self.marker_end);
        if self.prepend_if_not_found {
            return Ok(Some(block + old));
        }
        if self.append_if_not_found {
            let gap = if old.is_empty() || old.ends_with('\n') { "" } else { "\n" };
            return Ok(Some(format!("{old}{gap}{block}")));
        }
        for (wanted, behind) in [(&self.insert_before_match, false), (&self.insert_after_match, true)] {
            let Some(wanted) = wanted else { continue };
            let compiled = pattern::compile(wanted, pattern::Flags::default())?;
            let mut at = 0;
            for line in old.split_inclusive('\n') {
                if pattern::is_match(&compiled, line.trim_end_matches('\n'))? {
                    let at = if behind { at + line.len() } else { at };
                    let (before, after) = old.split_at(at);
                    let gap = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
                    return Ok(Some(format!("{before}{gap}{block}{after}")));
                }
                at += line.len();
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{file::accumulated::Accumulated, provider::fake::FakeMachine};
    use zester_compiler::types::Arguments;

    fn args(json: &str) -> Map {
        serde_json::from_str(json).unwrap()
    }

    fn markers(more: &str) -> Map {
        args(&format!(
            r##"{{"name": "/f", "marker_start": "# begin", "marker_end": "# end", "backup": false, {more}}}"##
        ))
    }

    #[test]
    fn only_the_block_changes() {
        let machine = FakeMachine::new();
        machine.files.put("/f", "a\n  # begin -- do not edit\nold\nold\n  # end\nb\n");
        machine.converge::<BlockReplace>(&markers(r#""content": "new""#)).unwrap();
        assert_eq!(machine.files.text("/f"), "a\n  # begin -- do not edit\nnew\n  # end\nb\n");
        machine.converge::<BlockReplace>(&markers(r#""content": """#)).unwrap();
        assert_eq!(machine.files.text("/f"), "a\n  # begin -- do not edit\n  # end\nb\n");
    }

    #[test]
    fn a_block_that_is_not_there_is_put_in() {
        let machine = FakeMachine::new();
        for (more, expected) in [
            (r#""append_if_not_found": true"#, "a\nb\n# begin\nx\n# end\n"),
            (r#""prepend_if_not_found": true"#, "# begin\nx\n# end\na\nb"),
            (r#""insert_after_match": "^a""#, "a\n# begin\nx\n# end\nb"),
            (r#""insert_before_match": "^b""#, "a\n# begin\nx\n# end\nb"),
        ] {
            machine.files.put("/f", "a\nb");
            machine.converge::<BlockReplace>(&markers(&format!(r#""content": "x\n", {more}"#))).unwrap();
            assert_eq!(machine.files.text("/f"), expected);
        }
    }

    #[test]
    fn collected_texts_come_behind_the_content() {
        let machine = FakeMachine::new();
        machine.files.put("/f", "# begin\n# end\n");
        machine
            .converge::<Accumulated>(&args(r#"{"name": "x", "filename": "/f", "text": ["one", "two"]}"#))
            .unwrap();
        machine.converge::<BlockReplace>(&markers(r#""content": "zero""#)).unwrap();
        assert_eq!(machine.files.text("/f"), "# begin\nzero\none\ntwo\n# end\n");
    }

    #[test]
    fn a_block_without_an_end_is_left_alone() {
        let machine = FakeMachine::new();
        machine.files.put("/f", "# begin\nprecious\n");
        let failure = machine.converge::<BlockReplace>(&markers(r#""content": "x""#)).unwrap_err();
        assert!(failure.message.contains("has no `# end`"));
        machine.files.put("/f", "nothing\n");
        let state = BlockReplace::from_values(&markers(r#""content": "x""#)).unwrap();
        assert!(state.plan(&machine.context()).err().unwrap().message.contains("`append_if_not_found`"));
    }

    #[test]
    fn on_a_real_disk() {
        let machine = FakeMachine::on_disk();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        let json =
            format!(r#"{{"name": "{}", "content": "x", "append_if_not_found": true}}"#, file.display());
        machine.converge::<BlockReplace>(&args(&json)).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"#-- start managed zone --\nx\n#-- end managed zone --\n");
    }
}
