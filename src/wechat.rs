//! WeChat, as the gateway meets it: the calls to its server API, and the pure part, where keys,
//! ciphertexts and texts go in and values come out.

pub mod api_security;
pub mod app;
pub mod base64_repair;
pub mod client;
pub mod errcode;
pub mod open_data;
pub mod phone_info;
pub mod push;
pub mod raw_data;
pub mod session_key;
pub mod user;
