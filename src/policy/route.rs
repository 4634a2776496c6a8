//! Which rule a request falls under.
//!
//! The most specific rule wins, whatever the order in the file: an exact path before a longer prefix
//! before a shorter one, a named host before none, named methods before none.

mod header_changes;
mod pattern;
mod profile;
mod rewrite;
mod spelling;
mod strictness;
mod table;

use std::time::Duration;

use http::Method;

use super::cors::Cors;
use super::rate::RateLimit;

pub use header_changes::HeaderChanges;
pub use pattern::{BadPattern, Pattern};
pub use profile::{OnCheckOutage, OnReview, ProfileRules};
pub use rewrite::{BadRewrite, Rewrite};
pub use table::{Conflict, Fit, Outcome, Table};

/// One `[[routes]]` table, with its references resolved to positions in the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Its position in the settings; [`Table::build`] sets it.
    pub position: usize,
    /// What it is called in metrics and logs: its path as the configuration has it. [`Table::build`] sets it.
    pub name: String,
    /// The path or path prefix.
    pub path: Pattern,
    /// The host that the request must name, in lower case and without a port; any where there is none.
    pub host: Option<String>,
    /// The methods that it takes; all where it is empty.
    pub methods: Vec<Method>,
    /// What is done with the request.
    pub action: Action,
    /// Whether a token is asked for.
    pub auth: Auth,
    /// The position of its upstream in the settings. An action other than `proxy` may have none.
    pub upstream: Option<usize>,
    /// The positions of the apps whose users it serves; never empty.
    pub apps: Vec<usize>,
    /// What the upstream gets in the place of its path.
    pub rewrite: Option<Rewrite>,
    /// What is changed of a request before the upstream gets it.
    pub request_headers: HeaderChanges,
    /// What is changed of the upstream's answer.
    pub response_headers: HeaderChanges,
    /// To set up a connection, where it differs from the upstream's.
    pub connect_timeout: Option<Duration>,
    /// To the first byte of the answer and between bytes, where it differs from the upstream's.
    pub timeout: Option<Duration>,
    /// The largest request body in bytes, where it differs from `[limits]`.
    pub body_size: Option<u64>,
    /// How many requests it takes, where that is bounded.
    pub rate: Option<RateLimit>,
    /// Which pages of browsers may call it.
    pub cors: Option<Cors>,
    /// Where in the upstream's JSON answer to a login the token is put (RFC 6901).
    pub token_at: Option<String>,
    /// What holds where the action is `profile`.
    pub profile: ProfileRules,
}

impl Route {
    /// Whether a token is asked for, by the action where that has a say.
    pub fn authentication(&self) -> Auth {
        match self.action {
            Action::Jwks | Action::Login | Action::Push => Auth::None,
            Action::Authorize | Action::Proxy => self.auth,
            _ => Auth::Required,
        }
    }
}

/// The `action` of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the HTTP API says what each one does")]
pub enum Action {
    Authorize,
    Jwks,
    Login,
    Logout,
    OpenData,
    Phone,
    Profile,
    Proxy,
    Push,
    Refresh,
    Session,
}

impl Action {
    /// All of them, with their names in the configuration.
    pub const NAMES: [(&'static str, Self); 11] = [
        ("authorize", Self::Authorize),
        ("jwks", Self::Jwks),
        ("login", Self::Login),
        ("logout", Self::Logout),
        ("open-data", Self::OpenData),
        ("phone", Self::Phone),
        ("profile", Self::Profile),
        ("proxy", Self::Proxy),
        ("push", Self::Push),
        ("refresh", Self::Refresh),
        ("session", Self::Session),
    ];

    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, action)| *action == self).map_or("", |(name, _)| name)
    }
}

/// The `auth` of a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// No token or a bad one is refused.
    #[default]
    Required,
    /// No token is let through without an identity; a bad one is refused.
    Optional,
    /// The token is not looked at.
    None,
}
