//! The sessions of the gateway: begun at login, found by a token, ended by a logout.

mod app_era;
mod ending;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache;

use self::app_era::AppEras;
use super::metrics::{EndReason, Lookup, SessionMetrics};
use super::near_cache::{Live, NearCache};
use super::record::{Session, SessionId, TokenId};
use super::store::{Invalidations, Store, Unavailable};
use super::token::{Claims, Invalid, MAX_LENGTH, Tokens};
use super::{OnStoreOutage, Revocation, Settings};
use crate::clock::Clock;
use crate::wechat::app::AppId;
use crate::wechat::user::{OpenId, UnionId, User};

/// However live the invalidations are, no cached session is believed for longer.
const CACHED_SECONDS: u64 = 30;
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
    near: Arc<NearCache>,
    /// By token: what its verification gave, so that it is done once. The map's hash is keyed by chance,
    /// so that nobody can aim at an entry and time the comparison.
    verdicts: Cache<Box<str>, Arc<Verdict>>,
    apps: HashMap<AppId, usize>,
    clock: Clock,
    idle: Duration,
    lifetime: Duration,
    revocation: Revocation,
    on_store_outage: OnStoreOutage,
    /// When the store last gave an answer, in seconds since 1970.
    store_answered: AtomicU64,
    metrics: SessionMetrics,
    eras: AppEras,
}

#[derive(Debug)]
struct Verdict {
    live: Arc<Live>,
    /// When the token ends; earlier than its session where it was refreshed.
    until: u64,
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
        Self {
            store: store(near.clone()),
            tokens: Tokens::new(settings.signing_keys.clone()),
            near,
            verdicts: Cache::new(VERDICTS),
            apps: apps.iter().cloned().zip(0..).collect(),
            clock,
            idle: settings.idle,
            lifetime: settings.lifetime,
            revocation: settings.revocation,
            on_store_outage: settings.on_store_outage,
            store_answered: AtomicU64::new(0),
            metrics: SessionMetrics::default(),
            eras: AppEras::new(apps.len()),
        }
    }

    /// The same, counted there.
    pub fn counted_by(self, metrics: SessionMetrics) -> Self {
        Self { metrics, ..self }
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

    /// The session that a token names.
    pub async fn authenticate(&self, token: &str) -> Result<Arc<Live>, NotAuthenticated> {
        if token.len() > MAX_LENGTH {
            return Err(NotAuthenticated::Invalid);
        }
        let now = self.clock.now();
        if let Some(verdict) = self.verdicts.get(token) {
            let live = &verdict.live;
            let has_ended = self.eras.has_ended(live.app, &live.session);
            if self.near.is_current(live, now) && now < verdict.until && !has_ended {
                self.metrics.looked_up(Lookup::Verdict);
                self.renew_when_due(live, now);
                return Ok(live.clone());
            }
        }
        let claims = self.tokens.verify(token, now)?;
        let (live, until) = match self.look_up(&claims, now).await {
            Err(NotAuthenticated::Unavailable(error)) => {
                return self.without_store(token, &claims, now).ok_or_else(|| error.into());
            }
            looked_up => looked_up?,
        };
        if self.eras.has_ended(live.app, &live.session) {
            return Err(NotAuthenticated::Invalid);
        }
        self.verdicts.insert(token.into(), Arc::new(Verdict { live: live.clone(), until }));
        self.renew_when_due(&live, now);
        Ok(live)
    }

    async fn look_up(
        &self,
        claims: &Claims,
        now: u64,
    ) -> Result<(Arc<Live>, u64), NotAuthenticated> {
        let (user, id, token_id) = names(claims).ok_or(NotAuthenticated::Invalid)?;
        let app = *self.apps.get(&user.appid).ok_or(NotAuthenticated::Invalid)?;
        if self.revocation == Revocation::None {
            return Ok((self.signed(claims).ok_or(Invalid)?, claims.exp));
        }
        let mut live = self.find(&user, &id, app, now).await?;
        if live.session.token_until(&token_id, now).is_none() {
            // A copy from before a refresh on another replica that was not heard of yet, perhaps.
            self.near.forget(&id);
            live = self.find(&user, &id, app, now).await?;
        }
        let until = live.session.token_until(&token_id, now).ok_or(NotAuthenticated::Invalid)?;
        if live.session.user != user {
            return Err(NotAuthenticated::Invalid);
        }
        Ok((live, until.min(claims.exp)))
    }

    /// The session, from memory or from the store. What the store says is gone has ended.
    async fn find(
        &self,
        user: &User,
        id: &SessionId,
        app: usize,
        now: u64,
    ) -> Result<Arc<Live>, NotAuthenticated> {
        let mut from = Lookup::Cache;
        let load = async {
            from = Lookup::Store;
            self.load(user, id, app, now).await
        };
        let found = self.near.get(id, now, load).await;
        self.metrics.looked_up(from);
        let found = found?;
        if found.is_none() {
            self.near.ended(id);
        }
        found.ok_or(NotAuthenticated::Invalid)
    }

    /// The session as its token alone tells it.
    fn signed(&self, claims: &Claims) -> Option<Arc<Live>> {
        let (user, id, token_id) = names(claims)?;
        let app = *self.apps.get(&user.appid)?;
        let session = Session::from_claims(user, id, token_id, claims);
        Live::new(session, app, self.near.era(), u64::MAX, u64::MAX).map(Arc::new)
    }

    /// What a token is worth while the store cannot be asked: nothing, or for some time its signature,
    /// unless its session is known here to have ended.
    fn without_store(&self, token: &str, claims: &Claims, now: u64) -> Option<Arc<Live>> {
        let OnStoreOutage::AllowSigned(grace) = self.on_store_outage else { return None };
        let answered = self.store_answered.load(Ordering::Relaxed);
        if now >= answered.saturating_add(grace.as_secs()) {
            return None;
        }
        let live = match self.verdicts.get(token) {
            Some(verdict) if now < verdict.until => verdict.live.clone(),
            Some(_) => return None,
            None => self.signed(claims)?,
        };
        let has_ended =
            self.near.has_ended(&live.session.id) || self.eras.has_ended(live.app, &live.session);
        (!has_ended).then_some(live)
    }

    async fn load(
        &self,
        user: &User,
        id: &SessionId,
        app: usize,
        now: u64,
    ) -> Result<Option<Live>, Unavailable> {
        let era = self.near.era();
        let found = self.store.find(user, id).await?;
        self.store_answered.store(now, Ordering::Relaxed);
        let Some((session, kept)) = found else { return Ok(None) };
        let kept = kept.as_secs();
        let due = kept.saturating_sub(self.idle.as_secs() / 2);
        Ok(Live::new(session, app, era, now + CACHED_SECONDS.min(kept.max(1)), now + due))
    }

    /// Tells the store that a session is in use, once in half its idle time.
    fn renew_when_due(&self, live: &Arc<Live>, now: u64) {
        let due = live.renew_from.load(Ordering::Relaxed);
        if now < due {
            return;
        }
        let next = now + self.idle.as_secs() / 2;
        let first =
            live.renew_from.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed);
        if first.is_err() {
            return;
        }
        let (store, idle, live) = (self.store.clone(), self.idle, live.clone());
        tokio::spawn(async move {
            let session = &live.session;
            // It is tried again with the next load of the session, well before it runs out.
            let _ = store.renew(&session.user, &session.id, idle).await;
        });
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
        Ok(self.token(&refreshed.await?)?)
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
            self.near.forget(id);
            if changed? {
                return Ok(after);
            }
        }
        Err(Unavailable("a session is changed by many at once".into()).into())
    }

    /// The sessions that a user has, oldest first, asked of the store itself.
    pub async fn of_user(&self, user: &User) -> Result<Vec<Session>, Unavailable> {
        let mut sessions = self.store.sessions_of(user).await?;
        if let Some(app) = self.apps.get(&user.appid) {
            sessions.retain(|session| !self.eras.has_ended(*app, session));
        }
        Ok(sessions)
    }

    /// Whether a session is still there, asked of the store itself.
    pub async fn exists(&self, user: &User, id: &SessionId) -> Result<bool, Unavailable> {
        let found = self.store.find(user, id).await?;
        let app = self.apps.get(&user.appid);
        Ok(found.zip(app).is_some_and(|((session, _), app)| !self.eras.has_ended(*app, &session)))
    }
}

fn names(claims: &Claims) -> Option<(User, SessionId, TokenId)> {
    let user = User { appid: AppId::parse(&claims.aud)?, openid: OpenId::parse(&claims.sub)? };
    Some((user, SessionId::parse(&claims.sid)?, TokenId::parse(&claims.jti)?))
}
