//! Who the upstream is told the caller is: what is taken off a request, and what is set on it.

pub mod forwarded;
mod header_rules;
pub mod mutations;
pub mod trace_context;

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};

pub use header_rules::{HOP_BY_HOP, HeaderRules};

use crate::session::Caller;
use crate::wechat::app::App;

/// The `[identity]` table: the names of the headers that the upstream reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The user's openid.
    pub openid: HeaderName,
    /// The user's unionid, where WeChat gave one.
    pub unionid: HeaderName,
    /// The app's appid.
    pub appid: HeaderName,
    /// What triggered the request: `wx_client`. Cloud Run services take its presence as proof.
    pub source: HeaderName,
    /// The request id.
    pub call_id: HeaderName,
    /// The app's Cloud Run environment.
    pub env: HeaderName,
    /// Claims that a login upstream gave, by name.
    pub claims: BTreeMap<String, HeaderName>,
    /// Whether the token itself goes on to the upstream.
    pub forward_token: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            openid: HeaderName::from_static("x-wx-openid"),
            unionid: HeaderName::from_static("x-wx-unionid"),
            appid: HeaderName::from_static("x-wx-appid"),
            source: HeaderName::from_static("x-wx-source"),
            call_id: HeaderName::from_static("x-wx-call-id"),
            env: HeaderName::from_static("x-wx-env"),
            claims: BTreeMap::new(),
            forward_token: false,
        }
    }
}

impl Settings {
    /// Every name that only the gateway may set.
    pub fn names(&self) -> impl Iterator<Item = &HeaderName> {
        [&self.openid, &self.unionid, &self.appid, &self.source, &self.call_id, &self.env]
            .into_iter()
            .chain(self.claims.values())
    }
}

/// What is set on the requests of the users of each app.
#[derive(Debug)]
pub struct Identity {
    settings: Settings,
    /// By the position of the app in the settings.
    apps: Vec<AppValues>,
}

#[derive(Debug)]
struct AppValues {
    appid: HeaderValue,
    env: Option<HeaderValue>,
}

/// Whose request it is, as the headers tell the upstream.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The user's openid.
    pub openid: &'a HeaderValue,
    /// The user's unionid, where WeChat gave one.
    pub unionid: Option<&'a HeaderValue>,
    /// The position of the app in the settings.
    pub app: usize,
    /// What a login upstream said of the user.
    pub claims: &'a BTreeMap<String, String>,
}

impl<'a> From<&'a Caller> for Subject<'a> {
    fn from(caller: &'a Caller) -> Self {
        let (openid, unionid) = (&caller.openid, caller.unionid.as_ref());
        Self { openid, unionid, app: caller.app, claims: &caller.session.claims }
    }
}

impl Identity {
    /// Identities of these apps' users.
    pub fn new(settings: Settings, apps: &[App]) -> Self {
        let values = |app: &App| {
            // The configuration lets only visible ASCII through.
            let value = |text: &str| HeaderValue::from_str(text).ok();
            let appid = value(app.appid.as_str())?;
            Some(AppValues { appid, env: app.env.as_deref().and_then(value) })
        };
        Self { settings, apps: apps.iter().filter_map(values).collect() }
    }

    /// Writes the headers of this user.
    pub fn write(&self, subject: &Subject<'_>, request_id: &HeaderValue, headers: &mut HeaderMap) {
        let names = &self.settings;
        headers.insert(names.openid.clone(), subject.openid.clone());
        headers.insert(names.source.clone(), HeaderValue::from_static("wx_client"));
        headers.insert(names.call_id.clone(), request_id.clone());
        if let Some(unionid) = subject.unionid {
            headers.insert(names.unionid.clone(), unionid.clone());
        }
        if let Some(app) = self.apps.get(subject.app) {
            headers.insert(names.appid.clone(), app.appid.clone());
            if let Some(env) = &app.env {
                headers.insert(names.env.clone(), env.clone());
            }
        }
        for (claim, name) in &names.claims {
            let value = subject.claims.get(claim);
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
                headers.insert(name.clone(), value);
            }
        }
    }

    /// Every name that only the gateway may set.
    pub fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.settings.names()
    }

    /// Whether the token itself goes on to the upstream.
    pub fn forwards_token(&self) -> bool {
        self.settings.forward_token
    }
}
