//! Runs a DAG.
