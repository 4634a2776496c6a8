//! What a profile request brings: a nickname, an avatar, or both.

use std::fmt;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::avatar::Avatar;
use super::form::Form;
use crate::actions::fields::{Fields, media_type};
use crate::policy::route::ProfileRules;
use crate::refusal::{Reason, Refusal};

const NICK_NAME: &str = "nickName";
const AVATAR: &str = "avatar";
/// Characters of a nickname. WeChat's own have 32 at most.
const MAX_NICK_NAME: usize = 128;

/// A nickname and an avatar; at least one of them.
#[derive(Clone)]
pub struct ProfileInput {
    /// The nickname.
    pub nick_name: Option<String>,
    /// The avatar.
    pub avatar: Option<Avatar>,
}

/// What a field of a request stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    NickName,
    Avatar,
    /// The client's own.
    Own,
    /// Its own to some upstreams, a nickname or an avatar to others.
    Ambiguous,
}

impl ProfileInput {
    /// Reads a request: a multipart form, or the nickname alone as JSON, form or query. The body goes
    /// on to the upstream as it is, so what another parser could read differently is refused.
    pub async fn parse(
        query: Option<&str>,
        headers: &HeaderMap,
        body: &Bytes,
        rules: &ProfileRules,
    ) -> Result<Self, Refusal> {
        if headers.contains_key(CONTENT_ENCODING) {
            return Err(Reason::UnsupportedMediaType.into());
        }
        if headers.get_all(CONTENT_TYPE).iter().count() > 1 {
            return Err(refused("two content types"));
        }
        let profile = match media_type(headers).as_deref() {
            Some("multipart/form-data") => {
                // The names in the query are the client's own, or the same field stands in two places.
                if nick_name(&Fields::read(query, &HeaderMap::new(), b"")?)?.is_some() {
                    return Err(refused("a nickName in the query beside a form"));
                }
                Form::read(headers, body, rules).await?.into_profile(rules)?
            }
            _ => Self { nick_name: nick_name(&Fields::read(query, headers, body)?)?, avatar: None },
        };
        match &profile {
            Self { nick_name: None, avatar: None } => Err(refused("neither nickName nor avatar")),
            _ => Ok(profile),
        }
    }
}

impl Form {
    fn into_profile(self, rules: &ProfileRules) -> Result<ProfileInput, Refusal> {
        let Self { nick_name, avatar } = self;
        let avatar = avatar.map(|(bytes, name)| Avatar::parse(bytes, name, rules)).transpose()?;
        let nick_name = nick_name.as_deref().map(check_nick_name).transpose()?.flatten();
        Ok(ProfileInput { nick_name, avatar })
    }
}

impl Meaning {
    /// What a name means. Upstreams fold case, and read `avatar[]` and `avatar.x` as parts of one.
    pub(super) fn of(name: &str) -> Self {
        let root = name.split(['[', '.']).next().unwrap_or_default().trim();
        match name {
            NICK_NAME => Self::NickName,
            AVATAR => Self::Avatar,
            _ if [NICK_NAME, AVATAR].iter().any(|known| root.eq_ignore_ascii_case(known)) => {
                Self::Ambiguous
            }
            _ => Self::Own,
        }
    }
}

/// The nickname in the fields of a request, which hold no avatar: an avatar is a file.
fn nick_name(fields: &Fields) -> Result<Option<String>, Refusal> {
    for name in fields.names().filter(|name| *name != NICK_NAME) {
        if Meaning::of(name) != Meaning::Own {
            return Err(refused("an avatar that is no file, or a name that resembles a field's"));
        }
    }
    let nick_name = fields.text(NICK_NAME)?.map(check_nick_name).transpose()?;
    Ok(nick_name.flatten())
}

/// A nickname within its bounds; the empty one is none.
fn check_nick_name(text: &str) -> Result<Option<String>, Refusal> {
    if text.chars().count() > MAX_NICK_NAME || text.chars().any(char::is_control) {
        return Err(refused("a nickName that is too long or holds control characters"));
    }
    Ok(Some(text).filter(|text| !text.is_empty()).map(str::to_owned))
}

pub(super) fn refused(note: &'static str) -> Refusal {
    Refusal::new(Reason::BadRequest, note)
}

impl fmt::Debug for ProfileInput {
    /// Without what the user wrote.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_nick_name = self.nick_name.is_some();
        f.debug_struct("ProfileInput")
            .field("nick_name", &has_nick_name)
            .field("avatar", &self.avatar)
            .finish()
    }
}
