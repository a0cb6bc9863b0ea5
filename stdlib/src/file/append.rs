//! `file.append` and `file.prepend`

use super::{
    path,
    text::{self, Edit, Texts},
};
use crate::{Context, Failure, Plan, State};
use zester_compiler::types::{Map, Path, Value};
use zester_stdlib_derive::Arguments;

macro_rules! adding {
    ($(#[$doc:meta])+ $name:ident, $function:literal { $($(#[$field_doc:meta])+ $field:ident: $ty:ty),* }) => {
        $(#[$doc])+
        #[derive(Arguments)]
        #[state($function, any_of("text", "source", "sources"))]
        pub(crate) struct $name {
            /// The file's path. A missing file is made.
            #[arg(primary, alias = "path")]
            name: Path,
            /// The texts: each is looked for as a whole, line by line.
            text: Vec<String>,
            /// File the text comes from.
            #[arg(ty = Type::Source)]
            source: Option<String>,
            /// Checksum of that file.
            #[arg(ty = Type::Hash)]
            source_hash: Option<String>,
            /// Files the texts come from.
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
            /// Whether missing parent directories are made.
            #[arg(default = false)]
            makedirs: bool,
            /// Whether spaces and tabs count when the text is looked for.
            #[arg(default = true)]
            ignore_whitespace: bool,
            /// Whether the difference is shown.
            #[arg(default = true)]
            show_changes: bool,
            $($(#[$field_doc])+ $field: $ty,)*
        }

        impl $name {
            fn texts(&self, cx: &Context, target: &str) -> Result<Vec<String>, Failure> {
                Texts {
                    given: &self.text,
                    source: self.source.as_deref(),
                    source_hash: self.source_hash.as_deref(),
                    sources: &self.sources,
                    source_hashes: &self.source_hashes,
                    skip_verify: self.skip_verify,
                    template: self.template.as_ref(),
                    context: &self.context,
                    defaults: &self.defaults,
                }
                .read(cx, target)
            }

            fn edit(&self, path: String) -> Edit {
                Edit { makedirs: self.makedirs, show_changes: self.show_changes, secret: &["text", "context", "defaults"], ..Edit::new(path) }
            }
        }
    };
}

adding! {
    /// Makes sure that texts are in a file; those that are not are put at its end.
    Append, "file.append" {}
}

adding! {
    /// Makes sure that texts are in a file; those that are not are put at its beginning.
    Prepend, "file.prepend" {
        /// Whether the texts must be the first lines of the file, in this order.
        #[arg(default = false)]
        header: bool
    }
}

/// The text with a newline at its end, where it has anything at all.
fn ended(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

impl State for Append {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = path::absolute(cx, &self.name)?;
        let old = text::read(cx, &target)?;
        let mut new = old.clone().unwrap_or_default();
        for chunk in self.texts(cx, &target)? {
            if !text::contains(&new, &chunk, self.ignore_whitespace) {
                new = ended(&new) + if chunk.is_empty() { "\n" } else { "" } + &ended(&chunk);
            }
        }
        self.edit(target).plan(cx, new)
    }
}

impl State for Prepend {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = path::absolute(cx, &self.name)?;
        let old = text::read(cx, &target)?.unwrap_or_default();
        let chunks = self.texts(cx, &target)?;
        let new = if self.header {
            let header: String = chunks.iter().map(|c| ended(c)).collect();
            if old.starts_with(&header) { old } else { header + &old }
        } else {
            let missing: String = chunks
                .iter()
                .filter(|chunk| !text::contains(&old, chunk, self.ignore_whitespace))
                .map(|chunk| ended(chunk))
                .collect();
            missing + &old
        };
        self.edit(target).plan(cx, new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;

    fn args(json: &str) -> Map {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn only_missing_texts_are_appended() {
        let machine = FakeMachine::new();
        machine.files.put("/f", "a = 1\nno newline");
        let done =
            machine.converge::<Append>(&args(r#"{"name": "/f", "text": ["a  =  1", "b", "c\nd"]}"#)).unwrap();
        assert_eq!(machine.files.text("/f"), "a = 1\nno newline\nb\nc\nd\n");
        assert!(done.changes.get("diff").unwrap().as_str().unwrap().contains("+b\n+c\n"));
    }

    #[test]
    fn a_missing_file_is_made_and_sources_are_rendered() {
        let machine = FakeMachine::new();
        machine.tree.put("more", "port {{ port }}\n");
        machine
            .converge::<Append>(&args(
                r#"{"name": "/d/f", "source": "salt://more", "template": "jinja", "context": {"port": 80}, "makedirs": true}"#,
            ))
            .unwrap();
        assert_eq!(machine.files.text("/d/f"), "port 80\n");
    }

    #[test]
    fn prepended_texts_keep_their_order() {
        let machine = FakeMachine::new();
        machine.files.put("/f", "b\nx\n");
        machine.converge::<Prepend>(&args(r#"{"name": "/f", "text": ["a", "b", "c"]}"#)).unwrap();
        assert_eq!(machine.files.text("/f"), "a\nc\nb\nx\n");
        machine.converge::<Prepend>(&args(r#"{"name": "/f", "text": ["x"], "header": true}"#)).unwrap();
        assert_eq!(machine.files.text("/f"), "x\na\nc\nb\nx\n");
    }

    #[test]
    fn on_a_real_disk() {
        let machine = FakeMachine::on_disk();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        machine
            .converge::<Append>(&args(&format!(r#"{{"name": "{}", "text": ["b"]}}"#, file.display())))
            .unwrap();
        machine
            .converge::<Prepend>(&args(&format!(r#"{{"name": "{}", "text": ["a"]}}"#, file.display())))
            .unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"a\nb\n");
    }
}
