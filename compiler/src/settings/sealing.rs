//! A secret that stands in plain text in a settings file, and the edit that seals it.

use super::{marked, marked::with_secrets, sealed::is_sealed};
use crate::{
    diagnostic::Edit,
    source::{FileId, Span},
    syntax::{self, Node, NodeKind, Scalar, ScalarStyle, Tree},
    types::{Value, resolve_plain},
};
use std::{fmt, sync::Arc};

/// Keys whose values are secret by their name: the whole name, or its last word.
const SECRET_WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "api_key",
    "apikey",
    "private_key",
    "secret_key",
];

/// A shorter text behind such a key is a placeholder.
const SHORTEST_SECRET: usize = 6;

/// Deepest value that is looked at.
const MAX_DEPTH: usize = 100;

/// What is done with a file whose secrets cannot be located, in words.
const DONE: &str = "sealed";

/// Seals texts for the holder of a key. Given by whoever starts an editor's server; the compiler has no keys.
pub trait Seal: fmt::Debug + Send + Sync {
    /// The public key to seal for in a project that has these sealed texts; nothing where none is certain.
    fn recipient(&self, sealed: &[&str]) -> Option<String>;

    /// A text, sealed for a public key. The error is a sentence that says nothing of the text.
    fn seal(&self, recipient: &str, text: &str) -> Result<String, String>;
}

/// A secret in plain text.
#[derive(Clone, PartialEq, Eq)]
pub struct PlainSecret {
    /// The keys above it, and its own.
    pub path: Vec<String>,
    /// The value.
    pub span: Span,
    /// Where the mark belongs: where the value begins; of a text on lines of its own, its header (`|`).
    start: usize,
    /// Whether `!encrypted` stands before it.
    pub marked: bool,
}

impl fmt::Debug for PlainSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainSecret").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Whether a key's name says that its value is secret.
pub(crate) fn is_secret_name(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('-', "_");
    SECRET_WORDS.iter().any(|word| key == *word || key.strip_suffix(word).is_some_and(|k| k.ends_with('_')))
}

/// Whether a text may be the secret itself: no hash, no path, no address, no word for "none".
pub(crate) fn looks_secret(text: &str, scalar: &Scalar) -> bool {
    is_text(text, scalar)
        && text.len() >= SHORTEST_SECRET
        && !text.starts_with(['$', '!', '*', '/', '~', '<', '{', '%'])
        && !text.contains("://")
        && !text.contains(char::is_whitespace)
}

/// Whether a scalar is text to YAML: what is sealed is text when it is opened.
fn is_text(text: &str, scalar: &Scalar) -> bool {
    scalar.style != ScalarStyle::Plain || matches!(resolve_plain(text), Value::Str(_))
}

/// The secret in plain text whose key or value is at a place of a settings file: one that is marked, one by its key's
/// name, or one of which `is_secret` knows by its path that it is one.
pub fn plain_secret_at(
    tree: &Tree,
    offset: usize,
    is_secret: &dyn Fn(&[String]) -> bool,
) -> Option<PlainSecret> {
    let mut path = Vec::new();
    let (node, before) = entry_at(tree.root.as_ref()?, offset, &mut path, 0, 0)?;
    let NodeKind::Scalar(scalar) = &node.kind else { return None };
    let text = scalar.literal()?;
    let is_marked = node.tag.as_deref().is_some_and(|(tag, _)| tag == "!encrypted");
    if is_sealed(&text) || text.trim().is_empty() || (node.tag.is_some() && !is_marked) {
        return None;
    }
    let by_name = || path.last().is_some_and(|key| is_secret_name(key)) && looks_secret(&text, scalar);
    let by_type = || is_text(&text, scalar) && is_secret(&path);
    if !(is_marked || by_name() || by_type()) {
        return None;
    }
    let start = match scalar.style {
        ScalarStyle::Literal | ScalarStyle::Folded if !is_marked => header(&tree.text, before)?,
        _ => node.span.start as usize,
    };
    Some(PlainSecret { path, span: node.span, start, marked: is_marked })
}

/// Where the header of a text on lines of its own stands, behind its key.
fn header(text: &str, key_end: usize) -> Option<usize> {
    let behind = text.get(key_end..)?.strip_prefix(':')?;
    let header = behind.trim_start_matches(' ');
    header.starts_with(['|', '>']).then(|| key_end + 1 + (behind.len() - header.len()))
}

/// The value whose entry holds a place, with its keys and the end of the last one. Items of lists have the keys above
/// the list.
fn entry_at<'t>(
    node: &'t Node,
    offset: usize,
    path: &mut Vec<String>,
    key_end: usize,
    depth: usize,
) -> Option<(&'t Node, usize)> {
    if depth > MAX_DEPTH {
        return None;
    }
    match &node.kind {
        NodeKind::Mapping(mapping) => mapping.entries.iter().find_map(|entry| {
            let start = entry.key.span.start as usize;
            let end = (entry.value.span.end as usize).max(entry.key.span.end as usize);
            if !(start..=end).contains(&offset) {
                return None;
            }
            path.push(entry.key.text()?.into_owned());
            let key_end = entry.key.span.end as usize;
            let found = entry_at(&entry.value, offset, path, key_end, depth + 1);
            if found.is_none() {
                path.pop();
            }
            found
        }),
        NodeKind::Sequence(sequence) => {
            let inside = |item: &&Node| (item.span.start as usize..=item.span.end as usize).contains(&offset);
            entry_at(sequence.items.iter().find(inside)?, offset, path, key_end, depth + 1)
        }
        NodeKind::Choice(all) => all.iter().find_map(|node| entry_at(node, offset, path, key_end, depth + 1)),
        NodeKind::Scalar(_) => Some((node, key_end)),
        NodeKind::Empty | NodeKind::Splice(_) | NodeKind::Error => None,
    }
}

/// The edit that marks a secret and seals it. `None` where the file cannot be read for certain, or where the result would
/// not be read as what it is meant to be.
pub fn sealing_edit(
    tree: &Tree,
    secret: &PlainSecret,
    seal: &dyn Fn(&str) -> Result<String, String>,
) -> Option<Edit> {
    let start = secret.start;
    let parse = |text: String| -> Tree {
        let text: Arc<str> = text.into();
        syntax::parse(FileId(u32::MAX), &text)
    };
    let read = |tree: &Tree| marked(tree, DONE).ok();
    // With its mark it is located as `zester secret seal` locates it.
    const MARK: &str = "!encrypted ";
    let inserted = if secret.marked { "" } else { MARK };
    let (before, behind) = (tree.text.get(..start)?, tree.text.get(start..)?);
    let with_mark = parse(format!("{before}{inserted}{behind}"));
    let secrets = read(&with_mark)?;
    let others = read(tree)?.len();
    if secrets.len() != others + usize::from(!secret.marked) {
        return None;
    }
    let this = secrets.iter().position(|s| {
        if secret.marked {
            s.span.start == secret.span.start
        } else {
            s.value.start == start + MARK.len() - 1
        }
    })?;
    let found = secrets.get(this)?;
    let sealed = seal(&found.text).ok()?;
    let mut new = vec![None; secrets.len()];
    *new.get_mut(this)? = Some(sealed.clone());
    let written = parse(with_secrets(&with_mark, &secrets, &new));
    let again = read(&written)?;
    let expected = secrets.iter().enumerate().map(|(at, s)| if at == this { &sealed } else { &s.text });
    if !again.iter().map(|s| &s.text).eq(expected) {
        return None;
    }
    // The texts are the same before the value, or its mark, and behind it.
    let from = if secret.marked { found.value.start } else { start };
    let end = found.value.end.checked_sub(inserted.len())?;
    let behind = tree.text.len().checked_sub(end)?;
    let text = written.text.get(from..written.text.len().checked_sub(behind)?)?.to_owned();
    let span = Span { start: from as u32, end: end as u32, ..secret.span };
    Some(Edit { span, text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::apply;

    fn tree(text: &str) -> Tree {
        let text: Arc<str> = text.into();
        syntax::parse(FileId(0), &text)
    }

    /// The file after the secret at the cursor was sealed.
    fn sealed(text: &str) -> Option<String> {
        let at = text.find("<|>").unwrap();
        let tree = tree(&text.replacen("<|>", "", 1));
        let secret = plain_secret_at(&tree, at, &|path| path == ["db", "pin"])?;
        let seal = |text: &str| Ok(format!("ENC[nkey,{}]", text.len()));
        let edit = sealing_edit(&tree, &secret, &seal)?;
        Some(apply(&tree.text, &[edit]))
    }

    #[test]
    fn secrets_are_sealed_where_they_stand() {
        for (before, after) in [
            ("db:\n  pass<|>word: hunter2 # why\n", "db:\n  password: !encrypted \"ENC[nkey,7]\" # why\n"),
            ("token: 'hunter<|>2'\nb: 1\n", "token: !encrypted \"ENC[nkey,7]\"\nb: 1\n"),
            ("a: !encrypted hun<|>ter2\n", "a: !encrypted \"ENC[nkey,7]\"\n"),
            ("db: {pin: '12<|>34', b: 1}\n", "db: {pin: !encrypted \"ENC[nkey,4]\", b: 1}\n"),
            (
                "a_private_key: !encrypted |\n  li<|>ne\n  two\nb: 1\n",
                "a_private_key: !encrypted \"ENC[nkey,9]\"\nb: 1\n",
            ),
            (
                "db:\n  pin: |\n    li<|>ne\n    two\n  b: 1\n",
                "db:\n  pin: !encrypted \"ENC[nkey,9]\"\n  b: 1\n",
            ),
            (
                "x: !encrypted other\n{% if a %}\npassword: hunt<|>er2\n{% endif %}\n",
                "x: !encrypted other\n{% if a %}\npassword: !encrypted \"ENC[nkey,7]\"\n{% endif %}\n",
            ),
        ] {
            assert_eq!(sealed(before).as_deref(), Some(after), "{before}");
        }
    }

    #[test]
    fn what_is_no_secret_or_no_literal_stays() {
        for text in [
            "user: al<|>ice\n",
            "password: {{ x<|> }}\n",
            "password: !encrypted ENC[nkey,a,b<|>,c]\n",
            "password: $6$ha<|>sh\n",
            "password: /etc/se<|>cret\n",
            // A number would be text when it is opened.
            "db: {pin: 12<|>34}\n",
            // In a file that is wrong it is not certain where a secret ends.
            "password: hunter<|>2\nb: [\n",
        ] {
            assert_eq!(sealed(text), None, "{text}");
        }
        let secret = plain_secret_at(&tree("token: hunter2\n"), 1, &|_| false).unwrap();
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}
