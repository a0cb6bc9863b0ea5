//! Python's regular expressions for filters, compiled once per pattern.

use crate::types::decode::python_regex;
use fancy_regex::Regex;
use minijinja::{Error, ErrorKind};
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
};

/// Most patterns kept; a tree has some dozens.
const MAX_CACHED: usize = 512;

static CACHE: LazyLock<Mutex<HashMap<String, Arc<Regex>>>> = LazyLock::new(Mutex::default);

/// The compiled pattern; flags as Python's `(?i)` and `(?m)`.
pub fn compile(pattern: &str, ignorecase: bool, multiline: bool) -> Result<Arc<Regex>, Error> {
    let flags = match (ignorecase, multiline) {
        (false, false) => "",
        (true, false) => "(?i)",
        (false, true) => "(?m)",
        (true, true) => "(?im)",
    };
    let key = format!("{flags}{pattern}");
    let mut cache = CACHE.lock().unwrap_or_else(|e| e.into_inner());
    if let Some(found) = cache.get(&key) {
        return Ok(found.clone());
    }
    let regex = Regex::new(&format!("{flags}{}", python_regex(pattern))).map_err(|error| {
        Error::new(ErrorKind::InvalidOperation, format!("`{pattern}` is not a regular expression: {error}"))
    })?;
    if cache.len() >= MAX_CACHED {
        cache.clear();
    }
    let regex = Arc::new(regex);
    cache.insert(key, regex.clone());
    Ok(regex)
}

/// A replacement in Python's notation (`\1`, `\g<name>`) as the regex crate writes it.
pub fn replacement(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '$' => out.push_str("$$"),
            '\\' => match chars.next() {
                Some(digit) if digit.is_ascii_digit() => {
                    let mut number = String::from(digit);
                    if let Some(second) = chars.next_if(char::is_ascii_digit) {
                        number.push(second);
                    }
                    out.push_str(&format!("${{{number}}}"));
                }
                Some('g') if chars.peek() == Some(&'<') => {
                    chars.next();
                    let name: String = chars.by_ref().take_while(|c| *c != '>').collect();
                    out.push_str(&format!("${{{name}}}"));
                }
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('\\') => out.push('\\'),
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                }
                None => out.push('\\'),
            },
            other => out.push(other),
        }
    }
    out
}
