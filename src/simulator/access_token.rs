//! The access tokens: of getAccessToken and of getStableAccessToken, which do not touch each other.

use std::collections::HashMap;

use super::errcode::Failure;
use super::{quota, random};

/// While a token is being renewed, the old one works this long beside the new one. It is also how
/// long before its end WeChat renews a stable token by itself.
const OVERLAP: u64 = 300;
/// Seconds between two forced refreshes.
const FORCE_INTERVAL: u64 = 30;
/// Forced refreshes in a day.
const FORCES_PER_DAY: u64 = 20;

/// A token as it is handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    /// The token.
    pub(super) token: String,
    /// Seconds until its end.
    pub(super) expires_in: u64,
}

#[derive(Debug)]
struct Issued {
    appid: String,
    expires: u64,
    /// Where a newer token has taken its place: until when it still works.
    replaced: Option<u64>,
}

#[derive(Debug, Default)]
struct Forced {
    at: Option<u64>,
    day: u64,
    count: u64,
}

/// The tokens of all apps.
#[derive(Debug, Default)]
pub(super) struct AccessTokens {
    issued: HashMap<String, Issued>,
    plain: HashMap<String, String>,
    stable: HashMap<String, String>,
    forced: HashMap<String, Forced>,
}

impl AccessTokens {
    /// getAccessToken: always a new token.
    pub(super) fn plain(&mut self, appid: &str, lifetime: u64, now: u64) -> Grant {
        let token = self.issue(appid, lifetime, now);
        if let Some(old) = self.plain.insert(appid.to_owned(), token.clone()) {
            self.replace(&old, now + OVERLAP);
        }
        Grant { token, expires_in: lifetime }
    }

    /// getStableAccessToken in normal mode: the same token until it is close to its end.
    pub(super) fn stable(&mut self, appid: &str, lifetime: u64, now: u64) -> Grant {
        let current = self.stable.get(appid).cloned();
        // A lifetime set shorter than the overlap must not renew at each call.
        let early = OVERLAP.min(lifetime / 2);
        if let Some(token) = &current
            && let Some(issued) = self.issued.get(token)
            && issued.expires > now + early
        {
            return Grant { token: token.clone(), expires_in: issued.expires - now };
        }
        let token = self.issue(appid, lifetime, now);
        if let Some(old) = current {
            self.replace(&old, now + OVERLAP);
        }
        self.stable.insert(appid.to_owned(), token.clone());
        Grant { token, expires_in: lifetime }
    }

    /// getStableAccessToken with `force_refresh`: a new token, and the old one dies at once.
    pub(super) fn force(&mut self, appid: &str, lifetime: u64, now: u64) -> Result<Grant, Failure> {
        let today = quota::day(now);
        let forced = self.forced.entry(appid.to_owned()).or_default();
        if forced.day != today {
            (forced.day, forced.count) = (today, 0);
        }
        if forced.at.is_some_and(|at| now < at + FORCE_INTERVAL) {
            return Err(Failure::of(45011));
        }
        if forced.count >= FORCES_PER_DAY {
            return Err(Failure::of(45009));
        }
        forced.at = Some(now);
        forced.count += 1;
        let token = self.issue(appid, lifetime, now);
        if let Some(old) = self.stable.insert(appid.to_owned(), token.clone()) {
            self.replace(&old, now);
        }
        Ok(Grant { token, expires_in: lifetime })
    }

    /// The app whose token this is.
    pub(super) fn check(&self, token: &str, now: u64) -> Result<&str, Failure> {
        if token.is_empty() {
            return Err(Failure::of(41001));
        }
        let Some(issued) = self.issued.get(token) else {
            return Err(Failure::of(if is_well_formed(token) { 40001 } else { 40014 }));
        };
        if issued.replaced.is_some_and(|until| now >= until) {
            Err(Failure::of(40001))
        } else if now >= issued.expires {
            Err(Failure::of(42001))
        } else {
            Ok(&issued.appid)
        }
    }

    fn issue(&mut self, appid: &str, lifetime: u64, now: u64) -> String {
        // Tokens that ended a day ago are no longer told from ones that never were.
        self.issued.retain(|_, issued| now < issued.expires + 86_400);
        let token = random::access_token();
        let issued = Issued { appid: appid.to_owned(), expires: now + lifetime, replaced: None };
        self.issued.insert(token.clone(), issued);
        token
    }

    fn replace(&mut self, token: &str, until: u64) {
        if let Some(issued) = self.issued.get_mut(token) {
            issued.replaced = Some(until);
        }
    }
}

/// Whether the text has the shape of a token at all: a number, an underscore, a long rest.
fn is_well_formed(token: &str) -> bool {
    token.split_once('_').is_some_and(|(version, rest)| {
        !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit()) && rest.len() >= 64
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errcode(tokens: &AccessTokens, token: &str, now: u64) -> i64 {
        tokens.check(token, now).err().map_or(0, |failure| failure.errcode)
    }

    #[test]
    fn a_stable_token_stays_until_five_minutes_before_its_end() {
        let mut tokens = AccessTokens::default();
        let first = tokens.stable("wx1", 7200, 0);
        let again = tokens.stable("wx1", 7200, 6855);
        assert_eq!((&again.token, again.expires_in), (&first.token, 345));
        let renewed = tokens.stable("wx1", 7200, 6900);
        assert_ne!(renewed.token, first.token);
        assert_eq!(renewed.expires_in, 7200);
        assert_eq!(errcode(&tokens, &first.token, 7199), 0, "both work while one is renewed");
        assert_eq!(errcode(&tokens, &first.token, 7200), 40001);
    }

    #[test]
    fn forcing_kills_the_old_token_and_is_limited() {
        let mut tokens = AccessTokens::default();
        let first = tokens.stable("wx1", 7200, 0);
        let plain = tokens.plain("wx1", 7200, 0);
        let mut now = 0;
        for _ in 0..20 {
            tokens.force("wx1", 7200, now).unwrap();
            assert_eq!(tokens.force("wx1", 7200, now + 29).unwrap_err().errcode, 45011);
            now += 30;
        }
        assert_eq!(tokens.force("wx1", 7200, now).unwrap_err().errcode, 45009);
        assert_eq!(errcode(&tokens, &first.token, 0), 40001);
        assert_eq!(errcode(&tokens, &plain.token, 0), 0, "the two kinds are isolated");
        assert!(tokens.force("wx1", 7200, now + 86_400).is_ok());
    }

    #[test]
    fn a_plain_token_is_replaced_with_an_overlap() {
        let mut tokens = AccessTokens::default();
        let first = tokens.plain("wx1", 7200, 0);
        let second = tokens.plain("wx1", 7200, 10);
        assert_ne!(first.token, second.token);
        assert_eq!(errcode(&tokens, &first.token, 309), 0);
        assert_eq!(errcode(&tokens, &first.token, 310), 40001);
        assert_eq!(errcode(&tokens, &second.token, 7210), 42001);
    }

    #[test]
    fn tokens_that_never_were_are_told_by_their_shape() {
        let tokens = AccessTokens::default();
        assert_eq!(errcode(&tokens, "", 0), 41001);
        assert_eq!(errcode(&tokens, "nonsense", 0), 40014);
        assert_eq!(errcode(&tokens, &random::access_token(), 0), 40001);
    }
}
