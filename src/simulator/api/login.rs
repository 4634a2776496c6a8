//! code2Session: a login code for the openid and the session key.

use serde_json::{Value, json};

use crate::simulator::errcode::Failure;
use crate::simulator::incoming::Incoming;
use crate::simulator::quota::Quota;
use crate::simulator::state::State;
use crate::simulator::user;

/// `/sns/jscode2session`. It needs no access token, and the IP whitelist is not for it.
pub(super) fn jscode2session(state: &mut State, incoming: &Incoming) -> Result<Value, Failure> {
    let (appid, code, now) = (incoming.query("appid"), incoming.query("js_code"), incoming.now);
    state.apps.authenticate(appid, incoming.query("secret"))?;
    state.refuse_frozen(appid)?;
    if incoming.query("grant_type") != "authorization_code" {
        return Err(Failure::of(40002));
    }
    if code.is_empty() {
        return Err(Failure::of(41008));
    }
    let found = state.login_codes.find(code, appid, now).map_err(|error| error.at_login())?;
    let (name, unbound) = (found.user.clone(), found.appid.is_none());
    let openid = user::openid(appid, &name);
    // The limit is each user's, so the openid takes the place of the path.
    let limit = Quota { per_minute: state.settings.logins_per_minute, per_day: None };
    state.quotas.count(appid, &openid, limit, now)?;
    state.login_codes.use_up(code, appid);
    if state.user(&name).blocked {
        return Err(Failure::of(40226));
    }
    if unbound {
        state.acquire_key(appid, &name, false, now);
    }
    state.visit(appid, &name, now);
    let keys = state.keys(appid, &name).ok_or_else(|| Failure::of(-1))?;
    let mut body = json!({ "session_key": keys.current(), "openid": openid });
    if let (Some(unionid), Some(members)) = (state.unionid(appid, &name), body.as_object_mut()) {
        members.insert("unionid".to_owned(), unionid.into());
    }
    Ok(body)
}
