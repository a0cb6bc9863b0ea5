//! The Zester language server: a thin protocol layer over the compiler.
