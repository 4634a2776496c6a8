//! The answer of an action.

use std::fmt;

use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;

use crate::refusal::Refusal;

/// What goes back to the client: JSON, or nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// JSON text, or nothing.
    pub body: String,
    /// Headers besides those that every answer has, or in their place.
    pub headers: HeaderMap,
    /// The cookie that is set.
    pub set_cookie: Option<HeaderValue>,
}

impl Answer {
    /// 200 with this JSON.
    pub fn json(value: &Value) -> Self {
        Self::json_text(value.to_string())
    }

    /// 200 with this text, which is JSON.
    pub fn json_text(body: String) -> Self {
        Self { body, ..Self::empty() }
    }

    /// 200 without a body.
    pub fn empty() -> Self {
        let headers = HeaderMap::new();
        Self { status: StatusCode::OK, body: String::new(), headers, set_cookie: None }
    }

    /// 204.
    pub fn nothing() -> Self {
        Self { status: StatusCode::NO_CONTENT, ..Self::empty() }
    }
}

/// There may be a token in the body and in the cookie.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

/// The result of an action.
pub type Result = std::result::Result<Answer, Refusal>;
