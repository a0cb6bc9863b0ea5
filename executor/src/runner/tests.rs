//! The runner on made-up states: every requisite against every result, test runs against applies.

mod matrix;
mod run;
mod step;
