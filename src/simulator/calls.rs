//! The log of the calls that WeChat got, for tests to look at and for the lookup of a request id.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::{Map, Value};

/// The calls kept; the oldest go first.
const CAPACITY: usize = 10_000;

/// One call of WeChat's API. It holds secrets and codes as they came.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// The path, such as `/sns/jscode2session`.
    pub api: String,
    /// The HTTP method.
    pub method: String,
    /// The parameters of the query; of doubled ones the first.
    pub query: Map<String, Value>,
    /// The headers by their lowercase names; doubled ones are joined with commas.
    pub headers: Map<String, Value>,
    /// The body; bytes that are not UTF-8 are replaced.
    pub body: String,
    /// The address of the caller.
    pub peer: String,
    /// How long the answer took to make, in milliseconds, without the delay of a fault.
    pub cost_ms: u64,
    /// When it came, in seconds since 1970.
    pub time: u64,
    /// The answer's errcode; 0 for success, none where no errcode was answered because of a fault.
    pub errcode: Option<i64>,
    /// The fault that was played, in one word.
    pub fault: Option<&'static str>,
    /// The request id in the answer's errmsg.
    pub rid: Option<String>,
    /// The app that called, where its secret or token told.
    pub appid: Option<String>,
    /// The answer's body before any fault.
    pub answer: Option<String>,
}

/// The log.
#[derive(Debug, Default)]
pub(super) struct CallLog {
    calls: VecDeque<Call>,
    /// The calls at the front that were cleared: they are only looked up by their request id.
    cleared: usize,
}

impl CallLog {
    pub(super) fn push(&mut self, call: Call) {
        if self.calls.len() == CAPACITY {
            self.calls.pop_front();
            self.cleared = self.cleared.saturating_sub(1);
        }
        self.calls.push_back(call);
    }

    /// The calls since the last clearing, newest last.
    pub(super) fn list(&self, api: Option<&str>) -> Vec<Call> {
        let calls = self.calls.iter().skip(self.cleared);
        calls.filter(|call| api.is_none_or(|api| call.api == api)).cloned().collect()
    }

    pub(super) fn clear(&mut self) {
        self.cleared = self.calls.len();
    }

    /// The call whose errmsg had this request id.
    pub(super) fn find(&self, rid: &str) -> Option<&Call> {
        self.calls.iter().rev().find(|call| call.rid.as_deref() == Some(rid))
    }
}
