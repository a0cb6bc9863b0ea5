//! From `.zy` text to a checked tree and a DAG.
//!
//! Pure by design: no clock, no process, no network; files come through [`source::Sources`], the machine through
//! the functions a caller registers. The rooms, in the order text walks through them: [`source`], [`syntax`],
//! [`template`], [`settings`], [`lower`], [`ir`]; beside them [`types`] (values and signatures), [`target`],
//! [`project`], [`fleet`], [`check`], [`format`], [`migrate`] and [`diagnostic`]; what editors ask is in [`query`].

pub mod check;
pub mod diagnostic;
pub mod fleet;
pub mod format;
pub mod infer;
pub mod ir;
pub mod lower;
pub mod migrate;
pub mod modules;
pub mod project;
pub mod query;
pub mod settings;
pub mod source;
pub mod syntax;
pub mod target;
pub mod template;
pub mod types;
