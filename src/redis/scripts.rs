//! Changes of more than one step, which Redis makes at once. The version at the head of values,
//! [`super::codec::VERSION`], stands in the scripts as `\1`.

use redis::aio::ConnectionLike;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisResult, ServerErrorKind, ToRedisArgs};

use super::codec::Damaged;

/// What `scripts/user.lua` fails with.
const UNREADABLE: &str = "WXGATE_UNREADABLE";

/// A script of Redis.
#[derive(Debug)]
pub(super) struct Script {
    code: &'static str,
    hash: String,
}

/// A script with its keys, which lie in one slot, and its arguments.
pub(super) struct Invocation<'a> {
    script: &'a Script,
    keys: Vec<String>,
    args: Vec<Vec<u8>>,
}

/// Every script.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) abandon_tries: Script,
    pub(super) add_session_key: Script,
    pub(super) begin_try: Script,
    pub(super) create: Script,
    pub(super) end: Script,
    pub(super) end_try: Script,
    pub(super) increment: Script,
    pub(super) note_known: Script,
    pub(super) put_if_absent: Script,
    pub(super) remove: Script,
    pub(super) remove_session_key: Script,
    pub(super) renew: Script,
    pub(super) replace: Script,
    pub(super) take: Script,
    pub(super) update: Script,
}

/// A script that reads and writes a user.
macro_rules! of_user {
    ($file:literal) => {
        Script::new(concat!(include_str!("scripts/user.lua"), include_str!($file)))
    };
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            abandon_tries: of_user!("scripts/abandon_tries.lua"),
            add_session_key: of_user!("scripts/add_session_key.lua"),
            begin_try: of_user!("scripts/begin_try.lua"),
            create: of_user!("scripts/create.lua"),
            end: of_user!("scripts/end.lua"),
            end_try: of_user!("scripts/end_try.lua"),
            increment: Script::new(include_str!("scripts/increment.lua")),
            note_known: of_user!("scripts/note_known.lua"),
            put_if_absent: Script::new(include_str!("scripts/put_if_absent.lua")),
            remove: Script::new(include_str!("scripts/remove.lua")),
            remove_session_key: of_user!("scripts/remove_session_key.lua"),
            renew: Script::new(include_str!("scripts/renew.lua")),
            replace: Script::new(include_str!("scripts/replace.lua")),
            take: Script::new(include_str!("scripts/take.lua")),
            update: of_user!("scripts/update.lua"),
        }
    }
}

impl Script {
    fn new(code: &'static str) -> Self {
        Self { code, hash: redis::Script::new(code).get_hash().to_owned() }
    }

    pub(super) fn key(&self, key: String) -> Invocation<'_> {
        self.keys(vec![key])
    }

    pub(super) fn keys(&self, keys: Vec<String>) -> Invocation<'_> {
        Invocation { script: self, keys, args: Vec::new() }
    }
}

impl Invocation<'_> {
    pub(super) fn key(mut self, key: String) -> Self {
        self.keys.push(key);
        self
    }

    pub(super) fn arg(mut self, arg: impl ToRedisArgs) -> Self {
        self.args.extend(arg.to_redis_args());
        self
    }

    /// By its hash, and with its code where Redis does not know it yet. The library would load it into
    /// every node of a cluster, and fail where one of them is away.
    pub(super) async fn invoke<T: FromRedisValue>(
        &self,
        connection: &mut (impl ConnectionLike + Send),
    ) -> RedisResult<T> {
        let by_hash = self.command("EVALSHA", &self.script.hash);
        match by_hash.query_async(connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.command("EVAL", self.script.code).query_async(connection).await
            }
            result => result,
        }
    }

    /// The same for a script of a user, who may be there and not be readable: then it has changed nothing.
    pub(super) async fn invoke_on_user<T: FromRedisValue>(
        &self,
        connection: &mut (impl ConnectionLike + Send),
    ) -> RedisResult<Result<T, Damaged>> {
        match self.invoke(connection).await {
            Err(error) if error.detail().is_some_and(|detail| detail.contains(UNREADABLE)) => {
                Ok(Err(Damaged))
            }
            answer => answer.map(Ok),
        }
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(name);
        command.arg(script).arg(self.keys.len()).arg(&self.keys).arg(&self.args);
        command
    }
}
