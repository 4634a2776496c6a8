//! What the gateway promises of the services behind it, through its front door.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests stand outside of them"
)]

mod answers;
mod balancing;
mod breaks;
#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "../support/certificates.rs"]
mod certificates;
mod configuration;
mod early_answers;
mod ejection;
mod grpc;
mod health;
mod http10;
mod retries;
mod rewriting;
mod servers;
mod support;
mod timeouts;
mod tls;
mod tunnels;
