//! What it means for a request that its session cannot be had.

use super::NotAuthenticated;
use super::store::Unavailable;
use crate::refusal::{Reason, Refusal};

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
