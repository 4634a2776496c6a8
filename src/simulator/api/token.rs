//! getAccessToken and getStableAccessToken.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::simulator::access_token::Grant;
use crate::simulator::errcode::Failure;
use crate::simulator::incoming::{self, Incoming};
use crate::simulator::state::State;

/// `/cgi-bin/token`: a new token at each call.
pub(super) fn plain(state: &mut State, incoming: &Incoming) -> Result<Value, Failure> {
    let appid = incoming.query("appid");
    authorize(state, incoming, appid, incoming.query("secret"), incoming.query("grant_type"))?;
    let grant = state.tokens.plain(appid, state.settings.token_seconds, incoming.now);
    Ok(body(grant))
}

/// `/cgi-bin/stable_token`: the same token until it nears its end, unless a refresh is forced.
pub(super) fn stable(state: &mut State, incoming: &Incoming) -> Result<Value, Failure> {
    let request = incoming.json()?;
    let text = |name| incoming::text(&request, name).unwrap_or_default();
    let appid = text("appid");
    authorize(state, incoming, appid, text("secret"), text("grant_type"))?;
    let lifetime = state.settings.token_seconds;
    if request.get("force_refresh").and_then(Value::as_bool) == Some(true) {
        state.tokens.force(appid, lifetime, incoming.now).map(body)
    } else {
        Ok(body(state.tokens.stable(appid, lifetime, incoming.now)))
    }
}

/// The checks in WeChat's order: the app comes before the grant_type.
fn authorize(
    state: &mut State,
    incoming: &Incoming,
    appid: &str,
    secret: &str,
    grant_type: &str,
) -> Result<(), Failure> {
    state.apps.authenticate(appid, secret)?;
    if grant_type != "client_credential" {
        return Err(Failure::of(40002));
    }
    if !state.settings.is_whitelisted(incoming.peer) {
        return Err(not_whitelisted(incoming.peer));
    }
    if let Some(answer) = state.settings.admin_confirmation {
        return Err(Failure::of(answer.errcode()));
    }
    state.refuse_frozen(appid)?;
    super::count(state, appid, incoming)
}

fn not_whitelisted(peer: IpAddr) -> Failure {
    let v6 = match peer {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    Failure::new(40164, format!("invalid ip {peer} ipv6 {v6}, not in whitelist"))
}

fn body(Grant { token, expires_in }: Grant) -> Value {
    json!({ "access_token": token, "expires_in": expires_in })
}
