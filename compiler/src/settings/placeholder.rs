//! What `!encrypted` marks, taken out of settings files before they are published, and put back on the peel it is for.
//!
//! A published file holds a placeholder in place of each secret. The replacement works on the parsed tree and fails closed: a file in which not
//! every `!encrypted` is a whole scalar that can be located is not published at all.

use super::{
    SETTINGS_FILE_SHAPE, Settings, Unseal,
    marked::{marked as read_back, with_secrets},
    sealed::open,
};
use crate::{
    diagnostic::Diagnostic,
    source::Span,
    syntax::{self, Tree},
    types::Value,
};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, ops::Range, sync::Arc};

/// What every placeholder begins with.
const BEGIN: &str = "__ZESTER_SECRET:";
/// What every placeholder ends with.
const END: &str = "__";
/// The longest name of a secret, in bytes: a digest's beginning and a number.
const MAX_NAME: usize = 40;

/// A settings file that may be read by every peel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sanitized {
    /// Its text with a placeholder for each secret.
    pub text: String,
    /// The secrets by name, in plain text.
    pub secrets: BTreeMap<String, String>,
}

/// Takes the secrets out of a settings file. `path` names them, so that a changed secret keeps its name. Sealed ones are opened by
/// `unseal`. Where one cannot be located exactly or opened, nothing is given back but the reasons.
pub fn sanitize(tree: &Tree, path: &str, unseal: Option<&dyn Unseal>) -> Result<Sanitized, Vec<Diagnostic>> {
    let marked = read_back(tree, "published")?;
    let digest = Sha256::digest(path.as_bytes());
    let file = digest.iter().take(8).fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let (mut secrets, mut wrong, mut new) = (BTreeMap::new(), Vec::new(), Vec::new());
    for (number, secret) in marked.iter().enumerate() {
        let name = format!("{file}.{number}");
        new.push(Some(format!("{BEGIN}{name}{END}")));
        match open(&secret.text, secret.span, unseal) {
            Ok(plain) => {
                secrets.insert(name, plain);
            }
            Err(diagnostic) => wrong.push(*diagnostic),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let text = with_secrets(tree, &marked, &new);
    // What is published must have the names in the places of the secrets, or it is not published.
    let again = read_back(&syntax::parse(tree.file, &text.as_str().into()), "published");
    if again.is_ok_and(|again| again.iter().map(|m| Some(&m.text)).eq(new.iter().map(Option::as_ref))) {
        return Ok(Sanitized { text, secrets });
    }
    let place = marked.first().map_or(Span::at(tree.file, 0), |secret| secret.span);
    let message = "this file would not say the same without its secrets, so it cannot be published";
    Err(vec![
        Diagnostic::new(&SETTINGS_FILE_SHAPE, place, message)
            .help("write each secret as a quoted text on the line of its key"),
    ])
}

impl Settings {
    /// The names of the secrets that these settings use.
    pub fn placeholders(&self) -> Vec<String> {
        let mut names = Vec::new();
        each_text(&self.value, &mut |text| {
            for (_, name) in occurrences(text) {
                if !names.iter().any(|n| n == name) {
                    names.push(name.to_owned());
                }
            }
        });
        names
    }

    /// Puts the secrets in the places of their names; what holds one is secret from then on. The names that are missing are the error.
    pub fn reveal(&mut self, secrets: &BTreeMap<String, String>) -> Result<(), Vec<String>> {
        let mut missing = Vec::new();
        let mut value = (*self.value).clone();
        let mut paths = Vec::new();
        fill(&mut value, secrets, &mut Vec::new(), &mut paths, &mut missing);
        if !missing.is_empty() {
            return Err(missing);
        }
        for path in paths {
            if !self.secret_paths.contains(&path) {
                self.secret_paths.push(path);
            }
        }
        self.value = Arc::new(value);
        Ok(())
    }
}

fn each_text(value: &Value, see: &mut impl FnMut(&str)) {
    match value {
        Value::Str(text) => see(text),
        Value::List(items) => items.iter().for_each(|item| each_text(item, see)),
        Value::Map(map) => map.values().for_each(|item| each_text(item, see)),
        _ => {}
    }
}

fn fill(
    value: &mut Value,
    secrets: &BTreeMap<String, String>,
    path: &mut Vec<String>,
    filled: &mut Vec<Vec<String>>,
    missing: &mut Vec<String>,
) {
    match value {
        Value::Str(text) => {
            let (mut whole, mut end) = (String::new(), 0);
            for (range, name) in occurrences(text) {
                whole.push_str(text.get(end..range.start).unwrap_or_default());
                end = range.end;
                match secrets.get(name) {
                    Some(secret) => whole.push_str(secret),
                    None => missing.push(name.to_owned()),
                }
            }
            if end > 0 {
                whole.push_str(text.get(end..).unwrap_or_default());
                *text = whole;
                filled.push(path.clone());
            }
        }
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                path.push(index.to_string());
                fill(item, secrets, path, filled, missing);
                path.pop();
            }
        }
        Value::Map(map) => {
            for (key, item) in map.iter_mut() {
                path.push(key.clone());
                fill(item, secrets, path, filled, missing);
                path.pop();
            }
        }
        _ => {}
    }
}

/// Placeholders in a text: their places and names.
fn occurrences(text: &str) -> Vec<(Range<usize>, &str)> {
    text.match_indices(BEGIN)
        .filter_map(|(start, _)| {
            let after = text.get(start + BEGIN.len()..)?;
            let name = after.get(..after.find(END)?)?;
            let fits = name.len() <= MAX_NAME && name.bytes().all(|b| b.is_ascii_hexdigit() || b == b'.');
            fits.then_some((start..start + BEGIN.len() + name.len() + END.len(), name))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{source::Files, types::Map};

    fn sanitized(text: &str) -> Result<Sanitized, Vec<Diagnostic>> {
        let files = Files::default();
        let id = files.add("settings/web.zy", text);
        sanitize(&syntax::parse(id, &files.get(id).text), "settings/web.zy", None)
    }

    #[test]
    fn every_form_of_secret_is_taken_out() {
        let text = "db:\n  password: !encrypted \"s3cret one\"  # why\n  keys:\n    - !encrypted s3cret-two\n    - plain\n  pem: !encrypted |\n    s3cret three\n    s3cret four\n  after: 1\n\
                    {% if grains.os == 'Debian' %}\n  flow: {a: !encrypted 's3cret five', b: 2}\n{% else %}\n  other: !encrypted s3cret-six\n{% endif %}\n";
        let out = sanitized(text).unwrap();
        assert!(!out.text.contains("s3cret"), "{}", out.text);
        let secrets: Vec<&str> = out.secrets.values().map(String::as_str).collect();
        assert_eq!(
            secrets,
            ["s3cret one", "s3cret-two", "s3cret three\ns3cret four\n", "s3cret five", "s3cret-six"]
        );
        assert!(out.text.contains("  after: 1\n") && out.text.contains("# why"), "{}", out.text);
        assert_eq!(out.text.matches("!encrypted").count(), 5);
        // the same file gives the same names
        assert_eq!(out, sanitized(text).unwrap());
    }

    #[test]
    fn what_cannot_be_located_is_not_published() {
        for text in [
            "a: !encrypted {{ secret }}\n",
            "a: !encrypted\n",
            "a: !encrypted\n  b: c\n",
            "# a: !encrypted old\nb: 1\n",
            "{# a: !encrypted old #}\nb: 1\n",
            "{% set x = '!encrypted' %}\nb: 1\n",
            "a: 'text !encrypted text'\n",
            "a: !encryptedx y\n",
            "a: [!encrypted b\n",
        ] {
            let refused = sanitized(text);
            assert!(refused.is_err(), "{text}: {refused:?}");
        }
    }

    #[test]
    fn secrets_come_back_where_they_were() {
        let out = sanitized("a: !encrypted one\nb: !encrypted two\n").unwrap();
        let names: Vec<String> = out.secrets.keys().cloned().collect();
        let text = |n: usize| format!("{BEGIN}{}{END}", names[n]);
        let map: Map = [
            ("plain".to_owned(), Value::Str("x".into())),
            ("list".to_owned(), Value::List(vec![Value::Str(text(0))])),
            ("url".to_owned(), Value::Str(format!("db://u:{}@h/{}", text(1), text(0)))),
        ]
        .into_iter()
        .collect();
        let mut settings = Settings { value: Arc::new(Value::Map(map)), ..Settings::empty() };
        assert_eq!(settings.placeholders(), names);
        assert_eq!(settings.clone().reveal(&BTreeMap::new()).unwrap_err().len(), 3);
        settings.reveal(&out.secrets).unwrap();
        assert_eq!(settings.get("url"), Some(&Value::Str("db://u:two@h/one".into())));
        assert!(settings.is_secret("url") && settings.is_secret("list") && !settings.is_secret("plain"));
    }
}
