//! The Mini Programs that the gateway serves.

use std::fmt;

use crate::secret::Secret;

/// One `[apps.NAME]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// The name that the configuration gives it.
    pub name: String,
    /// WeChat's name for it.
    pub appid: AppId,
    /// The AppSecret.
    pub secret: Secret,
    /// The Cloud Run environment to show to upstreams.
    pub env: Option<String>,
}

/// An appid: `wx` and 16 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AppId(String);

impl AppId {
    /// Reads an appid.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("wx")?;
        let hexadecimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (digits.len() == 16 && digits.bytes().all(hexadecimal)).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
