//! checkSessionKey and ResetUserSessionKey.

use serde_json::{Value, json};

use crate::simulator::errcode::Failure;
use crate::simulator::incoming::Incoming;
use crate::simulator::session_key::SessionKeys;
use crate::simulator::state::State;

/// `/wxa/checksession`: whether the backend's session key is the valid one.
pub(super) fn check(state: &mut State, appid: &str, incoming: &Incoming) -> Result<Value, Failure> {
    let openid = openid_of(incoming)?;
    let name = state.owner(appid, &openid, 40003)?;
    let keys = state.keys(appid, &name).ok_or_else(|| Failure::of(87009))?;
    verify(keys, incoming)?;
    if !keys.is_alive(incoming.now) {
        return Err(Failure::of(87009));
    }
    Ok(json!({ "errcode": 0, "errmsg": "ok" }))
}

/// `/wxa/resetusersessionkey`: a new key, which ends when the old one would have.
pub(super) fn reset(state: &mut State, appid: &str, incoming: &Incoming) -> Result<Value, Failure> {
    let openid = openid_of(incoming)?;
    let name = state.owner(appid, &openid, 40003)?;
    let keys = state.keys_mut(appid, &name).ok_or_else(|| Failure::of(87007))?;
    if !keys.is_alive(incoming.now) {
        return Err(Failure::of(87007));
    }
    verify(keys, incoming)?;
    keys.replace(incoming.now);
    Ok(json!({ "errcode": 0, "errmsg": "ok", "openid": openid, "session_key": keys.current() }))
}

fn openid_of(incoming: &Incoming) -> Result<String, Failure> {
    // The page lists the three as body members and its sample has them in the query.
    let openid = incoming.anywhere("openid");
    if openid.is_empty() || incoming.anywhere("signature").is_empty() {
        return Err(Failure::of(40097));
    }
    if incoming.anywhere("sig_method") != "hmac_sha256" {
        return Err(Failure::of(87008));
    }
    Ok(openid)
}

fn verify(keys: &SessionKeys, incoming: &Incoming) -> Result<(), Failure> {
    if keys.verify(&incoming.anywhere("signature")) { Ok(()) } else { Err(Failure::of(87009)) }
}
