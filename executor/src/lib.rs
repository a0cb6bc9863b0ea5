//! Runs a DAG: the [`runner`], and what it takes to run on [this machine](local).
//!
//! The executor never parses `.zy`; it asks the compiler for a [`Dag`](zester_compiler::ir::Dag).

pub mod local;
pub mod runner;
