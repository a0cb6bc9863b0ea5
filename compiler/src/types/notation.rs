//! Types as people write them: `port`, `list<str>`, `int|bool`, `record{name: str, uid?: int}`, `secret<str>`.

use super::Type;
use crate::diagnostic::nearest;
use std::ops::Range;

/// Deepest nesting of a written type.
const MAX_DEPTH: usize = 32;

/// The names that stand alone.
const NAMES: &[(&str, Type)] = &[
    ("any", Type::Any),
    ("null", Type::Null),
    ("bool", Type::Bool),
    ("int", Type::INT),
    ("float", Type::Float),
    ("str", Type::Str),
    ("path", Type::Path),
    ("mode", Type::Mode),
    ("user", Type::User),
    ("group", Type::Group),
    ("duration", Type::Duration),
    ("size", Type::Size),
    ("url", Type::Url),
    ("source", Type::Source),
    ("hash", Type::Hash),
    ("regex", Type::Regex),
    ("ip", Type::Ip),
    ("cidr", Type::Cidr),
    ("hostname", Type::Hostname),
    ("port", Type::Port),
    ("locale", Type::Locale),
    ("timezone", Type::Timezone),
    ("version", Type::Version),
    ("command", Type::Command),
    ("template", Type::Template),
];

/// The names that have something in brackets behind them.
const BRACKETED: &[&str] = &["list", "map", "record", "enum", "secret", "cron", "int"];

/// What other languages call them.
const ELSEWHERE: &[(&str, &str)] = &[
    ("string", "str"),
    ("text", "str"),
    ("integer", "int"),
    ("number", "float"),
    ("boolean", "bool"),
    ("array", "list<any>"),
    ("object", "map<any>"),
    ("dict", "map<any>"),
    ("mapping", "map<any>"),
    ("none", "null"),
    ("file_mode", "mode"),
    ("password", "secret<str>"),
];

/// Why a text is no type.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct NotationError {
    /// A full sentence without a final period.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The bytes it is about.
    pub range: Range<usize>,
}

impl Type {
    /// Reads a type as [`Display`](std::fmt::Display) writes it. `list` and `map` alone hold anything.
    pub fn parse(text: &str) -> Result<Self, NotationError> {
        let mut reader = Reader { text, at: 0 };
        let ty = reader.union(0)?;
        reader.skip();
        if reader.at < text.len() {
            let rest = reader.at..text.trim_end().len();
            let words = text.get(rest.clone()).unwrap_or_default();
            return Err(reader.error(rest, format!("`{words}` stands behind the end of the type"), None));
        }
        Ok(ty)
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn error(&self, range: Range<usize>, message: String, help: Option<String>) -> NotationError {
        // An empty range at the end of the text points at its last character.
        let end = self.text.len();
        let start = range.start.min(end);
        NotationError { message, help, range: start..range.end.clamp(start, end) }
    }

    fn skip(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, c: char) -> bool {
        self.skip();
        let there = self.rest().starts_with(c);
        if there {
            self.at += c.len_utf8();
        }
        there
    }

    fn expect(&mut self, c: char, inside: &str) -> Result<(), NotationError> {
        if self.take(c) {
            return Ok(());
        }
        let at = self.at;
        let found = match self.rest().chars().next() {
            Some(next) => format!("found `{next}`"),
            None => "the text ends".to_owned(),
        };
        let end = at + self.rest().chars().next().map_or(0, char::len_utf8);
        Err(self.error(at..end, format!("expected `{c}` in `{inside}`, {found}"), None))
    }

    /// Letters, digits and `_`, with the place.
    fn word(&mut self) -> (&'t str, Range<usize>) {
        self.skip();
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').unwrap_or(rest.len());
        let start = self.at;
        self.at += length;
        (rest.get(..length).unwrap_or_default(), start..self.at)
    }

    fn union(&mut self, depth: usize) -> Result<Type, NotationError> {
        if depth > MAX_DEPTH {
            let end = self.text.len();
            let message = format!("a type is nested more than {MAX_DEPTH} deep");
            return Err(self.error(self.at..end, message, None));
        }
        let mut ty = self.single(depth)?;
        let optional = self.take('?');
        while self.take('|') {
            ty = ty.or(self.single(depth)?);
        }
        Ok(if optional { ty.or(Type::Null) } else { ty })
    }

    fn single(&mut self, depth: usize) -> Result<Type, NotationError> {
        let (name, range) = self.word();
        if name.is_empty() {
            let at = range.start;
            let end = at + self.rest().chars().next().map_or(0, char::len_utf8);
            return Err(self.error(at..end, "a type is missing here".to_owned(), Some(all_names())));
        }
        match name {
            "list" | "map" | "secret" => {
                let inner = if self.take('<') {
                    let inner = self.union(depth + 1)?;
                    self.expect('>', name)?;
                    inner
                } else if name == "secret" {
                    Type::Str
                } else {
                    Type::Any
                };
                let inner = Box::new(inner);
                Ok(match name {
                    "list" => Type::List(inner),
                    "map" => Type::Map(inner),
                    _ => Type::Secret(inner),
                })
            }
            "record" => self.record(depth),
            "enum" => self.words(),
            "cron" | "int" if self.take('(') => self.bounds(name, range.start),
            _ => match NAMES.iter().find(|(known, _)| *known == name) {
                Some((_, ty)) => Ok(ty.clone()),
                None => {
                    let help = unknown_help(name);
                    Err(self.error(range, format!("there is no type `{name}`"), Some(help)))
                }
            },
        }
    }

    fn record(&mut self, depth: usize) -> Result<Type, NotationError> {
        self.expect('{', "record")?;
        let mut fields: Vec<(String, Type, bool)> = Vec::new();
        while !self.take('}') {
            let (name, range) = self.word();
            if name.is_empty() {
                let end = range.start + self.rest().chars().next().map_or(0, char::len_utf8);
                let help = "write `record{name: str, uid?: int}`".to_owned();
                let message = "the name of a key is missing here".to_owned();
                return Err(self.error(range.start..end, message, Some(help)));
            }
            if fields.iter().any(|(known, ..)| known == name) {
                return Err(self.error(range, format!("`{name}` stands twice in this record"), None));
            }
            let optional = self.take('?');
            self.expect(':', "record")?;
            let ty = self.union(depth + 1)?;
            fields.push((name.to_owned(), ty, optional));
            if !self.take(',') {
                self.expect('}', "record")?;
                break;
            }
        }
        Ok(Type::Record(fields))
    }

    fn words(&mut self) -> Result<Type, NotationError> {
        self.expect('{', "enum")?;
        let end = self.rest().find('}').map(|end| self.at + end);
        let Some(end) = end else {
            let range = self.at..self.text.len();
            return Err(self.error(range, "expected `}` in `enum`, the text ends".to_owned(), None));
        };
        let inner = self.text.get(self.at..end).unwrap_or_default();
        let words: Vec<String> =
            inner.split(',').map(|w| w.trim().to_owned()).filter(|w| !w.is_empty()).collect();
        if words.is_empty() {
            let message = "an enum has at least one word".to_owned();
            return Err(self.error(self.at..end, message, Some("write `enum{on, off}`".to_owned())));
        }
        self.at = end + 1;
        Ok(Type::Enum(words))
    }

    /// `0..59)`, with either end left out for integers.
    fn bounds(&mut self, name: &str, start: usize) -> Result<Type, NotationError> {
        let rest = self.rest();
        let end = rest.find(')').map_or(self.text.len(), |end| self.at + end);
        let inner = self.text.get(self.at..end).unwrap_or_default();
        let help = format!("write `{name}(0..59)`");
        let malformed = |reader: &Self| {
            let message = format!("`{name}({inner})` has no range of numbers in it");
            reader.error(start..(end + 1).min(reader.text.len()), message, Some(help.clone()))
        };
        let Some((low, high)) = inner.split_once("..") else { return Err(malformed(self)) };
        let bound = |text: &str, without: i64| match text.trim() {
            "" => Some(without),
            text => text.parse::<i64>().ok(),
        };
        let (Some(min), Some(max)) = (bound(low, i64::MIN), bound(high, i64::MAX)) else {
            return Err(malformed(self));
        };
        if min > max || end >= self.text.len() {
            return Err(malformed(self));
        }
        self.at = end + 1;
        if name == "int" {
            return Ok(Type::Int { min, max });
        }
        match (u8::try_from(min), u8::try_from(max)) {
            (Ok(min), Ok(max)) => Ok(Type::CronField { min, max }),
            _ => Err(malformed(self)),
        }
    }
}

fn unknown_help(name: &str) -> String {
    if let Some((_, here)) = ELSEWHERE.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)) {
        return format!("here it is called `{here}`");
    }
    let known = NAMES.iter().map(|(name, _)| *name).chain(BRACKETED.iter().copied());
    match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => all_names(),
    }
}

fn all_names() -> String {
    let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
    format!("the types are {}, list<T>, map<T>, record{{…}}, enum{{…}}, secret<T> and A|B", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_shown() {
        for text in [
            "port",
            "list<port>",
            "int|bool",
            "record{name: str, uid?: int(1..65535), keys: list<str>}",
            "secret<str>",
            "map<list<str>|null>",
            "enum{on, off, auto}",
            "cron(0..59)",
            "int(0..)",
        ] {
            assert_eq!(Type::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Type::parse(" list ").unwrap(), Type::List(Box::new(Type::Any)));
        assert_eq!(Type::parse("str?").unwrap().to_string(), "str|null");
    }

    #[test]
    fn mistakes_have_places_and_help() {
        let error = |text: &str| {
            let error = Type::parse(text).unwrap_err();
            format!("{} at `{}`: {}", error.message, &text[error.range], error.help.unwrap_or_default())
        };
        assert_eq!(error("list<prot>"), "there is no type `prot` at `prot`: did you mean `port`?");
        assert_eq!(error("string"), "there is no type `string` at `string`: here it is called `str`");
        assert_eq!(error("list<str"), "expected `>` in `list`, the text ends at ``: ");
        assert_eq!(error("int bool"), "`bool` stands behind the end of the type at `bool`: ");
        assert!(error("int|").starts_with("a type is missing here at ``: the types are any, null"));
        assert_eq!(
            error("int(a..b)"),
            "`int(a..b)` has no range of numbers in it at `int(a..b)`: write `int(0..59)`"
        );
        assert_eq!(error("record{a: str, a: int}"), "`a` stands twice in this record at `a`: ");
        let deep = "list<".repeat(1000);
        assert!(error(&deep).starts_with("a type is nested more than 32 deep"));
    }

    #[test]
    fn any_text_is_survived() {
        for text in
            ["", "|", "record{", "record{ä", "enum{}", "cron(1..300)", "int(5..1)", "<>", "ß|ß", "list<int>>"]
        {
            assert!(Type::parse(text).is_err(), "{text}");
        }
    }
}
