//! `phone`: the phone number of the session's user and of nobody else.

mod access_token;
mod by_code;
mod refused;
