//! The answer of an action.

use std::fmt;

use http::{HeaderValue, StatusCode};
use serde_json::Value;

use crate::refusal::Refusal;

/// What goes back to the client: JSON, or nothing, never stored by anybody on the way.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// JSON text; empty where the status says that there is none.
    pub body: String,
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
        Self { status: StatusCode::OK, body, set_cookie: None }
    }

    /// 204.
    pub fn nothing() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: String::new(), set_cookie: None }
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
