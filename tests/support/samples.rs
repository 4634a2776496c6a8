//! Users and sessions for tests.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeMap;
use std::time::Duration;
use wxgate::session::store::{Store, Unavailable};

use wxgate::session::record::{Session, SessionId, TokenId};
use wxgate::session::store::{KeyId, StoredKey};
use wxgate::wechat::app::AppId;
use wxgate::wechat::user::{OpenId, UnionId, User};

pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

pub(crate) fn user(openid: &str) -> User {
    User {
        appid: AppId::parse("wx4f4bc4dec97d474b").unwrap(),
        openid: OpenId::parse(openid).unwrap(),
    }
}

/// A session of seven days.
pub(crate) fn session(user: &User, now: u64) -> Session {
    Session {
        id: SessionId::random(),
        user: user.clone(),
        unionid: UnionId::parse("o6_bmasdasdsad6_2sgVt7hMZOPf"),
        created: now,
        expires: now + 7 * DAY.as_secs(),
        token: TokenId::random(),
        replaced_tokens: Vec::new(),
        claims: BTreeMap::new(),
    }
}

/// A session key, as long as sealed ones are.
pub(crate) fn stored_key(number: u8) -> StoredKey {
    StoredKey { id: KeyId([number; 16]), sealed: vec![number; 57], acquired: number.into() }
}

/// Writes a session over whatever it is now.
pub(crate) async fn rewrite(store: &dyn Store, session: &Session) -> Result<bool, Unavailable> {
    let known = store.find(&session.user, &session.id).await?;
    let from = known.map_or_else(|| session.clone(), |(known, _)| known);
    store.update(&from, session).await
}
