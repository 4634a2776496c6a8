//! Who the upstream is told the caller is: what is taken off a request, and what is set on it.

pub mod assertion;
pub mod forwarded;
mod header_rules;
pub mod mutations;
pub mod trace_context;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use http::{HeaderMap, HeaderName, HeaderValue};

pub use header_rules::{HOP_BY_HOP, HeaderRules, OVERRIDING};

use self::assertion::{Assertions, Said};
use crate::clock::Clock;
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
    /// The signed copy of it all, where there is one.
    pub assertion: Option<assertion::Settings>,
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
            assertion: None,
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
            .chain(self.assertion.iter().map(|assertion| &assertion.header))
    }
}

/// What is set on the requests of the users of each app.
#[derive(Debug)]
pub struct Identity {
    settings: Settings,
    /// By the position of the app in the settings.
    apps: Vec<AppValues>,
    assertions: Option<Assertions>,
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

/// The request by which somebody is told whose it is.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Its id.
    pub request_id: &'a HeaderValue,
    /// Who is told: the name of an upstream. None where another gateway is, which may tell anybody.
    pub audience: Option<&'a str>,
    /// What time it is.
    pub clock: &'a Clock,
    /// Where its assertion is kept, which is made once.
    pub assertion: &'a OnceLock<HeaderValue>,
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
        let assertions = settings.assertion.clone().map(Assertions::new);
        Self { settings, apps: apps.iter().filter_map(values).collect(), assertions }
    }

    /// Writes the headers of this user.
    pub fn write(&self, subject: &Subject<'_>, call: &Call<'_>, headers: &mut HeaderMap) {
        let names = &self.settings;
        headers.insert(names.openid.clone(), subject.openid.clone());
        headers.insert(names.source.clone(), HeaderValue::from_static("wx_client"));
        headers.insert(names.call_id.clone(), call.request_id.clone());
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
        if let Some(assertions) = &self.assertions
            && let Some(assertion) = assertions.of(&self.said(subject), call)
        {
            headers.insert(assertions.header().clone(), assertion);
        }
    }

    /// The assertions, where they are configured.
    pub fn assertions(&self) -> Option<&Assertions> {
        self.assertions.as_ref()
    }

    fn said<'a>(&'a self, subject: &Subject<'a>) -> Said<'a> {
        let told = self.settings.claims.keys();
        let claims = told.filter_map(|name| {
            let (name, value) = subject.claims.get_key_value(name)?;
            Some((name.as_str(), value.as_str()))
        });
        Said {
            openid: subject.openid,
            appid: self.apps.get(subject.app).map(|app| &app.appid),
            unionid: subject.unionid,
            claims: claims.collect(),
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
