//! The simulator through its sockets: one module for each promise.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "clippy.toml allows them in tests, and this is what helps the tests"
)]

mod content;
mod control;
mod docs;
mod external;
mod faults;
mod lifecycle;
mod log;
mod login;
mod management;
mod open_data;
#[path = "../support/packages.rs"]
#[allow(dead_code, reason = "the gateway's tests need more of it")]
mod packages;
mod phone;
mod session_keys;
mod support;
mod tokens;
