//! WeChat's server API, as the gateway meets it.

pub mod app;
pub mod client;
pub mod errcode;
pub mod session_key;
pub mod user;
