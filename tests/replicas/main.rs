//! Several gateways on one Redis, through their front doors: what one of them learns, all of them know,
//! and what Redis does to them, their clients hardly notice.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it measured"
)]

#[path = "../support/chaos.rs"]
mod chaos;
#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "../support/raw.rs"]
mod raw;
#[path = "../support/redis.rs"]
mod redis_server;
mod support;
#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "../support/upstream.rs"]
mod upstream;

mod access_token;
mod at_rest;
mod damaged;
mod ended_apps;
mod exchange;
mod failover;
mod key_burst;
mod logout_race;
mod outages;
mod rates;
mod readiness;
mod reload;
mod shared_loads;
mod sharing;
mod tunnels;
