//! The `imm` command.

fn main() {}
