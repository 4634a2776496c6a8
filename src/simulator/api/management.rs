//! The APIs about the APIs: addresses, quotas and request ids.

use serde_json::{Value, json};

use super::{APIS, quota_of};
use crate::simulator::errcode::Failure;
use crate::simulator::incoming::{self, Incoming};
use crate::simulator::state::State;

/// A request id is remembered this long, in seconds.
const RID_LIFETIME: u64 = 7 * 86_400;

/// `/cgi-bin/get_api_domain_ip`: here, the address that the caller has reached.
pub(super) fn api_addresses(
    _state: &mut State,
    _appid: &str,
    incoming: &Incoming,
) -> Result<Value, Failure> {
    let host = incoming.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    let authority = host.and_then(|host| host.parse::<http::uri::Authority>().ok());
    let address = authority.as_ref().map_or("127.0.0.1", |authority| authority.host());
    Ok(json!({ "ip_list": [address] }))
}

/// `/cgi-bin/getcallbackip`: the simulator pushes nothing, so that nothing pushes.
pub(super) fn callback_addresses(
    _state: &mut State,
    _appid: &str,
    _incoming: &Incoming,
) -> Result<Value, Failure> {
    Ok(json!({ "ip_list": [] }))
}

/// `/cgi-bin/clear_quota`: sets the daily counters of the app back.
pub(super) fn clear_quota(
    state: &mut State,
    appid: &str,
    incoming: &Incoming,
) -> Result<Value, Failure> {
    let request = incoming.json()?;
    if incoming::text(&request, "appid") != Some(appid) {
        return Err(Failure::of(40013));
    }
    state.quotas.clear(appid, incoming.now)?;
    Ok(json!({ "errcode": 0, "errmsg": "ok" }))
}

/// `/cgi-bin/openapi/quota/get`: the limits of an API and what is left of them.
pub(super) fn quota(state: &mut State, appid: &str, incoming: &Incoming) -> Result<Value, Failure> {
    let request = incoming.json()?;
    let path = incoming::text(&request, "cgi_path").unwrap_or_default();
    let api = APIS.iter().find(|api| api.path == path).ok_or_else(|| Failure::of(76021))?;
    if path.starts_with("/sns/") {
        return Err(Failure::of(76022));
    }
    let used = state.quotas.used_today(appid, path, incoming.now);
    let quota = quota_of(state, api);
    // WeChat writes 0 where there is no limit.
    let daily_limit = quota.per_day.unwrap_or(0);
    Ok(json!({
        "errcode": 0,
        "errmsg": "ok",
        "quota": {
            "daily_limit": daily_limit,
            "used": used,
            "remain": daily_limit.saturating_sub(used),
        },
        "rate_limit": { "call_count": quota.per_minute.unwrap_or(0), "refresh_second": 60 },
    }))
}

/// `/cgi-bin/openapi/rid/get`: the call behind the request id of an errmsg.
pub(super) fn rid(state: &mut State, appid: &str, incoming: &Incoming) -> Result<Value, Failure> {
    let request = incoming.json()?;
    let rid = incoming::text(&request, "rid").unwrap_or_default();
    if !is_rid(rid) {
        return Err(Failure::of(76002));
    }
    let call = state.calls.find(rid).ok_or_else(|| Failure::of(76001))?;
    if call.api.starts_with("/sns/") {
        return Err(Failure::of(76022));
    }
    if call.appid.as_deref().is_some_and(|owner| owner != appid) {
        return Err(Failure::of(76003));
    }
    if call.time + RID_LIFETIME <= incoming.now {
        return Err(Failure::of(76004));
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in &call.query {
        query.append_pair(name, value.as_str().unwrap_or_default());
    }
    Ok(json!({
        "errcode": 0,
        "errmsg": "ok",
        "request": {
            "invoke_time": call.time,
            "cost_in_ms": call.cost_ms,
            "request_url": format!("{}?{}", call.api, query.finish()),
            "request_body": call.body,
            "response_body": call.answer,
            "client_ip": call.peer,
        },
    }))
}

fn is_rid(text: &str) -> bool {
    let groups: Vec<_> = text.split('-').collect();
    groups.len() == 3
        && groups
            .iter()
            .all(|group| group.len() == 8 && group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
