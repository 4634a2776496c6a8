//! What is known of a user: read and changed as a whole, or not at all.
//!
//! Where it cannot be read (it is damaged, or of a version to come), nothing is made of it and nothing written
//! over it: it is the only list of the user's sessions. Taken for an empty one it would let "log out
//! everywhere" end none of them and say that it had; written over, they could never be ended again.

use redis::{Cmd, FromRedisValue};

use super::RedisStore;
use super::codec::{self, Damaged, UserRecord};
use super::scripts::Invocation;
use crate::session::record::SessionId;
use crate::session::store::Unavailable;
use crate::wechat::user::User;

impl RedisStore {
    /// What is known of a user; sessions in it may have run out.
    pub(super) async fn user(&self, user: &User) -> Result<UserRecord, Unavailable> {
        let value: Option<Vec<u8>> = self.link.query(&Cmd::get(self.keys.user(user))).await?;
        let Some(value) = value else { return Ok(UserRecord::default()) };
        codec::decode_user(&value).map_err(|Damaged| self.unreadable(user))
    }

    /// Runs a script that changes what is known of a user.
    pub(super) async fn change<T: FromRedisValue>(
        &self,
        user: &User,
        script: &Invocation<'_>,
    ) -> Result<T, Unavailable> {
        self.link.run_on_user(script).await?.map_err(|Damaged| self.unreadable(user))
    }

    /// Ends these, and gives those that were there.
    pub(super) async fn end_these(
        &self,
        user: &User,
        ids: &[SessionId],
    ) -> Result<Vec<SessionId>, Unavailable> {
        let keys = std::iter::once(self.keys.user(user))
            .chain(ids.iter().flat_map(|id| [self.keys.session(user, id), self.keys.end(user, id)]))
            .collect();
        let end = self.scripts.end.keys(keys);
        let end = ids.iter().fold(end, |end, id| end.arg(id.to_bytes().as_slice()));
        let (is_readable, ended): (bool, Vec<Vec<u8>>) = self.link.run(&end).await?;
        if !is_readable {
            self.damaged.count_user(&self.keys.user(user));
        }
        let id = |name: &Vec<u8>| Some(SessionId::from_bytes(name.as_slice().try_into().ok()?));
        Ok(ended.iter().filter_map(id).collect())
    }

    fn unreadable(&self, user: &User) -> Unavailable {
        let key = self.keys.user(user);
        self.damaged.count_user(&key);
        Unavailable(format!("what Redis has at {key} cannot be read").into())
    }
}
