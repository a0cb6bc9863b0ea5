//! The language server over its protocol, as an editor drives it: typing, random edits, cancellation, broken messages, directories without end;
//! and in real editors.

mod editors;
mod folders;
mod glance;
mod huge;
mod letters;
mod quality;
mod sealing;
mod typing;
