//! The exchange of a login code, once for all who bring it.
//!
//! A client that lost the answer sends the code again, and several of its pages send it at the same
//! time; WeChat takes it once. So the first who comes makes the exchange, those who come meanwhile wait
//! for it, and for a minute those who come later get its outcome: in this process by one shared future,
//! between replicas by a mark in the store. The exchange runs on its own task: a client that hangs up
//! must not end it for the others, nor make a second one.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, Shared};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::policy::rate::{self, LoginRate};
use crate::refusal::{Reason, Refusal};
use crate::secret::Secret;
use crate::session::Sessions;
use crate::session::access_token::AccessTokens;
use crate::session::key_ring::KeyRings;
use crate::session::record::SessionId;
use crate::session::seal::{Purpose, Sealer};
use crate::session::store::{Key, Kind, Store};
use crate::telemetry::traces::{self, Here, within};
use crate::wechat::app::{App, AppId};
use crate::wechat::client::{Client, Failed, Login};
use crate::wechat::errcode::{self, Api};
use crate::wechat::session_key::SessionKey;
use crate::wechat::user::{OpenId, User};

/// For how long an outcome answers the same code. A lost answer is asked for again within seconds.
const OUTCOME_KEPT: Duration = Duration::from_secs(60);
/// For how long one replica may be at it beyond the longest call to WeChat.
const LEASE: Duration = Duration::from_secs(10);
/// A login does not wait longer for a new session key.
const RESET_WITHIN: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(50);
const UNDER_WAY: &[u8] = b"under way";

/// A login that WeChat has vouched for, with its session.
#[derive(Clone, Serialize, Deserialize)]
pub struct LoggedIn {
    pub(super) appid: String,
    pub(super) openid: String,
    pub(super) unionid: Option<String>,
    pub(super) session: String,
    pub(super) token: String,
    /// When the session ends, in seconds since 1970.
    pub(super) expires: u64,
    /// Whether no login of the user stood before.
    pub(super) first_login: bool,
}

impl fmt::Debug for LoggedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoggedIn").field("appid", &self.appid).finish_non_exhaustive()
    }
}

/// The exchanges of this gateway.
#[derive(Debug)]
pub struct Exchanges {
    shared: Arc<Parts>,
    under_way: Arc<Mutex<HashMap<[u8; 32], Exchange>>>,
}

type Exchange = Shared<BoxFuture<'static, Result<LoggedIn, Refusal>>>;

#[derive(Debug)]
struct Parts {
    client: Client,
    sessions: Arc<Sessions>,
    store: Arc<dyn Store>,
    sealer: Arc<Sealer>,
    rings: Arc<KeyRings>,
    tokens: Arc<AccessTokens>,
    rate: LoginRate,
}

impl LoggedIn {
    /// The token of the new session.
    pub fn token(&self) -> &str {
        &self.token
    }
}

/// The place of an exchange among those under way. It is given up however the exchange ends, in a panic
/// too: else nobody could bring that code again.
struct Entry {
    exchanges: Arc<Exchanges>,
    hash: [u8; 32],
}

impl Drop for Entry {
    fn drop(&mut self) {
        let under_way = &self.exchanges.under_way;
        under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.hash);
    }
}

/// What became of an exchange, for those who come later.
#[derive(Serialize, Deserialize)]
enum Outcome {
    LoggedIn(LoggedIn),
    /// The errcode by which WeChat refused the code for good.
    Refused(i64),
    /// WeChat may have seen the code, and gave no answer. It is not asked again.
    Lost,
}

impl Exchanges {
    /// Exchanges by this client, whose sessions are kept there.
    pub fn new(
        client: Client,
        sessions: Arc<Sessions>,
        store: Arc<dyn Store>,
        sealer: Arc<Sealer>,
        rings: Arc<KeyRings>,
        tokens: Arc<AccessTokens>,
        rate: LoginRate,
    ) -> Self {
        let shared = Arc::new(Parts { client, sessions, store, sealer, rings, tokens, rate });
        Self { shared, under_way: Arc::default() }
    }

    /// Those that are under way by the ones before are shared: a code is exchanged once, also over a
    /// reload.
    #[must_use]
    pub fn after_reload(self, before: &Self) -> Self {
        Self { under_way: before.under_way.clone(), ..self }
    }

    /// The login of a code, by one exchange for all who bring it. It counts once, for the `client` who
    /// was the first.
    pub async fn log_in(
        self: &Arc<Self>,
        app: &Arc<App>,
        code: Secret,
        client: IpAddr,
    ) -> Result<LoggedIn, Refusal> {
        let hash = code_hash(app, &code);
        let mut span = traces::child(traces::Kind::Internal, "login exchange");
        span.set("wxgate.app", app.name.as_str());
        let exchange = {
            let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            let start = || self.start(app.clone(), code, hash, client, span.here());
            under_way.entry(hash).or_insert_with(start).clone()
        };
        let outcome = exchange.await;
        if let Err(refusal) = &outcome {
            span.fail(refusal.reason.entry().code);
        }
        outcome
    }

    /// Notes that a login stands, which its upstream may have had to say: the user's next one is not his
    /// first.
    pub async fn note_standing(&self, login: &LoggedIn) -> Result<(), Refusal> {
        let user = AppId::parse(&login.appid).zip(OpenId::parse(&login.openid));
        match user {
            Some((appid, openid)) if login.first_login => {
                Ok(self.shared.rings.note_first_login(&User { appid, openid }).await?)
            }
            _ => Ok(()),
        }
    }

    fn start(
        self: &Arc<Self>,
        app: Arc<App>,
        code: Secret,
        hash: [u8; 32],
        client: IpAddr,
        here: Option<Here>,
    ) -> Exchange {
        let exchanges = self.clone();
        let task = tokio::spawn(async move {
            let entry = Entry { exchanges, hash };
            let parts = &entry.exchanges.shared;
            within(here, pin!(parts.once_over_replicas(&app, &code, hash, client))).await
        });
        let lost =
            |_| Refusal::new(Reason::WechatUnavailable, "the login was cut short; see the log");
        async move { task.await.unwrap_or_else(|error| Err(lost(error))) }.boxed().shared()
    }
}

impl Parts {
    async fn once_over_replicas(
        &self,
        app: &Arc<App>,
        code: &Secret,
        hash: [u8; 32],
        client: IpAddr,
    ) -> Result<LoggedIn, Refusal> {
        let key = Key::new(Kind::Exchange, &[&hash]);
        let Some(known) = self.store.put_if_absent(&key, UNDER_WAY, self.lease()).await? else {
            if let Err(refusal) = self.count(app, client).await {
                let _ = self.store.remove(&key, UNDER_WAY).await;
                return Err(refusal);
            }
            let exchanged = self.client.of(app).code2session(app, code).await;
            let outcome = match exchanged {
                Ok(login) => self.admit(app, &login).await,
                Err(Failed { refusal, sent: false }) => {
                    // Nothing was sent: the next one who brings the code may try.
                    let _ = self.store.remove(&key, UNDER_WAY).await;
                    return Err(refusal);
                }
                Err(failed) => Err(failed.refusal),
            };
            self.remember(&key, &hash, &outcome).await;
            return outcome;
        };
        let Some(outcome) = self.wait(&key, known).await? else {
            let note = "another replica took the code and has not finished with it";
            return Err(Refusal::new(Reason::WechatUnavailable, note));
        };
        self.recall(app, &hash, &outcome).await
    }

    /// Counts a code that WeChat is to be asked about. The address comes first, so that one that is over
    /// its limit takes nothing of what the app has for all.
    async fn count(&self, app: &App, client: IpAddr) -> Result<(), Refusal> {
        let of_ip = self.store.take(&rate::login_key_of_ip(client), &self.rate.per_ip).await;
        of_ip.map_err(|exceeded| {
            rate::refused(exceeded, "too many logins from one address: per_ip of login_rate")
        })?;
        let of_app = self.store.take(&rate::login_key_of_app(&app.appid), &self.rate.per_app).await;
        of_app.map_err(|exceeded| {
            rate::refused(exceeded, "too many logins to one app: per_app of login_rate")
        })
    }

    fn lease(&self) -> Duration {
        self.client.longest_call() + LEASE
    }

    /// Waits until the replica that took the code has an outcome, and gives it sealed.
    async fn wait(&self, key: &Key, mut known: Vec<u8>) -> Result<Option<Vec<u8>>, Refusal> {
        let until = tokio::time::Instant::now() + self.lease();
        while known == UNDER_WAY {
            if tokio::time::Instant::now() > until {
                return Ok(None);
            }
            tokio::time::sleep(POLL).await;
            match self.store.get(key).await? {
                Some(value) => known = value,
                None => return Ok(None),
            }
        }
        Ok(Some(known))
    }

    /// Begins the session of a user whom WeChat has vouched for.
    async fn admit(&self, app: &Arc<App>, login: &Login) -> Result<LoggedIn, Refusal> {
        let user = User { appid: app.appid.clone(), openid: login.openid.clone() };
        let first_login = self.rings.is_first_login(&user).await?;
        self.keep_key(app, &user, &login.session_key).await?;
        let session = self.sessions.begin(user, login.unionid.clone()).await?;
        let token = self.sessions.token(&session).map_err(|_| {
            Refusal::new(
                Reason::StoreUnavailable,
                "the signing key cannot sign: check signing_keys",
            )
        })?;
        Ok(LoggedIn {
            appid: app.appid.as_str().to_owned(),
            openid: login.openid.as_str().to_owned(),
            unionid: login.unionid.as_ref().map(|unionid| unionid.as_str().to_owned()),
            session: session.id.as_str().to_owned(),
            token,
            expires: session.expires,
            first_login,
        })
    }

    /// Keeps the session key. One that was burnt, and that WeChat gives again, is replaced first; the
    /// login itself does not depend on it.
    async fn keep_key(&self, app: &Arc<App>, user: &User, key: &SessionKey) -> Result<(), Refusal> {
        if self.rings.add(user, key).await? {
            return Ok(());
        }
        let call = |token: Secret| async move {
            self.client.of(app).reset_user_session_key(&token, &user.openid, key).await
        };
        let reset = self.tokens.call_with_token(app, call);
        match tokio::time::timeout(RESET_WITHIN, reset).await {
            Ok(Ok(new)) => Ok(self.rings.add(user, &new).await.map(drop)?),
            Ok(Err(refusal)) => {
                warn!(
                    "a burnt session key was not replaced, so that its user's data stays shut: {refusal}"
                );
                Ok(())
            }
            Err(_) => {
                warn!(
                    "a burnt session key was not replaced in time, so that its user's data stays shut"
                );
                Ok(())
            }
        }
    }

    /// Leaves the outcome for those who come later.
    async fn remember(&self, key: &Key, hash: &[u8; 32], outcome: &Result<LoggedIn, Refusal>) {
        let outcome = match outcome {
            Ok(logged_in) => Outcome::LoggedIn(logged_in.clone()),
            // Also one that speaks of WeChat's state and not of the code: whether the code is spent by
            // now nobody knows, and it is sent once.
            Err(Refusal { wechat_errcode: Some(errcode), .. }) => Outcome::Refused(*errcode),
            Err(_) => Outcome::Lost,
        };
        // Serialising plain data does not fail; an empty value would be read as damaged.
        let text = serde_json::to_vec(&outcome).unwrap_or_default();
        let sealed = self.sealer.seal(Purpose::Exchange, &[hash], &text);
        let _ = self.store.put(key, &sealed, OUTCOME_KEPT).await;
    }

    async fn recall(&self, app: &App, hash: &[u8; 32], sealed: &[u8]) -> Result<LoggedIn, Refusal> {
        let opened = self.sealer.open(Purpose::Exchange, &[hash], sealed).ok();
        let outcome = opened.and_then(|text| serde_json::from_slice::<Outcome>(&text).ok());
        let used = || Refusal::new(Reason::LoginCodeUsed, "the login code was exchanged before");
        match outcome {
            Some(Outcome::LoggedIn(logged_in)) => {
                let openid = OpenId::parse(&logged_in.openid).ok_or_else(used)?;
                let user = User { appid: app.appid.clone(), openid };
                let session = SessionId::parse(&logged_in.session).ok_or_else(used)?;
                // After a logout the old answer would hand out a dead token.
                let lives = self.sessions.exists(&user, &session).await?;
                if lives { Ok(logged_in) } else { Err(used()) }
            }
            Some(Outcome::Refused(errcode)) => Err(errcode::refusal(Api::Code2Session, errcode)),
            Some(Outcome::Lost) => Err(Refusal::new(
                Reason::LoginCodeUsed,
                "WeChat was asked about this code before, and its answer did not come",
            )),
            None => Err(used()),
        }
    }
}

/// The store never sees the code itself.
fn code_hash(app: &App, code: &Secret) -> [u8; 32] {
    let text = [app.appid.as_str().as_bytes(), b"\0", code.expose().as_bytes()].concat();
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, &text).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::answer::Answer;

    #[test]
    fn tokens_do_not_print() {
        let logged_in = LoggedIn {
            appid: "wx0123456789abcdef".to_owned(),
            openid: "oABC".to_owned(),
            unionid: None,
            session: "hunter2".to_owned(),
            token: "eyJhbGciOi".to_owned(),
            expires: 1,
            first_login: true,
        };
        let answer = Answer::json_text(r#"{"token":"eyJhbGciOi"}"#.to_owned());
        let shown = format!("{logged_in:?} {answer:?}");
        assert!(!shown.contains("eyJ") && !shown.contains("hunter2"), "{shown}");
    }
}
