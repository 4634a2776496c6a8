//! What the gateway must withstand, by the ids of `docs/security.md`: each attack on every kind of route,
//! over HTTP/1.1 and HTTP/2, before a service that records what reaches it, and followed by ordinary
//! requests that must be right.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests stand outside of them"
)]

#[path = "../support/frames.rs"]
mod frames;
#[path = "../support/http2_wire.rs"]
mod http2_wire;
#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "../support/raw.rs"]
mod raw;
mod support;
#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "../support/upstream.rs"]
mod upstream;

mod attack;
mod exhaustion;
mod framing;
mod headers;
mod paths;
mod sessions;
mod tokens;
