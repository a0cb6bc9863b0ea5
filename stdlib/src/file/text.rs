//! Files that are edited as text: reading them, the plan of the edit, texts to be inserted.

use super::{
    backup::Backup,
    desired::{self, Desired},
    diff::Show,
    path, template,
};
use crate::{
    Context, Failure, Plan,
    provider::FileKind,
    source::{self, Candidate, Verify},
};
use zester_compiler::types::{Map, Value};

/// An existing file's text; `None` when there is no file.
pub(crate) fn read(cx: &Context, path: &str) -> Result<Option<String>, Failure> {
    match path::stat(cx, path, true)? {
        None => Ok(None),
        Some(stat) if stat.kind == FileKind::Directory => {
            Err(Failure::new(format!("`{path}` is a directory, not a file")))
        }
        Some(_) => String::from_utf8(desired::read(cx, path)?)
            .map(Some)
            .map_err(|_| Failure::new(format!("`{path}` is not UTF-8 text, so its lines cannot be edited"))),
    }
}

/// How an edit is carried out and shown; what all editing functions have in common.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    /// Absolute path.
    pub(crate) path: String,
    /// Copy of the old file.
    pub(crate) backup: Backup,
    /// Whether the difference is shown.
    pub(crate) show_changes: bool,
    /// Whether missing parents are made.
    pub(crate) makedirs: bool,
    /// Parameters that may hold secrets.
    pub(crate) secret: &'static [&'static str],
}

impl Edit {
    /// An edit without backup that is shown.
    pub(crate) fn new(path: String) -> Self {
        Self { path, backup: Backup::None, show_changes: true, makedirs: false, secret: &[] }
    }

    /// Writes the new text where it differs.
    pub(crate) fn plan(self, cx: &Context, new: String) -> Result<Plan<'static>, Failure> {
        let show = match (self.secret.iter().any(|p| cx.is_secret(p)), self.show_changes) {
            (true, _) => Show::Secret,
            (false, true) => Show::Diff,
            (false, false) => Show::Hidden,
        };
        Desired {
            backup: self.backup,
            show,
            makedirs: self.makedirs.then_some(0o755),
            ..Desired::content(self.path, new.into_bytes())
        }
        .plan(cx)
    }
}

/// Why a file that has to be there is not; in test mode, where an earlier state may make it, a plan that says so.
pub(crate) fn missing(cx: &Context, path: &str) -> Result<Plan<'static>, Failure> {
    if cx.test {
        let changes = Map::from_iter([("file".to_owned(), crate::change(Value::Null, path))]);
        let comment =
            format!("`{path}` does not exist yet; it is edited when a state before this one makes it");
        return Ok(Plan::change(changes, comment, |_| Ok(crate::Outcome::default())));
    }
    Err(Failure::new(format!("`{path}` does not exist, so there is nothing to edit")))
}

/// Where texts to be inserted come from: given in the state, or files, rendered where asked.
pub(crate) struct Texts<'a> {
    /// Given texts.
    pub(crate) given: &'a [String],
    /// `source`.
    pub(crate) source: Option<&'a str>,
    /// `source_hash`.
    pub(crate) source_hash: Option<&'a str>,
    /// `sources`.
    pub(crate) sources: &'a [String],
    /// `source_hashes`, in the order of `sources`.
    pub(crate) source_hashes: &'a [String],
    /// `skip_verify`.
    pub(crate) skip_verify: bool,
    /// `template`.
    pub(crate) template: Option<&'a Value>,
    /// `context`.
    pub(crate) context: &'a Map,
    /// `defaults`.
    pub(crate) defaults: &'a Map,
}

impl Texts<'_> {
    /// All of them, in order.
    pub(crate) fn read(&self, cx: &Context, target: &str) -> Result<Vec<String>, Failure> {
        let mut texts = self.given.to_vec();
        let single = self.source.map(|source| (source, self.source_hash));
        let several = self
            .sources
            .iter()
            .enumerate()
            .map(|(i, s)| (s.as_str(), self.source_hashes.get(i).map(String::as_str)));
        for (address, hash) in single.into_iter().chain(several) {
            let candidate = Candidate { text: address.to_owned(), hash: hash.map(str::to_owned) };
            let verify = Verify { skip: self.skip_verify, ..Verify::default() };
            let Some(fetched) = source::fetch(cx, &[candidate], &verify, target, |_| Ok(false))? else {
                continue;
            };
            let content = if template::wanted(self.template)? {
                let name = fetched.tree_path.as_deref().unwrap_or(&fetched.source);
                let text = template::Text { name, env: &fetched.env, content: &fetched.content };
                template::render(cx, &text, target, self.defaults, self.context)?
            } else {
                fetched.content.to_vec()
            };
            let content = String::from_utf8(content)
                .map_err(|_| Failure::new(format!("The source `{address}` is not UTF-8 text")))?;
            texts.push(content);
        }
        Ok(texts)
    }
}

/// Whether a text has the lines of a chunk one after the other. With `ignore_whitespace` lines are compared word
/// by word and empty ones do not count.
pub(crate) fn contains(text: &str, chunk: &str, ignore_whitespace: bool) -> bool {
    if !ignore_whitespace {
        let lines: Vec<&str> = text.lines().collect();
        let wanted: Vec<&str> = chunk.lines().collect();
        return wanted.is_empty() || lines.windows(wanted.len()).any(|window| window == wanted);
    }
    let words = |text: &str| -> Vec<Vec<String>> {
        text.lines()
            .map(|l| l.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
            .filter(|words: &Vec<String>| !words.is_empty())
            .collect()
    };
    let (lines, wanted) = (words(text), words(chunk));
    if wanted.is_empty() {
        return chunk.is_empty() || text.lines().any(|l| l.trim().is_empty());
    }
    lines.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_as_a_whole() {
        assert!(contains("a\nb  c\n", "b c", true));
        assert!(!contains("a\nb  c\n", "b c", false));
        assert!(!contains("foobar\n", "foo", true));
        assert!(contains("x\n a\n\nb\n", "a\nb", true));
        assert!(!contains("a\nx\nb\n", "a\nb", true));
    }
}
