//! From documents to the DAG: include, extend, merge, names, requisites, order.

pub mod document;
