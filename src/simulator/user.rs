//! The users of this WeChat, and the ids that apps know them by.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use serde::{Deserialize, Serialize};

/// What WeChat knows of a user. A user exists from the first time that the name is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The phone number without the country's prefix.
    pub phone_number: String,
    /// The country's prefix without a plus sign, such as `86`.
    pub country_code: String,
    /// The name in the user's profile.
    pub nick_name: String,
    /// The address of the user's picture.
    pub avatar_url: String,
    /// Whether this user has a unionid, in the apps that are bound to an open-platform account.
    pub unionid: bool,
    /// Whether WeChat blocks the user's login as a risk (40226).
    pub blocked: bool,
    /// Texts that the content check holds risky when they come from this user.
    pub risky_texts: Vec<String>,
}

impl User {
    /// The user of this name before anything is changed.
    pub(super) fn named(name: &str) -> Self {
        Self {
            phone_number: format!("138{:08}", number("phone", &[name]) % 100_000_000),
            country_code: "86".to_owned(),
            nick_name: name.to_owned(),
            avatar_url: format!("https://thirdwx.qlogo.cn/mmopen/vi_32/{}/132", token(&[name], 40)),
            unionid: true,
            blocked: false,
            risky_texts: Vec::new(),
        }
    }

    /// The number as `phoneNumber` has it: with a prefix only for a foreign one.
    pub(super) fn full_phone_number(&self) -> String {
        if self.country_code == "86" {
            self.phone_number.clone()
        } else {
            format!("+{}{}", self.country_code, self.phone_number)
        }
    }
}

/// The openid of a user in an app: 28 characters of which the first six are the app's.
pub(super) fn openid(appid: &str, user: &str) -> String {
    format!("o{}{}", token(&["openid", appid], 5), token(&["openid", appid, user], 22))
}

/// The unionid of a user for all apps of this world.
pub(super) fn unionid(user: &str) -> String {
    format!("o{}{}", token(&["unionid"], 5), token(&["unionid", user], 22))
}

/// The openGId of the group that the user shares to.
pub(super) fn group_id(appid: &str, user: &str) -> String {
    format!("tG{}", token(&["group", appid, user], 26))
}

/// The steps of a user on a day.
pub(super) fn steps(user: &str, day: u64) -> u64 {
    number("steps", &[user, &day.to_string()]) % 20_000
}

/// Letters of `[A-Za-z0-9_-]` that follow from the parts.
fn token(parts: &[&str], length: usize) -> String {
    URL_SAFE_NO_PAD.encode(hash(parts)).chars().take(length).collect()
}

fn number(purpose: &str, parts: &[&str]) -> u64 {
    let hash = hash(&[&[purpose], parts].concat());
    hash.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

fn hash(parts: &[&str]) -> Vec<u8> {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        // The length first, so that ("ab", "c") and ("a", "bc") differ.
        context.update(&part.len().to_be_bytes());
        context.update(part.as_bytes());
    }
    context.finish().as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openid_is_of_the_app_and_the_user() {
        let alice = openid("wx1", "alice");
        assert!(alice.len() == 28 && alice.starts_with('o'));
        assert_eq!(alice, openid("wx1", "alice"));
        assert_ne!(alice, openid("wx2", "alice"));
        let bob = openid("wx1", "bob");
        assert_ne!(alice, bob);
        assert_eq!(alice[..6], bob[..6], "openids of an app begin alike");
        assert!(unionid("alice").len() == 28 && unionid("alice") != unionid("bob"));
    }

    #[test]
    fn a_phone_number_abroad_carries_its_prefix() {
        let mut user = User::named("alice");
        assert_eq!(user.phone_number.len(), 11);
        assert_eq!(user.full_phone_number(), user.phone_number);
        user.country_code = "33".to_owned();
        user.phone_number = "612345678".to_owned();
        assert_eq!(user.full_phone_number(), "+33612345678");
    }
}
