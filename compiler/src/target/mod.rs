//! The target language: which peels an expression names.
