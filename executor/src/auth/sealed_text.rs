//! Sealed texts of settings files: `ENC[nkey,TO,FROM,BOX]`.
//!
//! `TO` is the public key (`X…`) that the text was sealed for, `FROM` that of the sender, made for this one text and
//! thrown away, so whoever seals needs no secret. `BOX` is base64 of the form `xkv1` of nkeys: a nonce and a NaCl box
//! (X25519, XSalsa20-Poly1305). Nobody can change a box unseen; who may write to the repository may put another there.

use super::private::{self, FileError};
use base64::{Engine, engine::general_purpose::STANDARD};
use nkeys::XKey;
use std::{fmt, path::Path};
use zester_compiler::settings::{SEALED, Unseal};

/// The longest text that is sealed, in bytes.
pub const MAX_TEXT: usize = 128 * 1024;

/// Why a text cannot be sealed or opened. Never says anything of the text.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// A key that is none.
    #[error("`{0}` is not a public key for sealing; those begin with `X` and have 56 letters and digits")]
    Key(String),
    /// Too long.
    #[error("the text has {0} bytes; at most {MAX_TEXT} can be sealed")]
    TooLong(usize),
    /// The library could not.
    #[error("the text cannot be sealed: {0}")]
    Seal(nkeys::error::Error),
    /// Not of the form.
    #[error("the sealed text is damaged: {0}")]
    Form(&'static str),
    /// For another key.
    #[error("it was sealed for the key {sealed_for}, and the key at hand is {at_hand}")]
    Foreign {
        /// The public key that can open it.
        sealed_for: String,
        /// The public keys that were tried.
        at_hand: String,
    },
    /// For this key, and it does not open.
    #[error("the sealed text is damaged: it was changed after it was sealed")]
    Changed,
    /// Opened, and no text.
    #[error("what was sealed is not UTF-8 text")]
    NotText,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A line that is no seed.
    #[error("line {line} of `{path}` is not the seed of a key for sealing; those begin with `SX`")]
    Seed {
        /// The file.
        path: String,
        /// From 1.
        line: usize,
    },
    /// No seed in it.
    #[error("`{0}` holds no seed of a key for sealing; `zester secret keygen` makes one")]
    Empty(String),
}

/// Keys that open sealed texts: one, and older ones while a rotation lasts.
#[derive(Default)]
pub struct Keyring(Vec<XKey>);

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(XKey::public_key)).finish()
    }
}

impl Keyring {
    /// One key.
    pub fn of(key: XKey) -> Self {
        Self(vec![key])
    }

    /// With one more key.
    #[must_use]
    pub fn and(mut self, key: XKey) -> Self {
        self.0.push(key);
        self
    }

    /// A new key: its seed, which is secret, and its public key.
    pub fn generate() -> Result<(String, String), nkeys::error::Error> {
        let key = XKey::new();
        Ok((key.seed()?, key.public_key()))
    }

    /// The seeds of a file that nobody else may read, one a line; `#` begins a comment.
    pub fn load(path: &Path) -> Result<Self, KeyringError> {
        let text = private::read_secret(path)?;
        let shown = path.display().to_string();
        let mut keys = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |_| KeyringError::Seed { path: shown.clone(), line: index + 1 };
            keys.push(XKey::from_seed(line).map_err(wrong)?);
        }
        if keys.is_empty() { Err(KeyringError::Empty(shown)) } else { Ok(Self(keys)) }
    }

    /// The public key that new texts are sealed for: the first one's.
    pub fn public_key(&self) -> String {
        self.0.first().map(XKey::public_key).unwrap_or_default()
    }

    /// Opens a text.
    pub fn open_text(&self, sealed: &str) -> Result<String, TextError> {
        let Parts { to, from, sealed } = Parts::read(sealed)?;
        let sender = public(from)?;
        let Some(key) = self.0.iter().find(|key| key.public_key() == to) else {
            public(to)?;
            let at_hand: Vec<String> = self.0.iter().map(XKey::public_key).collect();
            return Err(TextError::Foreign { sealed_for: to.to_owned(), at_hand: at_hand.join(", ") });
        };
        let opened = key.open(&sealed, &sender).map_err(|_| TextError::Changed)?;
        String::from_utf8(opened).map_err(|_| TextError::NotText)
    }
}

impl Unseal for Keyring {
    fn open(&self, sealed: &str) -> Result<String, String> {
        self.open_text(sealed).map_err(|error| error.to_string())
    }
}

/// Seals a text for the owner of a public key (`X…`).
pub fn seal_text(recipient: &str, text: &str) -> Result<String, TextError> {
    if text.len() > MAX_TEXT {
        return Err(TextError::TooLong(text.len()));
    }
    let to = public(recipient)?;
    let sender = XKey::new();
    let sealed = sender.seal(text.as_bytes(), &to).map_err(TextError::Seal)?;
    Ok(format!("{SEALED}{recipient},{},{}]", sender.public_key(), STANDARD.encode(sealed)))
}

/// The public key that a sealed text can be opened with.
pub fn recipient(sealed: &str) -> Result<String, TextError> {
    Ok(Parts::read(sealed)?.to.to_owned())
}

/// Whether a text is a public key for sealing.
pub fn public(key: &str) -> Result<XKey, TextError> {
    let shown = || TextError::Key(key.chars().take(64).collect());
    if !key.starts_with('X') {
        return Err(shown());
    }
    XKey::from_public_key(key).map_err(|_| shown())
}

struct Parts<'t> {
    to: &'t str,
    from: &'t str,
    sealed: Vec<u8>,
}

impl<'t> Parts<'t> {
    fn read(text: &'t str) -> Result<Self, TextError> {
        let inner = text
            .trim()
            .strip_prefix(SEALED)
            .and_then(|rest| rest.strip_suffix(']'))
            .ok_or(TextError::Form("it is not `ENC[nkey,…]`"))?;
        let mut fields = inner.split(',').map(str::trim);
        let (Some(to), Some(from), Some(content), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(TextError::Form("`ENC[nkey,…]` has three parts: for whom, from whom, the box"));
        };
        let sealed = STANDARD.decode(content).map_err(|_| TextError::Form("its box is not base64"))?;
        Ok(Self { to, from, sealed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_key_only() {
        let key = XKey::new();
        let sealed = seal_text(&key.public_key(), "hunter2\nzwei ä").unwrap();
        assert!(zester_compiler::settings::is_sealed(&sealed) && !sealed.contains("hunter2"));
        // Each time another box, so nobody sees that two secrets are one.
        assert_ne!(sealed, seal_text(&key.public_key(), "hunter2\nzwei ä").unwrap());
        assert_eq!(recipient(&sealed).unwrap(), key.public_key());
        let seed = key.seed().unwrap();
        let ring = Keyring(vec![XKey::new(), key]);
        assert_eq!(ring.open_text(&sealed).unwrap(), "hunter2\nzwei ä");
        let error = Keyring::of(XKey::new()).open_text(&sealed).unwrap_err().to_string();
        assert!(error.starts_with("it was sealed for the key X"), "{error}");
        assert!(!format!("{ring:?}").contains(&seed));
    }

    #[test]
    fn damage_is_told_from_foreign_keys() {
        let key = XKey::new();
        let sealed = seal_text(&key.public_key(), "hunter2").unwrap();
        let ring = Keyring::of(key);
        let error = |text: &str| ring.open_text(text).unwrap_err().to_string();
        let at = sealed.len() - 6;
        let other = if sealed.as_bytes()[at] == b'A' { "B" } else { "A" };
        let changed = format!("{}{other}{}", &sealed[..at], &sealed[at + 1..]);
        assert_eq!(error(&changed), "the sealed text is damaged: it was changed after it was sealed");
        assert!(error(&format!("{}]", &sealed[..sealed.len() - 3])).contains("damaged"));
        assert!(error("ENC[nkey,]").contains("three parts"));
        assert!(error("ENC[nkey,a,b,c]").contains("not base64"));
        assert!(error("ENC[nkey,a,b,eGt2MQ==]").contains("`b` is not a public key"));
        assert!(error("hunter2").contains("it is not `ENC[nkey,…]`"));
        for cut in 0..sealed.len() {
            assert!(ring.open_text(&sealed[..cut]).is_err());
        }
    }
}
