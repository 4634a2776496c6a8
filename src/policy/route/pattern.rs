//! The path of a route: exact, or a prefix ending in `/**`.

use std::fmt;

use crate::policy::path;

/// A path as a route names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// This path and no other.
    Exact(String),
    /// This path and everything below it, without the closing `/**`: `/api/**` is `/api`, `/**` is the
    /// empty text.
    Prefix(String),
}

/// Why a text is no path of a route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// It does not start with `/`.
    #[error("a path must start with `/`")]
    NotAbsolute,
    /// It has a `*` elsewhere than in a closing `/**`.
    #[error("`*` stands only in `/**` at the end: a path is exact or a prefix")]
    Star,
    /// Requests are brought into another form before they are matched.
    #[error("no request has this path: write it as `{0}`")]
    NotCanonical(String),
    /// Requests with this path are refused.
    #[error("no request may have this path: it is ambiguous")]
    Ambiguous,
}

impl Pattern {
    /// Reads `/a/b` or `/a/**`. The path must be in the one form that requests are brought into.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let (path, prefix) = match text.strip_suffix("/**") {
            Some(path) => (path, true),
            None => (text, false),
        };
        if path.contains('*') {
            return Err(BadPattern::Star);
        }
        if path.is_empty() && prefix {
            return Ok(Self::Prefix(String::new()));
        }
        if !path.starts_with('/') {
            return Err(BadPattern::NotAbsolute);
        }
        let mut canonical = path::canonical(path.as_bytes()).map_err(|_| BadPattern::Ambiguous)?;
        if let (true, Some(bare)) = (prefix, canonical.strip_suffix('/')) {
            // `/a//**` would be a prefix of nothing.
            canonical = bare.to_owned().into();
        }
        if canonical != path {
            let suffix = if prefix { "/**" } else { "" };
            return Err(BadPattern::NotCanonical(format!("{canonical}{suffix}")));
        }
        Ok(if prefix { Self::Prefix(path.to_owned()) } else { Self::Exact(path.to_owned()) })
    }

    /// The path without the `/**` of a prefix.
    pub fn path(&self) -> &str {
        match self {
            Self::Exact(path) | Self::Prefix(path) => path,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => f.write_str(path),
            Self::Prefix(path) => write!(f, "{path}/**"),
        }
    }
}
