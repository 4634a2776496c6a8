//! The gateway through its front door: one module for each group of promises.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "clippy.toml allows them in tests, and this is what helps the tests"
)]

#[path = "../support/packages.rs"]
mod packages;
#[path = "../support/raw.rs"]
mod raw;
mod support;
#[path = "../support/upstream.rs"]
mod upstream;

mod access_log;
mod admin;
mod cloud_run;
mod configuration;
mod front_end;
mod identity;
mod lifecycle;
mod login;
mod metrics;
mod open_data;
mod origin;
mod phone;
mod profile;
mod proxying;
mod secrecy;
mod token;
mod wafer;
mod with_upstream;
