//! The language server over its protocol, as an editor drives it: typing, random edits, cancellation, broken messages;
//! and in real editors.

mod editors;
mod quality;
mod sealing;
mod typing;
