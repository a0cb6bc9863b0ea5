//! Names that become a token of a subject: peels, masters, jobs. Their grammar is what keeps one peel out of another's namespace.

use serde::{Deserialize, Deserializer, Serialize};
use std::{fmt, str::FromStr};

/// The longest name, in bytes.
pub const MAX_ID_BYTES: usize = 64;

/// Why a text is no name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IdError {
    /// Nothing there.
    #[error("the {0} is empty; it needs 1 to {MAX_ID_BYTES} letters, digits, `_` or `-`")]
    Empty(&'static str),
    /// Longer than [`MAX_ID_BYTES`].
    #[error("the {0} has {1} bytes; at most {MAX_ID_BYTES} are allowed")]
    TooLong(&'static str, usize),
    /// A character that means something to the server, or is easily mistaken for another.
    #[error(
        "the {kind} has `{}` at position {at}; only letters, digits, `_` and `-` of ASCII are allowed",
        character.escape_default()
    )]
    Character {
        /// What was read.
        kind: &'static str,
        /// The first character that is not allowed.
        character: char,
        /// Its place in characters, from 1.
        at: usize,
    },
    /// It begins with a character that programs read as an option, or that is reserved.
    #[error("the {0} begins with `{1}`, which is reserved; begin with a letter or a digit")]
    Reserved(&'static str, char),
}

/// Holds `text` against the grammar of names: `[A-Za-z0-9][A-Za-z0-9_-]{0,63}`.
pub fn check_id(kind: &'static str, text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty(kind));
    }
    if let Some((index, character)) =
        text.chars().enumerate().find(|(_, c)| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')))
    {
        return Err(IdError::Character { kind, character, at: index + 1 });
    }
    if text.len() > MAX_ID_BYTES {
        return Err(IdError::TooLong(kind, text.len()));
    }
    match text.chars().next() {
        // `_all` and its like are ours.
        Some(first @ ('_' | '-')) => Err(IdError::Reserved(kind, first)),
        _ => Ok(()),
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
        #[serde(transparent)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Reads one.
            pub fn new(text: &str) -> Result<Self, IdError> {
                check_id($kind, text)?;
                Ok(Self(text.into()))
            }

            /// Its text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// A peel: a machine's name in the fleet.
    PeelId,
    "peel id"
);
id!(
    /// A master process: new at each start.
    MasterId,
    "master id"
);
id!(
    /// An operator or a program that may ask for jobs.
    AdminId,
    "operator's name"
);
id!(
    /// A job: a ULID, so that ids sort by the time of their making.
    JobId,
    "job id"
);

impl JobId {
    /// A new one, later than all made before it in this process.
    pub fn generate() -> Self {
        use std::sync::{Mutex, PoisonError};
        static GENERATOR: Mutex<Option<ulid::Generator>> = Mutex::new(None);
        let mut generator = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
        let generator = generator.get_or_insert_with(ulid::Generator::new);
        // More than 2^80 in one millisecond: start over from a random one.
        let next = generator.generate().unwrap_or_else(|_| ulid::Ulid::r#gen());
        Self(next.to_string().into())
    }

    /// When it was made, in milliseconds of Unix time; nothing for ids that others made up.
    pub fn created_ms(&self) -> Option<u64> {
        ulid::Ulid::from_string(&self.0).ok().map(|u| u.timestamp_ms())
    }
}

impl MasterId {
    /// A new one.
    pub fn generate() -> Self {
        Self(format!("master-{}", ulid::Ulid::r#gen()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_refused() {
        let long = "a".repeat(65);
        for bad in
            ["", "*", ">", "a.b", "a b", "..", "/", "$SYS", "a\0", "pe\u{202e}el", "wеb", "-x", "_all", &long]
        {
            assert!(PeelId::new(bad).is_err(), "{bad:?}");
        }
        for good in ["web-01", "A", "db_2", "0", &"a".repeat(64)] {
            assert!(PeelId::new(good).is_ok(), "{good:?}");
        }
        let said = PeelId::new("web 01").unwrap_err().to_string();
        assert!(said.starts_with("the peel id has ` ` at position 4"), "{said}");
    }

    #[test]
    fn job_ids_sort_by_time() {
        let ids: Vec<JobId> = (0..1000).map(|_| JobId::generate()).collect();
        assert!(ids.is_sorted());
        assert!(ids[0].created_ms().is_some() && JobId::new("mine").unwrap().created_ms().is_none());
    }
}
