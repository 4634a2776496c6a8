//! The sessions of the gateway: begun at login, found by a token, ended by a logout.

mod app_era;
mod attached;
mod authenticate;
mod ending;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache;

pub use self::attached::Attached;

use self::app_era::{AppEras, KnownEras};
use self::attached::AllAttached;
use super::caller::Caller;
use super::metrics::{EndReason, SessionMetrics};
use super::near_cache::{Live, NearCache};
use super::record::{Session, SessionId, TokenId};
use super::store::{Invalidations, Store, Unavailable};
use super::token::{Claims, Invalid, Tokens};
use super::{OnStoreOutage, Revocation, Settings};
use crate::clock::Clock;
use crate::wechat::app::AppId;
use crate::wechat::user::{OpenId, UnionId, User};

/// Devices of one person, generously; each login reads the others.
const SESSIONS_OF_A_USER: usize = 32;
/// So many changes of one session by others may come in between.
const CHANGE_TRIES: usize = 8;
/// Tokens whose verdict is remembered. About 600 bytes each.
const VERDICTS: usize = 50_000;

/// The sessions of the gateway.
#[derive(Debug)]
pub struct Sessions {
    store: Arc<dyn Store>,
    tokens: Tokens,
    known: Arc<Known>,
    /// Whose verdicts are taken over: of those with the same keys, apps and `revocation`.
    epoch: u64,
    apps: HashMap<AppId, usize>,
    clock: Clock,
    idle: Duration,
    lifetime: Duration,
    revocation: Revocation,
    on_store_outage: OnStoreOutage,
    attached: AllAttached,
    eras: AppEras,
    metrics: SessionMetrics,
}

/// What this process knows of sessions, whatever the configuration.
#[derive(Debug)]
struct Known {
    near: Arc<NearCache>,
    /// By token: what its verification gave, so that it is done once. The map's hash is keyed by chance,
    /// so that nobody can aim at an entry and time the comparison.
    verdicts: Cache<Box<str>, Arc<Verdict>>,
    epochs: AtomicU64,
    /// When the store last gave an answer, in seconds since 1970.
    store_answered: AtomicU64,
    eras: KnownEras,
}

#[derive(Debug)]
struct Verdict {
    caller: Caller,
    /// When the token ends; earlier than its session where it was refreshed.
    until: u64,
    epoch: u64,
}

/// Why a token opens nothing.
#[derive(Debug, thiserror::Error)]
pub enum NotAuthenticated {
    /// It is no token of ours, or its session has ended: one answer for all of it.
    #[error("the token is not valid")]
    Invalid,
    /// It may be good: the store cannot be asked.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl From<Invalid> for NotAuthenticated {
    fn from(_: Invalid) -> Self {
        Self::Invalid
    }
}

impl Sessions {
    /// Sessions of these apps, whose positions are those of the settings. The store is made with the
    /// one who wants to be told of changes in it.
    pub fn new(
        settings: &Settings,
        apps: &[AppId],
        store: impl FnOnce(Arc<dyn Invalidations>) -> Arc<dyn Store>,
        clock: Clock,
    ) -> Self {
        let near = Arc::new(NearCache::new());
        let known = Known {
            near: near.clone(),
            verdicts: Cache::new(VERDICTS),
            epochs: AtomicU64::new(0),
            store_answered: AtomicU64::new(0),
            eras: KnownEras::default(),
        };
        Self {
            store: store(near),
            tokens: Tokens::new(settings.signing_keys.clone()),
            eras: known.eras.of(apps),
            known: Arc::new(known),
            epoch: 0,
            apps: positions(apps),
            clock,
            idle: settings.idle,
            lifetime: settings.lifetime,
            revocation: settings.revocation,
            on_store_outage: settings.on_store_outage,
            attached: AllAttached::default(),
            metrics: SessionMetrics::default(),
        }
    }

    /// The same, counted there.
    #[must_use]
    pub fn counted_by(self, metrics: SessionMetrics) -> Self {
        Self { metrics, ..self }
    }

    /// The same sessions under other settings. What is known of them is known to both.
    pub fn after_reload(&self, settings: &Settings, apps: &[AppId]) -> Self {
        let eras = self.known.eras.of(apps);
        let (tokens, apps) = (Tokens::new(settings.signing_keys.clone()), positions(apps));
        let (known, revocation) = (self.known.clone(), settings.revocation);
        let same = tokens.have_keys_of(&self.tokens)
            && (&apps, revocation) == (&self.apps, self.revocation);
        // Where they differ, a verdict of before could let in whose key is gone.
        let next = || known.epochs.fetch_add(1, Ordering::Relaxed) + 1;
        Self {
            store: self.store.clone(),
            epoch: if same { self.epoch } else { next() },
            tokens,
            known,
            apps,
            clock: self.clock.clone(),
            idle: settings.idle,
            lifetime: settings.lifetime,
            revocation,
            on_store_outage: settings.on_store_outage,
            attached: AllAttached::default(),
            eras,
            metrics: SessionMetrics::default(),
        }
    }

    /// Begins a session for a user that WeChat has just vouched for. His oldest one makes room for it
    /// where he has very many.
    pub async fn begin(
        &self,
        user: User,
        unionid: Option<UnionId>,
    ) -> Result<Session, Unavailable> {
        let now = self.clock.now();
        let others = self.store.sessions_of(&user).await?;
        let surplus = (others.len() + 1).saturating_sub(SESSIONS_OF_A_USER);
        for oldest in others.iter().take(surplus) {
            self.end_for(&user, &oldest.id, EndReason::Surplus).await?;
        }
        if let Some(unionid) = &unionid {
            // The app may have been bound to an open-platform account since the user's other logins.
            self.add_unionid(&others, unionid).await?;
        }
        let session = Session {
            id: SessionId::random(),
            user,
            unionid,
            created: now,
            expires: now + self.lifetime.as_secs(),
            token: TokenId::random(),
            replaced_tokens: Vec::new(),
            claims: Default::default(),
        };
        self.store.create(&session, self.idle).await?;
        if let Some(app) = self.apps.get(&session.user.appid) {
            self.metrics.begun(*app);
        }
        Ok(session)
    }

    /// Where the sessions are kept.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The token of a session. Fails only where the signing key cannot sign.
    pub fn token(&self, session: &Session) -> Result<String, Invalid> {
        let claims = Claims::new(
            session.user.openid.as_str(),
            session.user.appid.as_str(),
            session.id.as_str(),
            session.token.as_str().to_owned(),
            session.created,
            self.clock.now(),
            session.expires,
        );
        self.tokens.sign(&claims)
    }

    /// Whether a text has the form of a token of ours, good or not.
    pub fn is_like_a_token(&self, text: &str) -> bool {
        self.tokens.is_like_ours(text)
    }

    /// For how many seconds from now a session may live at most.
    pub fn expires_in(&self, session: &Session) -> u64 {
        session.expires.saturating_sub(self.clock.now())
    }

    /// A new token for a session; the old one works a little longer. Where several ask at once, they
    /// get the same one: else the last would take away what the others were given.
    pub async fn refresh(&self, live: &Live) -> Result<String, NotAuthenticated> {
        let known = &live.session;
        let refreshed = self.change(&known.user, &known.id, |session| {
            if session.token == known.token {
                session.replace_token(self.clock.now());
            }
        });
        let refreshed = refreshed.await?;
        if self.has_ended_with_its_app(&refreshed).await? {
            return Err(NotAuthenticated::Invalid);
        }
        Ok(self.token(&refreshed)?)
    }

    /// Adds what the upstream said of the user at login.
    pub async fn add_claims(
        &self,
        live: &Live,
        claims: BTreeMap<String, String>,
    ) -> Result<(), NotAuthenticated> {
        let known = &live.session;
        let added = |session: &mut Session| session.claims.extend(claims.clone());
        self.change(&known.user, &known.id, added).await.map(drop)
    }

    /// Adds a unionid to those sessions that have none.
    async fn add_unionid(&self, known: &[Session], unionid: &UnionId) -> Result<(), Unavailable> {
        for session in known.iter().filter(|session| session.unionid.is_none()) {
            let added = |session: &mut Session| session.unionid = Some(unionid.clone());
            match self.change(&session.user, &session.id, added).await {
                Err(NotAuthenticated::Unavailable(error)) => return Err(error),
                // It may have ended meanwhile.
                Ok(_) | Err(NotAuthenticated::Invalid) => {}
            }
        }
        Ok(())
    }

    /// Changes a session as it is in the store: again where somebody else has changed it in between.
    /// Fails where it has ended.
    async fn change(
        &self,
        user: &User,
        id: &SessionId,
        change: impl Fn(&mut Session),
    ) -> Result<Session, NotAuthenticated> {
        for _ in 0..CHANGE_TRIES {
            let found = self.store.find(user, id).await?;
            let (before, _) = found.ok_or(NotAuthenticated::Invalid)?;
            let mut after = before.clone();
            change(&mut after);
            if after == before {
                return Ok(before);
            }
            let changed = self.store.update(&before, &after).await;
            self.known.near.forget(id);
            if changed? {
                return Ok(after);
            }
        }
        Err(Unavailable("a session is changed by many at once".into()).into())
    }

    /// The sessions that a user has, oldest first, asked of the store itself.
    pub async fn of_user(&self, user: &User) -> Result<Vec<Session>, Unavailable> {
        let mut sessions = Vec::new();
        for session in self.store.sessions_of(user).await? {
            if !self.has_ended_with_its_app(&session).await? {
                sessions.push(session);
            }
        }
        Ok(sessions)
    }

    /// Whether a session is still there, asked of the store itself.
    pub async fn exists(&self, user: &User, id: &SessionId) -> Result<bool, Unavailable> {
        match self.store.find(user, id).await? {
            Some((session, _)) => Ok(!self.has_ended_with_its_app(&session).await?),
            None => Ok(false),
        }
    }
}

fn positions(apps: &[AppId]) -> HashMap<AppId, usize> {
    apps.iter().cloned().zip(0..).collect()
}

fn names(claims: &Claims) -> Option<(User, SessionId, TokenId)> {
    let user = User { appid: AppId::parse(&claims.aud)?, openid: OpenId::parse(&claims.sub)? };
    Some((user, SessionId::parse(&claims.sid)?, TokenId::parse(&claims.jti)?))
}
