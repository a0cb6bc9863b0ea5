//! One file per command; the doc comment of its arguments is its manual.

pub mod apply;
pub mod check;
pub mod completions;
pub mod doc;
pub mod explain;
pub mod facts;
pub mod plan;
pub mod render;
pub mod settings;
