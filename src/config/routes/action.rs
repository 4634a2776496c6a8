//! What a route does: its `action`, its `upstream` and its `auth`, which have to fit together.

use super::route::position;
use crate::config::key::Read;
use crate::config::problem::Complaint;
use crate::config::section::Section;
use crate::config::value::TEXT;
use crate::policy::route::{Action, Auth};

/// Their features come later.
const LATER: [Action; 1] = [Action::Push];

/// What the three keys say.
pub(super) struct Purpose {
    /// There is none where it cannot be told.
    pub(super) action: Option<Action>,
    pub(super) auth: Auth,
    pub(super) upstream: Option<usize>,
    /// Also where it names one that is not there.
    pub(super) has_upstream: bool,
}

pub(super) fn read(table: &mut Section<'_>, upstreams: &[String]) -> Purpose {
    let upstream =
        table.key("upstream").parsed(&TEXT, |name| position("upstream", name, upstreams));
    let action = action(table, upstream.is_given());
    let auth = table.key("auth").choice(&[
        ("required", Auth::Required),
        ("optional", Auth::Optional),
        ("none", Auth::None),
    ]);
    if let Some(action) = action {
        check_upstream(table, action, &upstream);
    }
    Purpose {
        action,
        auth: auth_of(action, auth),
        has_upstream: upstream.is_given(),
        upstream: upstream.optional(),
    }
}

fn action(table: &mut Section<'_>, has_upstream: bool) -> Option<Action> {
    let action = table.key("action").choice(&Action::NAMES);
    if !action.is_given() {
        if has_upstream {
            return Some(Action::Proxy);
        }
        let neither = Complaint::new("this route has neither `upstream` nor `action`");
        let help =
            "write upstream = \"NAME\" to hand its requests on, or an action such as \"login\"";
        table.reader().problem(table.place(), neither.help(help));
    }
    let value = action.value().copied();
    action.check(available).checked();
    value
}

fn available(action: &Action) -> Result<(), Complaint> {
    match LATER.contains(action) {
        true => Err(Complaint::new("is not available yet")),
        false => Ok(()),
    }
}

fn check_upstream(table: &Section<'_>, action: Action, upstream: &Read<'_, usize>) {
    let name = action.name();
    match action {
        Action::Proxy | Action::Profile | Action::Push if !upstream.is_given() => {
            let missing = Complaint::new(format!("action \"{name}\" needs an upstream"));
            table.reader().problem(table.place(), missing.help("write upstream = \"NAME\""));
        }
        Action::Authorize | Action::Jwks | Action::Logout | Action::Refresh | Action::Session => {
            upstream.unused(&format!("at action \"{name}\", which always answers by itself"));
        }
        _ => {}
    }
}

/// What holds for the action. What cannot work is a problem; there is nothing to choose otherwise.
fn auth_of(action: Option<Action>, auth: Read<'_, Auth>) -> Auth {
    let Some(action) = action else { return auth.or(Auth::Required) };
    let name = action.name();
    let contradiction =
        |why: &str| Err(Complaint::new(format!("contradicts action \"{name}\": {why}")));
    match action {
        Action::Jwks | Action::Login | Action::Push => {
            let why = match action {
                Action::Jwks => "public keys are for everybody",
                _ => "who calls it has no token yet",
            };
            let checked = auth.check(|auth| match auth {
                Auth::Required => contradiction(why),
                Auth::Optional | Auth::None => Ok(()),
            });
            checked.checked();
            Auth::None
        }
        Action::Proxy => auth.or(Auth::Required),
        Action::Authorize => auth
            .check(|auth| match auth {
                Auth::None => contradiction("it says whose the token is"),
                Auth::Optional | Auth::Required => Ok(()),
            })
            .or(Auth::Required),
        _ => auth
            .check(|auth| match auth {
                Auth::None | Auth::Optional => contradiction("it works for the user of the token"),
                Auth::Required => Ok(()),
            })
            .or(Auth::Required),
    }
}
