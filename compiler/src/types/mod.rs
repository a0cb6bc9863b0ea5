//! Values, types and signatures: what the checker checks against, the docs print and the decoder enforces.

mod argument;
pub mod decode;
mod facts;
pub mod facts_grains;
pub mod facts_schema;
mod notation;
mod registry;
mod scalar;
mod signature;
mod ty;
mod value;

pub use argument::{
    Arguments, FromValue, Group, Hash, Id, Mode, Path, Regex, Seconds, Secret, Size, Source, StringList, Url,
    User,
};
pub use facts::{Facts, FactsError};
pub use notation::NotationError;
pub use registry::{FunctionName, Registry};
pub use scalar::resolve_plain;
pub use signature::{Constraint, Effect, FunctionKind, Param, Signature};
pub use ty::Type;
pub use value::{Map, Value};
