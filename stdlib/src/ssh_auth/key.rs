//! A line of `authorized_keys`: options, type, key, remark.

use std::fmt;
use zester_compiler::types::Type;

/// Types of keys, as lines name them.
const TYPES: [&str; 11] = [
    "ssh-rsa",
    "ssh-dss",
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa-cert-v01@openssh.com",
    "ssh-ed25519-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
];

/// Short names of the types, as Salt takes them, and what they mean.
const SHORT: [(&str, &str); 6] = [
    ("ed25519", "ssh-ed25519"),
    ("rsa", "ssh-rsa"),
    ("dsa", "ssh-dss"),
    ("dss", "ssh-dss"),
    ("ssh-dsa", "ssh-dss"),
    ("ecdsa", "ecdsa-sha2-nistp256"),
];

/// The names of types of keys that an author may write.
pub(crate) fn types() -> Type {
    Type::Enum(TYPES.into_iter().chain(SHORT.map(|(short, _)| short)).map(str::to_owned).collect())
}

/// A type's whole name.
pub(crate) fn full_type(name: &str) -> &str {
    SHORT.iter().find(|(short, _)| *short == name).map_or(name, |(_, full)| full)
}

/// A key that may log in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Key {
    /// What it may do: `no-pty`, `command="…"`.
    pub options: Vec<String>,
    /// Its type.
    pub kind: String,
    /// The key in Base64.
    pub blob: String,
    /// The remark behind it.
    pub comment: String,
}

impl Key {
    /// Reads a line; `None` for a blank one, a remark, or what is no key.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let words = words(line);
        let at = words.iter().position(|w| TYPES.contains(&w.as_str())).filter(|at| *at <= 1)?;
        let options = if at == 1 { split_options(words.first()?) } else { Vec::new() };
        let blob = words.get(at + 1)?;
        is_blob(blob).then(|| Self {
            options,
            kind: words.get(at).cloned().unwrap_or_default(),
            blob: blob.clone(),
            comment: words.get(at + 2..).unwrap_or_default().join(" "),
        })
    }

    /// What an author writes: a whole line, or the key alone with its type beside it.
    pub(crate) fn of(
        name: &str,
        kind: &str,
        comment: Option<&str>,
        options: &[String],
    ) -> Result<Self, String> {
        let name = name.trim();
        if name.contains('\n') {
            return Err("a key stands on one line".to_owned());
        }
        let mut key = match Self::parse(name) {
            Some(key) => key,
            None => {
                let mut words = name.split_whitespace();
                let blob = words.next().unwrap_or_default();
                if !is_blob(blob) {
                    return Err(format!(
                        "`{}` is not a public key: it is `TYPE BASE64 [REMARK]` or the Base64 alone",
                        name.chars().take(40).collect::<String>()
                    ));
                }
                let kind = full_type(kind);
                if !TYPES.contains(&kind) {
                    return Err(format!("`{kind}` is no type of key; there are {}", TYPES.join(", ")));
                }
                let rest = words.collect::<Vec<_>>().join(" ");
                Self { options: Vec::new(), kind: kind.to_owned(), blob: blob.to_owned(), comment: rest }
            }
        };
        if let Some(comment) = comment.filter(|c| !c.is_empty()) {
            comment.clone_into(&mut key.comment);
        }
        if !options.is_empty() {
            key.options = options.to_vec();
        }
        if key.comment.contains('\n') || key.options.iter().any(|o| o.contains('\n')) {
            return Err("neither remark nor options of a key can hold a line break".to_owned());
        }
        Ok(key)
    }

    /// How messages call it.
    pub(crate) fn label(&self) -> String {
        if self.comment.is_empty() {
            let start = self.blob.len().saturating_sub(12);
            format!("{} …{}", self.kind, self.blob.get(start..).unwrap_or_default())
        } else {
            self.comment.clone()
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.options.is_empty() {
            write!(f, "{} ", self.options.join(","))?;
        }
        write!(f, "{} {}", self.kind, self.blob)?;
        if self.comment.is_empty() { Ok(()) } else { write!(f, " {}", self.comment) }
    }
}

fn is_blob(text: &str) -> bool {
    // Every key begins with the length of its type's name: `AAAA`.
    text.starts_with("AAAA")
        && text.len() > 16
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))
}

/// Words of a line; blanks in quotes do not separate.
fn words(line: &str) -> Vec<String> {
    split(line, char::is_whitespace)
}

fn split_options(text: &str) -> Vec<String> {
    split(text, |c| c == ',')
}

fn split(text: &str, separates: impl Fn(char) -> bool) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        if separates(c) && !quoted {
            parts.push(String::new());
            continue;
        }
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = c == '\\' && !escaped;
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts.retain(|p| !p.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOB: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJ0example";

    #[test]
    fn lines_and_bare_keys() {
        let line = format!("no-pty,command=\"echo a, \\\"b\\\"\" ssh-ed25519 {BLOB} me at home");
        let key = Key::parse(&line).unwrap();
        assert_eq!(key.options, ["no-pty", "command=\"echo a, \\\"b\\\"\""]);
        assert_eq!(key.comment, "me at home");
        assert_eq!(key.to_string(), line);
        assert_eq!(Key::parse("# x"), None);
        assert_eq!(Key::parse("ssh-rsa short"), None);
        let key = Key::of(&format!("{BLOB} me"), "ed25519", None, &["no-pty".to_owned()]).unwrap();
        assert_eq!(key.to_string(), format!("no-pty ssh-ed25519 {BLOB} me"));
        assert!(Key::of("nonsense", "ssh-rsa", None, &[]).unwrap_err().contains("not a public key"));
        assert!(Key::of(BLOB, "rot13", None, &[]).unwrap_err().contains("no type of key"));
    }
}
