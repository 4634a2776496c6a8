//! What can be turned in the simulator while it runs.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::quota::Quota;

/// The switches. The defaults are WeChat's own behaviour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The addresses (or networks such as `10.0.0.0/8`) that may fetch an access_token; everybody
    /// else gets 40164. `None` turns the whitelist off.
    pub ip_whitelist: Option<Vec<String>>,
    /// What the account's admin said to this address, where the account asks the admin.
    pub admin_confirmation: Option<AdminConfirmation>,
    /// The apps whose AppSecret is frozen: 40243 wherever the secret or a token of theirs comes.
    pub frozen_apps: Vec<String>,
    /// The life of an access_token in seconds.
    pub token_seconds: u64,
    /// Two login codes within these seconds share one session key; 0 makes a new one each time.
    pub key_refresh_seconds: u64,
    /// A session key dies after these idle seconds.
    pub key_idle_seconds: u64,
    /// Whether the apps are bound to an open-platform account, and so get unionids.
    pub unionid: bool,
    /// The apps that `unionid` is for; empty means all of them.
    pub unionid_apps: Vec<String>,
    /// The errcode of a phone code that comes with another user's openid. WeChat does not document
    /// it.
    pub phone_mismatch_errcode: i64,
    /// The login codes that one user may exchange in a minute before 45011; `None` for no limit.
    pub logins_per_minute: Option<u64>,
    /// Limits of an API, by path, in the place of WeChat's.
    pub quotas: BTreeMap<String, Quota>,
    /// Words that make a text risky.
    pub risky_words: Vec<String>,
    /// Words that make a text one for human review.
    pub review_words: Vec<String>,
    /// Texts in the bytes of an image that make it risky.
    pub risky_image_markers: Vec<String>,
}

/// The admin's answer about an unknown address on the token APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdminConfirmation {
    /// None yet (89503).
    Pending,
    /// No, for a day (89506).
    RefusedForDay,
    /// No, for an hour (89507).
    RefusedForHour,
}

impl AdminConfirmation {
    pub(super) fn errcode(self) -> i64 {
        match self {
            Self::Pending => 89503,
            Self::RefusedForDay => 89506,
            Self::RefusedForHour => 89507,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ip_whitelist: None,
            admin_confirmation: None,
            frozen_apps: Vec::new(),
            token_seconds: 7200,
            key_refresh_seconds: 60,
            // What users of the API observe; WeChat does not disclose it.
            key_idle_seconds: 3 * 86_400,
            unionid: false,
            unionid_apps: Vec::new(),
            phone_mismatch_errcode: 40003,
            logins_per_minute: None,
            quotas: BTreeMap::new(),
            risky_words: vec!["risky".to_owned()],
            review_words: vec!["doubtful".to_owned()],
            risky_image_markers: vec!["RISKY".to_owned()],
        }
    }
}

impl Settings {
    /// Checks what the types do not say.
    pub(super) fn check(&self) -> Result<(), String> {
        for entry in self.ip_whitelist.iter().flatten() {
            if network(entry).is_none() {
                return Err(format!(
                    "\"ip_whitelist\" takes addresses such as \"10.0.0.1\" and networks such as \
                     \"10.0.0.0/8\", not {entry:?}."
                ));
            }
        }
        if self.token_seconds == 0 {
            return Err("\"token_seconds\" must be at least 1.".to_owned());
        }
        Ok(())
    }

    pub(super) fn is_whitelisted(&self, address: IpAddr) -> bool {
        self.ip_whitelist.as_ref().is_none_or(|entries| {
            entries.iter().filter_map(|entry| network(entry)).any(|net| net.contains(&address))
        })
    }

    pub(super) fn has_unionid(&self, appid: &str) -> bool {
        self.unionid
            && (self.unionid_apps.is_empty() || self.unionid_apps.iter().any(|app| app == appid))
    }
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whitelist_takes_addresses_and_networks() {
        let mut settings = Settings::default();
        let local = IpAddr::from([127, 0, 0, 1]);
        assert!(settings.is_whitelisted(local));
        settings.ip_whitelist = Some(vec!["10.0.0.0/8".to_owned()]);
        assert!(!settings.is_whitelisted(local));
        settings.ip_whitelist = Some(vec!["127.0.0.1".to_owned()]);
        assert!(settings.is_whitelisted(local));
        settings.ip_whitelist = Some(vec!["localhost".to_owned()]);
        assert!(settings.check().unwrap_err().contains("localhost"));
    }
}
