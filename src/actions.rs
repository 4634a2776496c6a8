//! What the gateway answers itself: one file for each `action` of the configuration.
//!
//! An action takes the fields of a request and gives an answer or a refusal. It knows neither sockets
//! nor the proxy.

pub mod answer;
pub mod authorize;
pub mod exchange;
pub mod fields;
pub mod jwks;
pub mod key_check;
pub mod login;
pub mod logout;
pub mod open_data;
pub mod phone;
pub mod profile;
pub mod refresh;
pub mod session;
