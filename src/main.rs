//! The `wxgate` command.

fn main() {}
