//! The rules of putting files together.

use crate::rule;

rule! {
    /// A ref names no file.
    ///
    /// ```yaml
    /// include: [comon]
    /// ```
    pub UNRESOLVED_REFERENCE = "Z0101", "unresolved-reference", Error;

    /// Files include each other in a circle.
    ///
    /// ```yaml
    /// include: [a]
    /// ```
    pub INCLUDE_CYCLE = "Z0103", "include-cycle", Error;

    /// `extend` names an id, or a function of it, that does not exist.
    ///
    /// ```yaml
    /// extend: {ngnix: {service: []}}
    /// ```
    pub UNKNOWN_EXTEND = "Z0109", "unknown-extend", Error;

    /// `exclude` names an id or a file that is not there.
    ///
    /// ```yaml
    /// exclude: [{id: ngnix}]
    /// ```
    pub UNKNOWN_EXCLUDE = "Z0110", "unknown-exclude", Error;

    /// A top file does not have the shape of one.
    ///
    /// ```yaml
    /// base: [web]
    /// ```
    pub TOP_SHAPE = "Z0111", "top-shape", Error;

    /// An id has the same function twice.
    ///
    /// ```yaml
    /// a: {pkg.installed: []}
    /// ```
    pub DUPLICATE_ID = "Z0221", "duplicate-id", Error;
}
