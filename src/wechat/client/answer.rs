//! WeChat's answers: JSON, which an errcode other than 0 makes a refusal.

use std::net::IpAddr;

use serde_json::Value;

use crate::refusal::{Reason, Refusal};
use crate::wechat::errcode::{self, Api};

/// The bytes as JSON, whatever their content type: `/sns/*` says text/plain.
pub(super) fn parse(api: Api, answer: &[u8]) -> Result<Value, Refusal> {
    let answer: Value =
        serde_json::from_slice(answer).map_err(|_| unusable(api, "an answer that is no JSON"))?;
    let members = answer.as_object().ok_or_else(|| unusable(api, "JSON that is no object"))?;
    match members.get("errcode") {
        None => Ok(answer),
        Some(errcode) => match errcode.as_i64() {
            Some(0) => Ok(answer),
            Some(errcode) => Err(with_details(errcode::refusal(api, errcode), &answer)),
            None => Err(unusable(api, "an errcode that is no number")),
        },
    }
}

/// The refusal for an answer that cannot be used; `what` describes it without quoting it.
pub fn unusable(api: Api, what: &'static str) -> Refusal {
    Refusal::new(Reason::WechatBadAnswer, format!("{} gave {what}", api.path()))
}

/// Adds what the operator needs from the errmsg: the rid to look the call up, and the address that a
/// whitelist refused. Nothing else of the text: it could quote the request.
fn with_details(mut refusal: Refusal, answer: &Value) -> Refusal {
    let errmsg = answer.get("errmsg").and_then(Value::as_str).unwrap_or_default();
    let mut note = refusal.note.take().unwrap_or_default().into_owned();
    if let Some(rid) = errmsg.split_whitespace().find(|word| is_rid(word)) {
        note.push_str(&format!(" (rid {rid})"));
    }
    let mut words = errmsg.split_whitespace().map(|word| word.trim_end_matches(','));
    if let Some(address) = words.find_map(|word| word.parse::<IpAddr>().ok()) {
        note.push_str(&format!(" (WeChat saw {address})"));
    }
    refusal.note = Some(note.into());
    refusal
}

fn is_rid(word: &str) -> bool {
    let groups: Vec<_> = word.split('-').collect();
    let hexadecimal =
        |group: &&str| group.len() == 8 && group.bytes().all(|b| b.is_ascii_hexdigit());
    groups.len() == 3 && groups.iter().all(hexadecimal)
}
