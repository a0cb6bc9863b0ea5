//! The `zester` command.

fn main() {}
