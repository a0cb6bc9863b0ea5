//! Paths, URLs, file sources, checksums and names of template engines.

use super::{DecodeError, MALFORMED_VALUE, UNKNOWN_VALUE, word::Word};
use crate::{
    diagnostic::{Diagnostic, Severity, nearest},
    types::{Type, Value},
};

/// The scheme of `scheme://rest`.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once("://")?;
    let valid = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    valid.then_some(scheme)
}

fn is_absolute(text: &str) -> bool {
    let bytes = text.as_bytes();
    text.starts_with('/')
        || text.starts_with('~')
        || text.starts_with("\\\\")
        || (bytes.len() > 2
            && bytes[0].is_ascii_alphabetic()
            && bytes[1] == b':'
            && matches!(bytes[2], b'/' | b'\\'))
}

fn malformed(ty: &Type, word: &Word<'_>, message: &str) -> DecodeError {
    DecodeError::new(&MALFORMED_VALUE, ty, word.span, format!("{message}, found {}", word.found()))
}

pub(super) fn path(ty: &Type, word: &Word<'_>) -> Result<Value, DecodeError> {
    let text = &*word.text;
    if scheme(text).is_some() {
        return Err(malformed(ty, word, "expected a path of the machine"));
    }
    if text.contains('\0') {
        return Err(malformed(ty, word, "expected a path without NUL characters"));
    }
    Ok(Value::Str(text.to_owned()))
}

pub(super) fn url(ty: &Type, word: &Word<'_>) -> Result<Value, DecodeError> {
    let text = &*word.text;
    // `git@host:path` is what git and ssh call an address.
    let scp = text.split_once(':').is_some_and(|(host, path)| {
        !host.is_empty()
            && !host.contains('/')
            && !path.is_empty()
            && (host.contains('@') || host.contains('.'))
    });
    if text.contains(char::is_whitespace) || (scheme(text).is_none() && !scp) {
        return Err(malformed(ty, word, "expected a URL such as `https://host/path`"));
    }
    Ok(Value::Str(text.to_owned()))
}

pub(super) fn source(ty: &Type, word: &Word<'_>) -> Result<Value, DecodeError> {
    const SCHEMES: [&str; 9] = ["zester", "salt", "http", "https", "file", "ftp", "ftps", "s3", "swift"];
    let text = &*word.text;
    match scheme(text) {
        Some(found) if SCHEMES.contains(&found.to_ascii_lowercase().as_str()) => {
            Ok(Value::Str(text.to_owned()))
        }
        Some(found) => {
            let message = format!("expected a file source, found the scheme `{found}`");
            let mut error = DecodeError::new(&MALFORMED_VALUE, ty, word.part(0, found.len()), message)
                .help("sources are `zester://`, `http://`, `https://`, `file://` and absolute paths");
            if let Some(near) = nearest(found, SCHEMES) {
                error = error.help(format!("did you mean `{near}://`?"));
            }
            Err(error)
        }
        None if is_absolute(text) => Ok(Value::Str(text.to_owned())),
        None if text.is_empty() => Err(malformed(ty, word, "expected a file source")),
        None => Err(malformed(ty, word, "expected a file source")
            .help(format!("a file of the state tree is `zester://{}`", path_of(text)))),
    }
}

/// What a source that lacks a slash behind its scheme (`salt:/web/motd`), or begins at the file's own directory, names.
fn path_of(text: &str) -> &str {
    let path = ["salt:", "zester:"].iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
    path.trim_start_matches("./").trim_start_matches('/')
}

pub(super) fn hash(ty: &Type, word: &Word<'_>) -> Result<Value, DecodeError> {
    const LENGTHS: [(&str, usize); 6] =
        [("md5", 32), ("sha1", 40), ("sha224", 56), ("sha256", 64), ("sha384", 96), ("sha512", 128)];
    let text = word.text.trim();
    let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    // Nothing is what a template leaves where no checksum is known.
    if text.is_empty() || scheme(text).is_some() || is_absolute(text) {
        return Ok(Value::Str(text.to_owned()));
    }
    if let Some((algorithm, digest)) = text.split_once(['=', ':']) {
        let (algorithm, digest) = (algorithm.trim().to_ascii_lowercase(), digest.trim());
        let Some((_, length)) = LENGTHS.iter().find(|(name, _)| *name == algorithm) else {
            let names = LENGTHS.map(|(name, _)| name);
            let help = match nearest(&algorithm, names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the algorithms are {}", names.join(", ")),
            };
            let message = format!("expected a checksum, found the algorithm `{algorithm}`");
            return Err(DecodeError::new(&MALFORMED_VALUE, ty, word.span, message).help(help));
        };
        if !is_hex(digest) || digest.len() != *length {
            let message = format!(
                "expected {length} hexadecimal digits for {algorithm}, found {} characters",
                digest.chars().count()
            );
            return Err(DecodeError::new(&MALFORMED_VALUE, ty, word.span, message));
        }
        return Ok(Value::Str(format!("{algorithm}={}", digest.to_ascii_lowercase())));
    }
    if is_hex(text) {
        return match LENGTHS.iter().find(|(_, length)| *length == text.len()) {
            Some((algorithm, _)) => Ok(Value::Str(format!("{algorithm}={}", text.to_ascii_lowercase()))),
            None => {
                let message = format!(
                    "expected a checksum, found {} digits, which is no algorithm's length",
                    text.len()
                );
                Err(DecodeError::new(&MALFORMED_VALUE, ty, word.span, message)
                    .help("32 digits are md5, 40 sha1, 64 sha256, 128 sha512"))
            }
        };
    }
    Err(malformed(ty, word, "expected a checksum")
        .help("write `sha256=…`, the digits alone, or the address of a checksum file"))
}

/// Engines of Salt that there are not here.
const OTHER_ENGINES: [&str; 5] = ["mako", "cheetah", "genshi", "wempy", "py"];

pub(super) fn template(
    ty: &Type,
    word: &Word<'_>,
    hints: &mut Vec<Diagnostic>,
) -> Result<Value, DecodeError> {
    match word.text.to_ascii_lowercase().as_str() {
        // As with functions of Salt that are not provided: the state is right, and its run fails.
        engine if OTHER_ENGINES.contains(&engine) => {
            let message = format!("`{engine}` is a template engine of Salt that is not provided here");
            let mut diagnostic =
                Diagnostic::new(&UNKNOWN_VALUE, word.span, message).help("write the template in Jinja");
            diagnostic.severity = Severity::Warning;
            hints.push(diagnostic);
            Ok(Value::from(engine))
        }
        "jinja" | "true" | "yes" | "on" => Ok(Value::from("jinja")),
        "" | "false" | "no" | "off" => Ok(Value::Bool(false)),
        _ => {
            let message = format!("expected the template engine `jinja`, found {}", word.found());
            Err(DecodeError::new(&UNKNOWN_VALUE, ty, word.span, message)
                .help("`jinja` is the engine there is"))
        }
    }
}
