//! The gateway through its front door: one module for each group of promises.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "clippy.toml allows them in tests, and this is what helps the tests"
)]

#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "../support/certificates.rs"]
mod certificates;
#[path = "../support/frames.rs"]
mod frames;
#[path = "../support/packages.rs"]
mod packages;
#[path = "../support/raw.rs"]
mod raw;
mod support;
#[path = "../support/upstream.rs"]
mod upstream;

mod access_log;
mod admin;
mod assertion;
mod authorize;
mod cloud_run;
mod configuration;
mod cors;
mod ext_authz;
mod front_end;
mod http2;
mod identity;
mod lifecycle;
mod listeners;
mod login;
mod metrics;
mod open_data;
mod origin;
mod phone;
mod profile;
mod proxying;
mod rate;
mod reload;
mod secrecy;
mod service_manager;
mod shutdown;
mod token;
mod trace_context;
mod traces;
mod wafer;
mod with_upstream;
