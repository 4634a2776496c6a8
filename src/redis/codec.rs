//! Values at rest: a version, then what it says is there. Compact, since there are millions.
//!
//! The scripts read some of it too: the end of a session (8 bytes after the version), and write users,
//! whose keys and sessions change together (`scripts/user.lua`).

mod bytes;

use std::collections::BTreeMap;

use self::bytes::{Reader, Writer};
use crate::session::record::{Session, SessionId, TokenId};
use crate::session::store::{KeyId, StoredKey};
use crate::wechat::user::{UnionId, User};

/// The first byte of every value. A value with another one is not ours to read.
pub(super) const VERSION: u8 = 1;

/// A value that is damaged, or of another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged;

/// Name and owner are in the key, and not again in the value.
pub(super) fn encode_session(session: &Session) -> Vec<u8> {
    let mut writer = Writer::new(VERSION);
    writer.u64(session.expires);
    writer.u64(session.created);
    writer.text(session.token.as_str());
    writer.text(session.unionid.as_ref().map_or("", UnionId::as_str));
    writer.length(session.replaced_tokens.len());
    for (token, until) in &session.replaced_tokens {
        writer.text(token.as_str());
        writer.u64(*until);
    }
    writer.length(session.claims.len());
    for (name, value) in &session.claims {
        writer.text(name);
        writer.text(value);
    }
    writer.finish()
}

pub(super) fn decode_session(
    user: &User,
    id: &SessionId,
    value: &[u8],
) -> Result<Session, Damaged> {
    let mut reader = Reader::new(VERSION, value)?;
    let expires = reader.u64()?;
    let created = reader.u64()?;
    let token = token(&mut reader)?;
    let unionid = match reader.text()? {
        "" => None,
        unionid => Some(UnionId::parse(unionid).ok_or(Damaged)?),
    };
    let mut replaced_tokens = Vec::new();
    for _ in 0..reader.length()? {
        replaced_tokens.push((self::token(&mut reader)?, reader.u64()?));
    }
    let mut claims = BTreeMap::new();
    for _ in 0..reader.length()? {
        claims.insert(reader.text()?.to_owned(), reader.text()?.to_owned());
    }
    reader.finish()?;
    let (id, user) = (id.clone(), user.clone());
    Ok(Session { id, user, unionid, created, expires, token, replaced_tokens, claims })
}

fn token(reader: &mut Reader<'_>) -> Result<TokenId, Damaged> {
    TokenId::parse(reader.text()?).ok_or(Damaged)
}

/// A user, as the scripts write it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct UserRecord {
    pub(super) known: bool,
    /// The session keys that may be used, newest first.
    pub(super) keys: Vec<StoredKey>,
    /// Those that have not ended, and some that have.
    pub(super) sessions: Vec<SessionId>,
}

pub(super) fn decode_user(value: &[u8]) -> Result<UserRecord, Damaged> {
    let mut reader = Reader::new(VERSION, value)?;
    let [known, count] = reader.array()?;
    let mut keys = Vec::new();
    for _ in 0..count {
        let id = KeyId(reader.array()?);
        let acquired = reader.u32()?;
        let [_tries, _failures] = reader.array()?;
        let length = reader.u16()?;
        let sealed = reader.take(length)?.to_vec();
        // Of a key that was burnt or taken out only the counts are left.
        if !sealed.is_empty() {
            keys.push(StoredKey { id, sealed, acquired });
        }
    }
    let mut sessions = Vec::new();
    while !reader.is_empty() {
        sessions.push(SessionId::from_bytes(reader.array()?));
        let _ends = reader.u32()?;
    }
    Ok(UserRecord { known: known != 0, keys, sessions })
}

/// A time in a user's value, in seconds since 1970; it does until 2106.
pub(super) fn seconds(time: u64) -> u32 {
    u32::try_from(time).unwrap_or(u32::MAX)
}

/// A key as a script gives it: name, time, sealed.
pub(super) fn decode_session_key(fields: &[Vec<u8>]) -> Result<StoredKey, Damaged> {
    let [id, acquired, sealed] = fields else { return Err(Damaged) };
    let id = KeyId(id.as_slice().try_into().map_err(|_| Damaged)?);
    let acquired = u32::from_be_bytes(acquired.as_slice().try_into().map_err(|_| Damaged)?);
    Ok(StoredKey { id, sealed: sealed.clone(), acquired: acquired.into() })
}

pub(super) fn encode_value(value: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new(VERSION);
    writer.raw(value);
    writer.finish()
}

pub(super) fn decode_value(value: &[u8]) -> Result<Vec<u8>, Damaged> {
    let mut reader = Reader::new(VERSION, value)?;
    Ok(reader.rest().to_vec())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wechat::app::AppId;
    use crate::wechat::user::OpenId;

    fn session() -> Session {
        let user = User {
            appid: AppId::parse("wx0123456789abcdef").unwrap(),
            openid: OpenId::parse("oABCDEFGHIJKLMNOPQRSTUVWXYZ0").unwrap(),
        };
        Session {
            id: SessionId::random(),
            user,
            unionid: UnionId::parse("o6_bmasdasdsad6_2sgVt7hMZOPfL"),
            created: 1_700_000_000,
            expires: 1_700_604_800,
            token: TokenId::random(),
            replaced_tokens: vec![(TokenId::random(), 1_700_000_060)],
            claims: BTreeMap::from([("user_id".to_owned(), "42".to_owned())]),
        }
    }

    #[test]
    fn a_session_comes_back_and_is_small() {
        let session = session();
        let value = encode_session(&session);
        assert!(value.len() < 100, "{}", value.len());
        assert_eq!(decode_session(&session.user, &session.id, &value), Ok(session));
    }

    #[test]
    fn a_user_is_read() {
        let key = |n: u8, sealed: &[u8]| {
            let length = [0, sealed.len() as u8];
            [&[n; 16][..], &[0, 0, 0, n], &[3, 2], &length, sealed].concat()
        };
        let ends = [1, 2, 3, 4];
        let value =
            [&[VERSION, 1, 2][..], &key(1, b"sealed"), &key(2, b""), &[7; 16], &ends].concat();
        let read = decode_user(&value).unwrap();
        let usable = StoredKey { id: KeyId([1; 16]), sealed: b"sealed".to_vec(), acquired: 1 };
        assert_eq!(read.keys, [usable]);
        assert_eq!((read.known, read.sessions), (true, vec![SessionId::from_bytes([7; 16])]));
        for length in [0, 1, 2, 3, 20, 30, 60, value.len() - 1] {
            assert_eq!(decode_user(&value[..length]), Err(Damaged), "{length}");
        }
    }

    #[test]
    fn another_version_or_a_cut_value_is_damaged() {
        let session = session();
        let value = encode_session(&session);
        let decode = |value: &[u8]| decode_session(&session.user, &session.id, value);
        for length in 0..value.len() {
            assert_eq!(decode(&value[..length]), Err(Damaged), "{length}");
        }
        assert_eq!(decode(&[&value[..], b"x"].concat()), Err(Damaged));
        let mut other = value;
        other[0] = 2;
        assert_eq!(decode(&other), Err(Damaged));
        assert_eq!(decode_value(b""), Err(Damaged));
    }

    proptest! {
        #[test]
        fn nothing_that_is_read_panics(value in proptest::collection::vec(any::<u8>(), 0..200)) {
            let session = session();
            let value = [&[VERSION][..], &value].concat();
            let _ = decode_session(&session.user, &session.id, &value);
            let _ = decode_user(&value);
        }
    }
}
