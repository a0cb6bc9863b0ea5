//! One machine: the command, the standard library on real files, packages and users, and what never leaks.

mod cli;
mod every_function;
mod leaks;
mod standard_library;
mod system;
mod writes;
