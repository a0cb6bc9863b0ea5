//! `file.*`: files, directories and links.

mod absent;
mod accumulated;
mod append;
pub(crate) mod attributes;
pub(crate) mod backup;
mod blockreplace;
mod comment;
mod copy;
pub(crate) mod desired;
pub(crate) mod diff;
mod directory;
mod hardlink;
mod keyvalue;
mod line;
mod managed;
pub(crate) mod path;
pub(crate) mod pattern;
mod presence;
mod recurse;
mod rename;
mod replace;
pub(crate) mod select;
mod serialize;
mod serializer;
mod symlink;
pub(crate) mod template;
pub(crate) mod text;
mod touch;
mod yaml;

use crate::Library;

/// States whose work functions that are called do, too.
pub(crate) mod edits {
    pub(crate) use super::{
        blockreplace::BlockReplace,
        comment::{Comment, Uncomment},
        line::Line,
        replace::{Replace, finds},
    };
}

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library
        .state::<managed::Managed>()
        .state::<directory::Directory>()
        .state::<absent::Absent>()
        .state::<symlink::Symlink>()
        .state::<replace::Replace>()
        .state::<recurse::Recurse>()
        .state::<append::Append>()
        .state::<append::Prepend>()
        .state::<accumulated::Accumulated>()
        .state::<line::Line>()
        .state::<copy::Copy>()
        .state::<rename::Rename>()
        .state::<hardlink::HardLink>()
        .state::<serialize::Serialize>()
        .state::<blockreplace::BlockReplace>()
        .state::<presence::Exists>()
        .state::<presence::Missing>()
        .state::<touch::Touch>()
        .state::<keyvalue::KeyValue>()
        .state::<comment::Comment>()
        .state::<comment::Uncomment>();
}
