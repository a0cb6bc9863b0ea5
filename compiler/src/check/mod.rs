//! One file per family of rules: what is wrong with a tree, on every branch, before anything runs.
