//! What the gateway answers itself: one file for each `action` of the configuration.
//!
//! An action takes the fields of a request and gives an answer or a refusal. It knows neither sockets
//! nor the proxy.

pub mod answer;
pub mod exchange;
pub mod fields;
pub mod key_check;
pub mod login;
pub mod logout;
pub mod open_data;
pub mod phone;
pub mod profile;
pub mod refresh;
pub mod session;

use crate::refusal::{Reason, Refusal};
use crate::session::NotAuthenticated;
use crate::session::store::Unavailable;

impl From<Unavailable> for Refusal {
    fn from(error: Unavailable) -> Self {
        Self::new(Reason::StoreUnavailable, error.to_string())
    }
}

impl From<NotAuthenticated> for Refusal {
    fn from(error: NotAuthenticated) -> Self {
        match error {
            NotAuthenticated::Invalid => Reason::TokenInvalid.into(),
            NotAuthenticated::Unavailable(error) => error.into(),
        }
    }
}
