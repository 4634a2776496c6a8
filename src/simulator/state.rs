//! What WeChat knows, behind one lock.

use std::collections::HashMap;

use super::access_token::AccessTokens;
use super::app::Apps;
use super::calls::CallLog;
use super::code::Codes;
use super::errcode::Failure;
use super::fault::Faults;
use super::quota::Quotas;
use super::session_key::SessionKeys;
use super::settings::Settings;
use super::user::{self, User};

/// The state. The APIs read and change it; see `World` for the way in.
#[derive(Debug)]
pub(super) struct State {
    pub(super) settings: Settings,
    pub(super) apps: Apps,
    pub(super) users: HashMap<String, User>,
    pub(super) login_codes: Codes,
    pub(super) phone_codes: Codes,
    pub(super) tokens: AccessTokens,
    pub(super) quotas: Quotas,
    pub(super) faults: Faults,
    pub(super) calls: CallLog,
    members: HashMap<String, HashMap<String, Member>>,
    /// Whose an openid is: the app and the user.
    openids: HashMap<String, (String, String)>,
}

/// A user in an app.
#[derive(Debug)]
struct Member {
    keys: SessionKeys,
    /// When the user was last there.
    seen: u64,
}

impl State {
    pub(super) fn new(apps: Vec<(String, String)>) -> Self {
        Self {
            settings: Settings::default(),
            apps: Apps::new(apps),
            users: HashMap::new(),
            login_codes: Codes::default(),
            phone_codes: Codes::default(),
            tokens: AccessTokens::default(),
            quotas: Quotas::default(),
            faults: Faults::default(),
            calls: CallLog::default(),
            members: HashMap::new(),
            openids: HashMap::new(),
        }
    }

    /// The user of this name.
    pub(super) fn user(&self, name: &str) -> User {
        self.users.get(name).cloned().unwrap_or_else(|| User::named(name))
    }

    /// The user's unionid, where the app gets one.
    pub(super) fn unionid(&self, appid: &str, name: &str) -> Option<String> {
        let given = self.settings.has_unionid(appid) && self.user(name).unionid;
        given.then(|| user::unionid(name))
    }

    /// What wx.login does to the session key: it may make a new one and kill the old.
    pub(super) fn acquire_key(&mut self, appid: &str, name: &str, new_key: bool, now: u64) {
        let refresh_seconds = if new_key { 0 } else { self.settings.key_refresh_seconds };
        let idle_seconds = self.settings.key_idle_seconds;
        let members = self.members.entry(appid.to_owned()).or_default();
        if let Some(member) = members.get_mut(name) {
            member.keys.acquire(now, refresh_seconds, idle_seconds);
            member.seen = now;
        } else {
            let keys = SessionKeys::new(now, idle_seconds);
            members.insert(name.to_owned(), Member { keys, seen: now });
        }
        self.openids.insert(user::openid(appid, name), (appid.to_owned(), name.to_owned()));
    }

    /// The user's keys in the app; none before the first login.
    pub(super) fn keys(&self, appid: &str, name: &str) -> Option<&SessionKeys> {
        Some(&self.members.get(appid)?.get(name)?.keys)
    }

    pub(super) fn keys_mut(&mut self, appid: &str, name: &str) -> Option<&mut SessionKeys> {
        Some(&mut self.members.get_mut(appid)?.get_mut(name)?.keys)
    }

    /// When the user was last in the app.
    pub(super) fn seen(&self, appid: &str, name: &str) -> Option<u64> {
        Some(self.members.get(appid)?.get(name)?.seen)
    }

    /// Notes that the user is there.
    pub(super) fn visit(&mut self, appid: &str, name: &str, now: u64) {
        let idle_seconds = self.settings.key_idle_seconds;
        let member = self.members.get_mut(appid).and_then(|members| members.get_mut(name));
        if let Some(member) = member {
            member.seen = now;
            if member.keys.is_alive(now) {
                member.keys.touch(now, idle_seconds);
            }
        }
    }

    /// The user whose openid this is; `other_app` is the errcode for the openid of another app.
    pub(super) fn owner(
        &self,
        appid: &str,
        openid: &str,
        other_app: i64,
    ) -> Result<String, Failure> {
        match self.openids.get(openid) {
            None => Err(Failure::of(40003)),
            Some((owner, _)) if owner != appid => Err(Failure::of(other_app)),
            Some((_, name)) => Ok(name.clone()),
        }
    }

    /// The app whose access token this is.
    pub(super) fn token_owner(&self, token: &str, now: u64) -> Result<String, Failure> {
        let appid = self.tokens.check(token, now)?;
        self.refuse_frozen(appid)?;
        Ok(appid.to_owned())
    }

    /// 40243 for an app whose AppSecret is frozen.
    pub(super) fn refuse_frozen(&self, appid: &str) -> Result<(), Failure> {
        if self.settings.frozen_apps.iter().any(|frozen| frozen == appid) {
            return Err(Failure::of(40243));
        }
        Ok(())
    }
}
