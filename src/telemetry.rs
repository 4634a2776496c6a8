//! What the operator sees of the gateway.

pub mod log;
pub mod metrics;
pub mod seldom;
pub mod traces;
