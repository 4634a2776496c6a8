//! How the gateway comes up and goes down.

pub mod closer;
pub mod in_flight;
pub mod patience;
pub mod ready;
pub mod reloads;
pub mod service_manager;
pub mod signals;
pub mod stopping;
