//! How much a route asks of a request: what a route for another spelling of its path is held to.

use super::{Action, Auth, Route};

/// What a route asks of a request, the least first: that the gateway answers itself comes before the
/// token, which two actions may ask for differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Strictness {
    is_answered_here: bool,
    token: Token,
}

/// What becomes of the token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Token {
    #[default]
    NotLookedAt,
    GoodIfThere,
    Good,
}

impl Strictness {
    pub(super) fn of(route: &Route) -> Self {
        let token = match route.authentication() {
            Auth::None => Token::NotLookedAt,
            Auth::Optional => Token::GoodIfThere,
            Auth::Required => Token::Good,
        };
        Self { is_answered_here: route.action != Action::Proxy, token }
    }
}
