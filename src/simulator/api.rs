//! The APIs of WeChat that the simulator answers.

mod content;
mod login;
mod management;
mod phone;
mod session;
mod token;

use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use super::answer::Family;
use super::calls::Call;
use super::errcode::Failure;
use super::fault::{Effect, Fault};
use super::incoming::Incoming;
use super::quota::Quota;
use super::random;
use super::state::State;

/// What a call comes to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) family: Family,
    pub(super) body: Value,
    pub(super) effect: Effect,
    pub(super) delay: Duration,
}

struct Api {
    path: &'static str,
    verb: Verb,
    /// Its limits for an app, where WeChat documents them.
    quota: Quota,
    /// The errcode over the minute's limit.
    over_minute: i64,
    run: Run,
}

/// The method that an API takes.
#[derive(Clone, Copy)]
enum Verb {
    Either,
    Get,
    Post,
}

impl Verb {
    fn check(self, method: &Method) -> Result<(), Failure> {
        match self {
            Self::Get if method != Method::GET => Err(Failure::of(43001)),
            Self::Post if method != Method::POST => Err(Failure::of(43002)),
            Self::Either | Self::Get | Self::Post => Ok(()),
        }
    }
}

/// What stands for the caller.
#[derive(Clone, Copy)]
enum Run {
    /// The AppSecret, which the API checks itself.
    Secret(fn(&mut State, &Incoming) -> Result<Value, Failure>),
    /// An access token: the second argument is its app.
    Token(fn(&mut State, &str, &Incoming) -> Result<Value, Failure>),
}

const fn api(path: &'static str, verb: Verb, run: Run) -> Api {
    let quota = Quota { per_minute: None, per_day: None };
    Api { path, verb, quota, over_minute: 45011, run }
}

impl Api {
    const fn per_minute(mut self, calls: u64) -> Self {
        self.quota.per_minute = Some(calls);
        self
    }

    const fn per_day(mut self, calls: u64) -> Self {
        self.quota.per_day = Some(calls);
        self
    }

    const fn over_minute(mut self, errcode: i64) -> Self {
        self.over_minute = errcode;
        self
    }
}

static APIS: [Api; 14] = {
    use Run::{Secret, Token};
    use Verb::{Either, Get, Post};
    [
        api("/sns/jscode2session", Get, Secret(login::jscode2session)),
        api("/wxa/checksession", Either, Token(session::check)),
        api("/wxa/resetusersessionkey", Either, Token(session::reset)).per_minute(60_000),
        api("/cgi-bin/token", Get, Secret(token::plain)).per_day(2000),
        api("/cgi-bin/stable_token", Post, Secret(token::stable))
            .per_minute(10_000)
            .per_day(500_000),
        api("/wxa/business/getuserphonenumber", Post, Token(phone::number)),
        api("/wxa/msg_sec_check", Post, Token(content::text))
            .per_minute(4000)
            .per_day(2_000_000)
            .over_minute(44991),
        api("/wxa/img_sec_check", Post, Token(content::image)).per_minute(2000).per_day(200_000),
        api("/wxa/media_check_async", Post, Token(content::media))
            .per_minute(2000)
            .per_day(200_000)
            .over_minute(44991),
        api("/cgi-bin/get_api_domain_ip", Get, Token(management::api_addresses)),
        api("/cgi-bin/getcallbackip", Get, Token(management::callback_addresses)),
        api("/cgi-bin/clear_quota", Post, Token(management::clear_quota)),
        api("/cgi-bin/openapi/quota/get", Post, Token(management::quota)),
        api("/cgi-bin/openapi/rid/get", Post, Token(management::rid)),
    ]
};

/// The path of the API that a name means: its path or the last segment of it.
pub(super) fn path_of(name: &str) -> Result<&'static str, String> {
    let is_named = |path: &str| {
        path == name
            || (!name.is_empty() && path.strip_suffix(name).is_some_and(|p| p.ends_with('/')))
    };
    let mut found = APIS.iter().map(|api| api.path).filter(|path| is_named(path));
    match (found.next(), found.next()) {
        (Some(path), None) => Ok(path),
        _ => {
            let paths: Vec<_> = APIS.iter().map(|api| api.path).collect();
            Err(format!("{name:?} is no API here: name one of {}.", paths.join(", ")))
        }
    }
}

/// Whether the simulator answers the path.
pub(super) fn exists(path: &str) -> bool {
    APIS.iter().any(|api| api.path == path)
}

/// Answers a call and keeps it in the log.
pub(super) fn answer(state: &mut State, incoming: &Incoming) -> Outcome {
    let started = Instant::now();
    let fault = state.faults.take(&incoming.path);
    let fault = fault.unwrap_or_else(|| Fault::new(None, Effect::Nothing));
    let mut appid = None;
    let mut result =
        if fault.is_processed() { process(state, incoming, &mut appid) } else { Ok(json!({})) };
    if let Effect::Errcode(errcode, text) = &fault.effect {
        result = Err(match text {
            Some(text) => Failure::new(*errcode, text.clone()),
            None => Failure::of(*errcode),
        });
    }

    let family = Family::of(&incoming.path);
    let errcode = result.as_ref().err().map_or(0, |failure| failure.errcode);
    let rid = result.is_err().then(|| random::rid(incoming.now));
    let body = match (result, &rid) {
        (Err(failure), Some(rid)) => family.failure(&failure, rid),
        (Ok(body), _) => body,
        (Err(failure), None) => family.failure(&failure, ""),
    };
    let Fault { effect, delay, .. } = fault;
    let told = matches!(effect, Effect::Nothing | Effect::Errcode(..));
    let api = incoming.path.as_str();
    tracing::info!(api, appid, errcode = told.then_some(errcode), fault = effect.name(), "call");
    state.calls.push(Call {
        api: incoming.path.clone(),
        method: incoming.method.to_string(),
        query: incoming.query_map(),
        headers: incoming.header_map(),
        body: String::from_utf8_lossy(&incoming.body).into_owned(),
        peer: incoming.peer.to_string(),
        time: incoming.now,
        cost_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        errcode: told.then_some(errcode),
        fault: effect.name(),
        rid,
        appid,
        answer: Some(family.render(&body)),
    });
    Outcome { family, body, effect, delay }
}

fn process(
    state: &mut State,
    incoming: &Incoming,
    caller: &mut Option<String>,
) -> Result<Value, Failure> {
    let Some(api) = APIS.iter().find(|api| api.path == incoming.path) else {
        return Err(Failure::of(40066));
    };
    api.verb.check(&incoming.method)?;
    match api.run {
        Run::Secret(run) => {
            let appid = incoming.anywhere("appid");
            *caller = state.apps.has(&appid).then_some(appid);
            run(state, incoming)
        }
        Run::Token(run) => {
            let appid = state.token_owner(incoming.query("access_token"), incoming.now)?;
            *caller = Some(appid.clone());
            count(state, &appid, incoming)?;
            run(state, &appid, incoming)
        }
    }
}

/// Counts the call against the limits of its API.
fn count(state: &mut State, appid: &str, incoming: &Incoming) -> Result<(), Failure> {
    let Some(api) = APIS.iter().find(|api| api.path == incoming.path) else {
        return Ok(());
    };
    let quota = quota_of(state, api);
    state.quotas.count(appid, api.path, quota, incoming.now).map_err(|failure| {
        if failure.errcode == 45011 { Failure::of(api.over_minute) } else { failure }
    })
}

fn quota_of(state: &State, api: &Api) -> Quota {
    state.settings.quotas.get(api.path).copied().unwrap_or(api.quota)
}
