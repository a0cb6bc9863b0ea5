//! Runs a DAG: the [`runner`], and what it takes to run on [this machine](local).
//!
//! The executor never parses `.zy`; it asks the compiler for a [`Dag`](zester_compiler::ir::Dag).

pub mod auth;
pub mod bus;
pub mod enroll;
pub mod health;
pub mod job;
pub mod local;
pub mod master;
pub mod operator;
pub mod orchestration;
pub mod peel;
pub mod publish;
pub mod revision;
pub mod runner;
