//! Argument structs: Rust types of fields and the types of the language they stand for.
//!
//! A struct with `#[derive(Arguments)]` is a function's parameter list. Values reach it decoded by the signature
//! ([`decode`](super::decode)), so a [`FromValue`] sees canonical values only: a mode as four octal digits, a
//! duration as seconds.

use super::{Map, Signature, Type, Value};
use indexmap::IndexMap;
use std::sync::Arc;

/// An argument struct. Implemented by `#[derive(Arguments)]`.
pub trait Arguments: Sized {
    /// The signature its fields and doc comments declare.
    fn signature() -> Signature;

    /// Builds it from decoded values, keyed by parameter name. The error names the parameter.
    fn from_values(values: &Map) -> Result<Self, String>;
}

/// A Rust type a parameter may have.
pub trait FromValue: Sized {
    /// The type it declares.
    fn ty() -> Type;

    /// Reads a decoded value. The error says what was expected.
    fn from_value(value: &Value) -> Result<Self, String>;

    /// The value of a parameter that was not given; `None` when it must be.
    fn absent() -> Option<Self> {
        None
    }
}

fn mismatch<T>(expected: &str, found: &Value) -> Result<T, String> {
    Err(format!("expected {expected}, found {}", found.describe()))
}

impl FromValue for Value {
    fn ty() -> Type {
        Type::Any
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        Ok(value.clone())
    }
}

impl FromValue for String {
    fn ty() -> Type {
        Type::Str
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        match value {
            Value::Null | Value::List(_) | Value::Map(_) => mismatch("text", value),
            scalar => Ok(scalar.to_string()),
        }
    }
}

impl FromValue for bool {
    fn ty() -> Type {
        Type::Bool
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        value.as_bool().map_or_else(|| mismatch("true or false", value), Ok)
    }
}

macro_rules! integers {
    ($($int:ty),+) => {$(
        impl FromValue for $int {
            fn ty() -> Type {
                Type::Int {
                    min: i64::try_from(<$int>::MIN).unwrap_or(i64::MIN),
                    max: i64::try_from(<$int>::MAX).unwrap_or(i64::MAX),
                }
            }

            fn from_value(value: &Value) -> Result<Self, String> {
                let int = value.as_int().map_or_else(|| mismatch("an integer", value), Ok)?;
                <$int>::try_from(int).map_err(|_| format!("{int} is out of range"))
            }
        }
    )+};
}

integers!(i64, i32, u64, u32, u16, u8, usize);

impl FromValue for f64 {
    fn ty() -> Type {
        Type::Float
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        match value {
            Value::Float(x) => Ok(*x),
            Value::Int(i) => Ok(*i as f64),
            _ => mismatch("a number", value),
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn ty() -> Type {
        T::ty()
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        if value.is_null() { Ok(None) } else { T::from_value(value).map(Some) }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn ty() -> Type {
        Type::List(Box::new(T::ty()))
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        match value {
            Value::Null => Ok(Vec::new()),
            Value::List(list) => list.iter().map(T::from_value).collect(),
            single => Ok(vec![T::from_value(single)?]),
        }
    }

    fn absent() -> Option<Self> {
        Some(Vec::new())
    }
}

impl<T: FromValue> FromValue for IndexMap<String, T> {
    fn ty() -> Type {
        Type::Map(Box::new(T::ty()))
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        match value {
            Value::Null => Ok(IndexMap::new()),
            Value::Map(map) => map.iter().map(|(k, v)| Ok((k.clone(), T::from_value(v)?))).collect(),
            other => mismatch("a map", other),
        }
    }

    fn absent() -> Option<Self> {
        Some(IndexMap::new())
    }
}

/// Declares a newtype over text with a type of its own.
macro_rules! text_types {
    ($( $(#[doc = $doc:literal])+ $name:ident = $ty:expr; )+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
        pub struct $name(pub String);

        impl std::ops::Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromValue for $name {
            fn ty() -> Type {
                $ty
            }

            fn from_value(value: &Value) -> Result<Self, String> {
                String::from_value(value).map(Self)
            }
        }
    )+};
}

text_types! {
    /// A path of the machine.
    Path = Type::Path;
    /// A user's name or number.
    User = Type::User;
    /// A group's name or number.
    Group = Type::Group;
    /// An absolute URL.
    Url = Type::Url;
    /// Where a file's content comes from.
    Source = Type::Source;
    /// A checksum.
    Hash = Type::Hash;
    /// A regular expression, Python's dialect.
    Regex = Type::Regex;
    /// A user or group id, or a name.
    Id = Type::Str;
}

/// Text that must not be shown: its `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Arc<str>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl FromValue for Secret {
    fn ty() -> Type {
        Type::Secret(Box::new(Type::Str))
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        String::from_value(value).map(|s| Self(s.into()))
    }
}

/// Permission bits, `0` to `0o7777`; decoded from four octal digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mode(pub u32);

impl FromValue for Mode {
    fn ty() -> Type {
        Type::Mode
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        value
            .as_str()
            .and_then(|s| u32::from_str_radix(s, 8).ok())
            .filter(|m| *m <= 0o7777)
            .map_or_else(|| mismatch("an octal mode", value), |m| Ok(Self(m)))
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

/// A duration in seconds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Seconds(pub f64);

impl FromValue for Seconds {
    fn ty() -> Type {
        Type::Duration
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        f64::from_value(value).map(Self)
    }
}

/// A number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size(pub u64);

impl FromValue for Size {
    fn ty() -> Type {
        Type::Size
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        u64::from_value(value).map(Self)
    }
}

/// A list of texts; scalars of any kind are taken as their text.
pub type StringList = Vec<String>;
