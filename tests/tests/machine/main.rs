//! One machine: the command, the standard library on real files, packages and users, and what never leaks.

mod cli;
mod every_function;
mod host;
mod leaks;
mod lvm;
mod mysql;
mod postgres;
mod standard_library;
mod system;
mod writes;
