//! wxgate: the gateway that lets any backend serve WeChat Mini Programs.
//!
//! The modules stand in the order of their dependencies, lowest first; `tests/architecture.rs` holds
//! them so. A request goes one way through them: listen → proxy → policy (guard, path, route) →
//! session (who) → actions or identity → upstream.

pub mod certificate;
pub mod clock;
pub mod lifecycle;
pub mod rate;
pub mod refusal;
pub mod secret;
pub mod telemetry;

pub mod wechat;

pub mod session;

pub mod redis;

pub mod identity;
pub mod policy;
pub mod upstream;

pub mod access;

pub mod actions;

pub mod admin;
pub mod listen;

pub mod proxy;

pub mod ext_authz;

pub mod simulator;

pub mod config;

pub mod app;

pub mod cli;
