//! Sealed texts in settings files: `!encrypted ENC[nkey,…]`.
//!
//! What opens them is given by whoever opens the project; the compiler has no keys.

use crate::{diagnostic::Diagnostic, rule, source::Span};

rule! {
    /// A sealed text of the settings cannot be opened.
    ///
    /// There is no key at hand, it was sealed for another key, or the text is damaged. Nothing is applied with such
    /// settings.
    ///
    /// ```yaml
    /// -- settings/db.zy --
    /// password: !encrypted ENC[nkey,damaged]
    /// ```
    ///
    /// Name the key (`--secret-key FILE`, or `ZESTER_SECRET_KEY`), or seal the text again with `zester secret seal`.
    pub UNOPENED_SECRET = "Z0516", "unopened-secret", Error;
}

/// What a sealed text begins with.
pub const SEALED: &str = "ENC[nkey,";

/// Whether a text is sealed, as far as its form tells.
pub fn is_sealed(text: &str) -> bool {
    let text = text.trim();
    text.starts_with(SEALED) && text.ends_with(']')
}

/// Opens sealed texts.
pub trait Unseal: std::fmt::Debug + Send + Sync {
    /// The plain text; the error is a sentence without a final period that says what is wrong and nothing of the text.
    fn open(&self, sealed: &str) -> Result<String, String>;
}

/// Leaves sealed texts as they are, where only their shape matters: a plan that is shown, a check.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeepSealed;

impl Unseal for KeepSealed {
    fn open(&self, sealed: &str) -> Result<String, String> {
        Ok(sealed.to_owned())
    }
}

/// The plain text of a secret as it is written; the finding where it is sealed and does not open.
pub(super) fn open(text: &str, span: Span, unseal: Option<&dyn Unseal>) -> Result<String, Box<Diagnostic>> {
    if !is_sealed(text) {
        return Ok(text.to_owned());
    }
    let opened = match unseal {
        Some(unseal) => unseal.open(text),
        None => Err("there is no key to open it with".to_owned()),
    };
    opened.map_err(|reason| {
        let message = format!("this secret cannot be opened: {reason}");
        Box::new(
            Diagnostic::new(&UNOPENED_SECRET, span, message).help(
                "name the key with `--secret-key FILE` or `ZESTER_SECRET_KEY`, or seal the secret again",
            ),
        )
    })
}
