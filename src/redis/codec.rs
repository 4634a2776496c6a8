//! Values at rest: a version, then what it says is there. Compact, since there are millions.
//!
//! The scripts read some of it too: the end of a session (8 bytes after the version), and the names of
//! session keys in a ring.

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

/// One entry of a ring. The script puts it into the value, behind the version.
pub(super) fn encode_session_key(key: &StoredKey) -> Vec<u8> {
    let mut writer = Writer::bare();
    writer.raw(&key.id.0);
    writer.u64(key.acquired);
    writer.u16(key.sealed.len());
    writer.raw(&key.sealed);
    writer.finish()
}

pub(super) fn decode_session_keys(value: &[u8]) -> Result<Vec<StoredKey>, Damaged> {
    let mut reader = Reader::new(VERSION, value)?;
    let mut keys = Vec::new();
    while !reader.is_empty() {
        let id = KeyId(reader.array()?);
        let acquired = reader.u64()?;
        let length = reader.u16()?;
        let sealed = reader.take(length)?.to_vec();
        keys.push(StoredKey { id, sealed, acquired });
    }
    Ok(keys)
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
    fn a_ring_comes_back() {
        let key = |n| StoredKey { id: KeyId([n; 16]), sealed: vec![n; 57], acquired: 1 };
        let keys = [key(1), key(2)];
        let value = [vec![VERSION], encode_session_key(&keys[0]), encode_session_key(&keys[1])];
        assert_eq!(decode_session_keys(&value.concat()), Ok(keys.to_vec()));
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
            let _ = decode_session_keys(&value);
        }
    }
}
