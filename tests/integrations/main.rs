//! Gateways that people already run, in front of wxgate and beside it: the real programs, with the files of
//! `docs/integrations`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "clippy.toml allows them in tests, and this is what helps the tests"
)]

#[path = "../support/raw.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod raw;
#[path = "../support/upstream.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod upstream;

mod envoy;
mod front;
mod haproxy;
mod nginx;
mod program;
mod support;
