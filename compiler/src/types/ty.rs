//! Types of parameters, facts and settings.

use std::fmt;

/// A type. What it accepts is decided in [`decode`](super::decode), what it is called in [`Display`](fmt::Display).
#[derive(Clone, PartialEq, Debug)]
pub enum Type {
    /// Anything; not checked.
    Any,
    /// `null`
    Null,
    /// `true`/`false`, and `yes/no/on/off` in any case.
    Bool,
    /// An integer within a range, both ends included.
    Int {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// A number.
    Float,
    /// Text, as the author wrote it: `1.10` is the text `1.10`.
    Str,
    /// A path of the machine; absolute unless the parameter says otherwise.
    Path,
    /// Octal permission bits; decoded to four octal digits (`"0644"`). `keep` where the parameter allows it.
    Mode,
    /// A user's name or number.
    User,
    /// A group's name or number.
    Group,
    /// Seconds; `10s`, `5m`, `2h`, `1d`, or a plain number. Decoded to a number of seconds.
    Duration,
    /// Bytes; `10M`, `1G`. Decoded to a number of bytes.
    Size,
    /// An absolute URL.
    Url,
    /// A file source: `zester://`, `salt://`, `http(s)://`, `file://`, or an absolute path.
    Source,
    /// A checksum: `sha256=…`, bare hex, or the address of a checksum file.
    Hash,
    /// A regular expression in Python's dialect.
    Regex,
    /// One field of a cron line; the range of its numbers.
    CronField {
        /// Least value.
        min: u8,
        /// Greatest value.
        max: u8,
    },
    /// An IPv4 or IPv6 address.
    Ip,
    /// An address with a prefix length.
    Cidr,
    /// A host name.
    Hostname,
    /// 1 to 65535.
    Port,
    /// A locale name (`en_US.UTF-8`).
    Locale,
    /// An IANA time zone.
    Timezone,
    /// A package version.
    Version,
    /// A shell command line.
    Command,
    /// A template engine's name: `jinja`, or a boolean.
    Template,
    /// One of these words.
    Enum(Vec<String>),
    /// A list; a single value is taken as a list of one.
    List(Box<Type>),
    /// A map with text keys.
    Map(Box<Type>),
    /// A map with known keys: name, type, whether it may be missing.
    Record(Vec<(String, Type, bool)>),
    /// Either.
    Union(Vec<Type>),
    /// A value that must not be shown.
    Secret(Box<Type>),
}

impl Type {
    /// An integer without bounds.
    pub const INT: Type = Type::Int { min: i64::MIN, max: i64::MAX };

    /// The union of two types, flattened and without repetition.
    pub fn or(self, other: Type) -> Type {
        if self == other {
            return self;
        }
        if self == Type::Any || other == Type::Any {
            return Type::Any;
        }
        let mut members = Vec::new();
        for ty in [self, other] {
            match ty {
                Type::Union(inner) => members.extend(inner),
                ty => members.push(ty),
            }
        }
        let mut unique: Vec<Type> = Vec::new();
        for ty in members {
            if !unique.contains(&ty) {
                unique.push(ty);
            }
        }
        Type::Union(unique)
    }

    /// Whether a value of it must be masked.
    pub fn is_secret(&self) -> bool {
        match self {
            Type::Secret(_) => true,
            Type::List(inner) | Type::Map(inner) => inner.is_secret(),
            Type::Union(members) => members.iter().any(Type::is_secret),
            _ => false,
        }
    }
}

/// The name as docs and messages write it: `list<str>`, `secret<str>`, `int|bool`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Type::Any => "any",
            Type::Null => "null",
            Type::Bool => "bool",
            Type::Int { min: i64::MIN, max: i64::MAX } => "int",
            Type::Int { min, max: i64::MAX } => return write!(f, "int({min}..)"),
            Type::Int { min, max } => return write!(f, "int({min}..{max})"),
            Type::Float => "float",
            Type::Str => "str",
            Type::Path => "path",
            Type::Mode => "mode",
            Type::User => "user",
            Type::Group => "group",
            Type::Duration => "duration",
            Type::Size => "size",
            Type::Url => "url",
            Type::Source => "source",
            Type::Hash => "hash",
            Type::Regex => "regex",
            Type::CronField { min, max } => return write!(f, "cron({min}..{max})"),
            Type::Ip => "ip",
            Type::Cidr => "cidr",
            Type::Hostname => "hostname",
            Type::Port => "port",
            Type::Locale => "locale",
            Type::Timezone => "timezone",
            Type::Version => "version",
            Type::Command => "command",
            Type::Template => "template",
            Type::Enum(words) => return write!(f, "enum{{{}}}", words.join(", ")),
            Type::List(inner) => return write!(f, "list<{inner}>"),
            Type::Map(inner) => return write!(f, "map<{inner}>"),
            Type::Record(fields) => {
                f.write_str("record{")?;
                for (index, (name, ty, optional)) in fields.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{name}{}: {ty}", if *optional { "?" } else { "" })?;
                }
                return f.write_str("}");
            }
            Type::Union(members) => {
                for (index, ty) in members.iter().enumerate() {
                    write!(f, "{}{ty}", if index == 0 { "" } else { "|" })?;
                }
                return Ok(());
            }
            Type::Secret(inner) => return write!(f, "secret<{inner}>"),
        };
        f.write_str(name)
    }
}
