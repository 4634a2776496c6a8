//! The names of keys. A user's keys carry a hash of the user in braces, the hash tag of Redis Cluster,
//! so that they lie in one slot and one script can change them together.
//!
//! ```text
//! <prefix>s:{user}:session    a session
//! <prefix>s:{user}:session:ended   never there for long: changes when a session ends
//! <prefix>u:{user}            a user: known, his ring of session keys, the names of his sessions
//! <prefix><kind>:hash         a shared value
//! ```
//!
//! Users and parts are hashed with their lengths before them: no two lists of parts meet, whatever bytes
//! they hold, and no openid, code or address stands in a name.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{Context, SHA256};

use super::settings::KeyPrefix;
use crate::session::record::SessionId;
use crate::session::store::Key;
use crate::wechat::user::User;

/// 96 bits of the hash: WeChat makes up openids, no attacker searches for two that meet.
const USER_BYTES: usize = 12;
/// 192 bits: parts may come from outside.
const PART_BYTES: usize = 24;
const ENDED: &str = ":ended";

/// Makes the names of keys.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: KeyPrefix,
}

impl Keys {
    pub(super) fn new(prefix: KeyPrefix) -> Self {
        Self { prefix }
    }

    pub(super) fn session(&self, user: &User, id: &SessionId) -> String {
        format!("{}{{{}}}:{}", self.sessions(), tag(user), id.as_str())
    }

    /// What changes when a session ends, and tells those who hear of it that it did not just change.
    pub(super) fn end(&self, user: &User, id: &SessionId) -> String {
        self.session(user, id) + ENDED
    }

    /// What the names of all sessions and their ends start with, and no others.
    pub(super) fn sessions(&self) -> String {
        format!("{}s:", self.prefix.as_str())
    }

    pub(super) fn user(&self, user: &User) -> String {
        format!("{}u:{{{}}}", self.prefix.as_str(), tag(user))
    }

    pub(super) fn value(&self, key: &Key) -> String {
        let parts = key.parts.iter().map(Vec::as_slice);
        format!("{}{}:{}", self.prefix.as_str(), key.kind.tag(), hash::<PART_BYTES>(parts))
    }
}

/// What a key that changed says of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It changed, or ended.
    Any(SessionId),
    /// It ended.
    Ended(SessionId),
}

impl Change {
    /// What this key says, if it is one of a session.
    pub(super) fn of(key: &[u8]) -> Option<Self> {
        match key.strip_suffix(ENDED.as_bytes()) {
            Some(session) => session_id(session).map(Self::Ended),
            None => session_id(key).map(Self::Any),
        }
    }
}

/// The session that a key is the name of.
fn session_id(key: &[u8]) -> Option<SessionId> {
    let name = key.rsplit(|byte| *byte == b':').next()?;
    SessionId::parse(std::str::from_utf8(name).ok()?)
}

fn tag(user: &User) -> String {
    hash::<USER_BYTES>(
        [user.appid.as_str().as_bytes(), user.openid.as_str().as_bytes()].into_iter(),
    )
}

fn hash<'a, const N: usize>(parts: impl Iterator<Item = &'a [u8]>) -> String {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let digest = context.finish();
    URL_SAFE_NO_PAD.encode(digest.as_ref().get(..N).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::store::Kind;
    use crate::wechat::app::AppId;
    use crate::wechat::user::OpenId;

    fn user(openid: &str) -> User {
        User {
            appid: AppId::parse("wx0123456789abcdef").unwrap(),
            openid: OpenId::parse(openid).unwrap(),
        }
    }

    #[test]
    fn a_session_is_found_in_its_key() {
        let keys = Keys::new(KeyPrefix::default());
        let id = SessionId::random();
        let key = keys.session(&user("o1"), &id);
        assert!(key.starts_with("wxgate:s:{") && !key.contains("o1"));
        assert_eq!(Change::of(key.as_bytes()), Some(Change::Any(id.clone())));
        let end = keys.end(&user("o1"), &id);
        assert_eq!(Change::of(end.as_bytes()), Some(Change::Ended(id)));
        assert_eq!(Change::of(keys.user(&user("o1")).as_bytes()), None);
    }

    #[test]
    fn one_users_keys_share_a_tag_and_no_others() {
        let keys = Keys::new(KeyPrefix::default());
        let tag = |key: &str| key[key.find('{').unwrap()..=key.find('}').unwrap()].to_owned();
        let of = |name| {
            let user = user(name);
            let session = keys.session(&user, &SessionId::random());
            let [a, b] = [session, keys.user(&user)].map(|key| tag(&key));
            assert_eq!(a, b);
            a
        };
        assert_ne!(of("o1"), of("o2"));
    }

    #[test]
    fn parts_do_not_meet() {
        let keys = Keys::new(KeyPrefix::default());
        let parts: [&[&[u8]]; 10] = [
            &[],
            &[b""],
            &[b"", b""],
            &[b"ab"],
            &[b"a", b"b"],
            &[b"", b"ab"],
            &[b"a:b"],
            &[b"{a}", b"b"],
            &[b"{a}b"],
            &[b"a\r\nb"],
        ];
        let names: std::collections::HashSet<_> =
            parts.iter().map(|parts| keys.value(&Key::new(Kind::Exchange, parts))).collect();
        assert_eq!(names.len(), parts.len());
        let other = keys.value(&Key::new(Kind::Replay, &[b"ab"]));
        assert!(!names.contains(&other));
    }
}
