//! The calls to WeChat that need an access_token, and the keeper of it: one module for each promise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy.toml allows them in tests, and this is what helps the tests"
)]

mod content_checks;
mod phone_number;
mod profile_checks;
mod profile_forms;
mod session_keys;
mod support;
mod token_failures;
mod token_invalidation;
mod token_renewal;
