//! The content checks: msg_sec_check, img_sec_check and media_check_async.

use std::collections::HashMap;

use http::header::CONTENT_TYPE;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::simulator::errcode::Failure;
use crate::simulator::incoming::{self, Incoming};
use crate::simulator::state::State;
use crate::simulator::{multipart, random};

/// A user must have been in the app so lately, in seconds, to be checked for.
const VISIT: u64 = 2 * 3600;
const MAX_CHARACTERS: usize = 2500;
const MAX_IMAGE: usize = 1 << 20;

/// `/wxa/msg_sec_check`, version 2, and version 1 where no version is given.
pub(super) fn text(state: &mut State, appid: &str, incoming: &Incoming) -> Result<Value, Failure> {
    let request = incoming.json()?;
    let content = incoming::text(&request, "content").ok_or_else(|| Failure::of(47001))?;
    if content.chars().count() > MAX_CHARACTERS {
        return Err(Failure::new(45002, "content size out of limit"));
    }
    let sources = sources(incoming)?;
    if request.get("version").and_then(Value::as_i64) != Some(2) {
        return match verdict(&sources, &state.settings.risky_words, &[]) {
            (Suggest::Risky, _) => Err(Failure::of(87014)),
            _ => Ok(json!({ "errcode": 0, "errmsg": "ok" })),
        };
    }
    let name = checked_user(state, appid, &request, incoming.now)?;
    let risky = [state.settings.risky_words.clone(), state.user(&name).risky_texts].concat();
    let (suggest, keyword) = verdict(&sources, &risky, &state.settings.review_words);
    let (word, label) = (suggest.word(), suggest.label());
    let mut detail = vec![json!({
        "strategy": "content_model", "errcode": 0, "suggest": word, "label": label, "prob": 90,
    })];
    if let Some(keyword) = keyword {
        detail.push(json!({
            "strategy": "keyword", "errcode": 0, "suggest": word, "label": label, "level": 90,
            "keyword": keyword,
        }));
    }
    Ok(json!({
        "errcode": 0,
        "errmsg": "ok",
        "result": { "suggest": word, "label": label },
        "detail": detail,
        "trace_id": random::rid(incoming.now),
    }))
}

/// `/wxa/img_sec_check`: an image in the multipart field `media`.
pub(super) fn image(
    state: &mut State,
    _appid: &str,
    incoming: &Incoming,
) -> Result<Value, Failure> {
    let content_type = incoming.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = multipart::field(content_type.unwrap_or_default(), &incoming.body, "media")
        .filter(|media| !media.is_empty())
        .ok_or_else(|| Failure::of(41005))?;
    if media.len() > MAX_IMAGE {
        return Err(Failure::new(40006, "invalid media size"));
    }
    let markers = &state.settings.risky_image_markers;
    if markers.iter().any(|marker| multipart::find(media, marker.as_bytes()).is_some()) {
        return Err(Failure::of(87014));
    }
    Ok(json!({ "errcode": 0, "errmsg": "ok" }))
}

/// `/wxa/media_check_async`: takes the address of a medium; the verdict would be pushed later.
pub(super) fn media(state: &mut State, appid: &str, incoming: &Incoming) -> Result<Value, Failure> {
    let request = incoming.json()?;
    if !matches!(request.get("media_type").and_then(Value::as_i64), Some(1 | 2)) {
        return Err(Failure::of(40004));
    }
    if incoming::text(&request, "media_url").is_none_or(str::is_empty) {
        return Err(Failure::of(40097));
    }
    checked_user(state, appid, &request, incoming.now)?;
    Ok(json!({ "errcode": 0, "errmsg": "ok", "trace_id": random::rid(incoming.now) }))
}

/// The user whose content is checked, where the scene and the openid are right.
fn checked_user(
    state: &State,
    appid: &str,
    request: &Map<String, Value>,
    now: u64,
) -> Result<String, Failure> {
    if !matches!(request.get("scene").and_then(Value::as_i64), Some(1..=4)) {
        return Err(Failure::of(40129));
    }
    let openid = incoming::text(request, "openid").unwrap_or_default();
    let name = state.owner(appid, openid, 43104)?;
    match state.seen(appid, &name) {
        Some(seen) if now < seen + VISIT => Ok(name),
        _ => Err(Failure::of(61010)),
    }
}

/// The texts as they stand in the JSON, escapes and all: WeChat scans those, so that Chinese sent
/// as `\u` escapes passes as ASCII.
fn sources(incoming: &Incoming) -> Result<Vec<String>, Failure> {
    let members: HashMap<String, Box<RawValue>> =
        serde_json::from_slice(&incoming.body).map_err(|_| Failure::of(47001))?;
    let texts = ["content", "title", "nickname", "signature"];
    Ok(texts.iter().filter_map(|name| members.get(*name)).map(|raw| raw.get().to_owned()).collect())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Suggest {
    Pass,
    Review,
    Risky,
}

impl Suggest {
    fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Review => "review",
            Self::Risky => "risky",
        }
    }

    /// 100 is normal, 21000 "other".
    fn label(self) -> u32 {
        if self == Self::Pass { 100 } else { 21000 }
    }
}

/// The verdict and the word that it is for.
fn verdict(sources: &[String], risky: &[String], review: &[String]) -> (Suggest, Option<String>) {
    let hit = |words: &[String]| {
        let is_hit = |word: &&String| {
            !word.is_empty() && sources.iter().any(|source| source.contains(word.as_str()))
        };
        words.iter().find(is_hit).cloned()
    };
    if let Some(word) = hit(risky) {
        (Suggest::Risky, Some(word))
    } else if let Some(word) = hit(review) {
        (Suggest::Review, Some(word))
    } else {
        (Suggest::Pass, None)
    }
}
