//! WeChat's names for a person.

use std::fmt;

use super::app::AppId;

/// Ours have 28 characters; a longer name is no harm, a book is.
const MAX_LENGTH: usize = 64;

/// One user of one Mini Program.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct User {
    /// The Mini Program.
    pub appid: AppId,
    /// The user's name in it.
    pub openid: OpenId,
}

/// A user's name within one Mini Program.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OpenId(String);

/// A user's name over all apps of one open-platform account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnionId(String);

impl OpenId {
    /// Reads an openid: letters, digits, `-` and `_`, so that it fits a header and a key.
    pub fn parse(text: &str) -> Option<Self> {
        is_name(text).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl UnionId {
    /// Reads a unionid: letters, digits, `-` and `_`.
    pub fn parse(text: &str) -> Option<Self> {
        is_name(text).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_name(text: &str) -> bool {
    (1..=MAX_LENGTH).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

impl fmt::Display for OpenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
