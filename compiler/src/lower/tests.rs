//! Lowering of whole trees.
