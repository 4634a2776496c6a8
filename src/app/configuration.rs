//! The configuration in effect, and how another one takes its place: whole or not at all.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::Mutex;
use tracing::{debug, error, info, warn};

use super::changes;
use super::restart::keep_what_needs_a_restart;
use super::snapshot::{Lasting, Snapshot};
use crate::config::{Problems, Settings};
use crate::identity::assertion::AssertionKey;
use crate::identity::forwarded::TrustedProxies;
use crate::lifecycle::reloads::{Outcome, Reload, Reloads};
use crate::policy::limits::Limits;
use crate::proxy::State;
use crate::secret::Secret;
use crate::session::access_token::AccessTokens;
use crate::session::store::EncryptionKey;
use crate::session::token::SigningKey;

/// The configuration in effect.
#[derive(Debug)]
pub struct Configuration {
    lasting: Lasting,
    keys: OwnKeys,
    current: ArcSwap<Snapshot>,
    /// What requests read.
    pub(super) state: Arc<ArcSwap<State>>,
    /// What the door reads.
    pub(super) limits: Arc<ArcSwap<Limits>>,
    /// What the way in reads.
    pub(super) trusted_proxies: Arc<ArcSwap<TrustedProxies>>,
    /// What Envoy must show.
    pub(super) checks_token: Arc<ArcSwapOption<Secret>>,
    reloads: Reloads,
    /// One at a time.
    reloading: Mutex<()>,
}

/// Keys for a configuration that gives none. They end with the process, and not with a reload.
#[derive(Debug)]
struct OwnKeys {
    signing: SigningKey,
    encryption: EncryptionKey,
    assertion: AssertionKey,
}

impl OwnKeys {
    fn fill_in(&self, settings: &mut Settings) {
        if settings.session.signing_keys.is_empty() {
            settings.session.signing_keys.push(self.signing.clone());
        }
        if settings.store.encryption_keys.is_empty() {
            settings.store.encryption_keys.push(self.encryption.clone());
        }
        let assertion = settings.identity.assertion.as_mut();
        if let Some(assertion) = assertion.filter(|assertion| assertion.keys.is_empty()) {
            assertion.keys.push(self.assertion.clone());
        }
    }
}

impl Configuration {
    /// The first one.
    pub(super) async fn start(
        mut settings: Settings,
        lasting: Lasting,
        reloads: Reloads,
    ) -> anyhow::Result<Self> {
        let (signing, encryption) = (SigningKey::random(), EncryptionKey::random());
        let keys = OwnKeys { signing, encryption, assertion: AssertionKey::random() };
        keys.fill_in(&mut settings);
        let first = Snapshot::first(settings, &lasting).await?;
        lasting.shown.show(first.view());
        let state = Arc::new(ArcSwap::new(first.state.clone()));
        let limits = Arc::new(ArcSwap::from_pointee(first.settings.limits.clone()));
        let trusted_proxies = Arc::new(ArcSwap::from_pointee(first.state.trusted_proxies.clone()));
        let checks_token = Arc::new(ArcSwapOption::new(checks_token(&first.settings)));
        Ok(Self {
            lasting,
            keys,
            current: ArcSwap::from_pointee(first),
            state,
            limits,
            trusted_proxies,
            checks_token,
            reloads,
            reloading: Mutex::default(),
        })
    }

    /// What is in effect now.
    pub fn settings(&self) -> Settings {
        self.current.load().settings.clone()
    }

    /// What serves requests now, and its access_tokens.
    pub(super) fn parts(&self) -> (Arc<State>, Arc<AccessTokens>) {
        let current = self.current.load();
        (current.state.clone(), current.tokens.clone())
    }

    /// The record of reloads.
    pub fn reloads(&self) -> &Reloads {
        &self.reloads
    }

    /// Puts what was read in effect, unless it has problems or nothing changed; then what was in effect
    /// stays. Requests that are under way end with what they began with. Where it was `asked` for it is
    /// said in any case; else only what is news.
    pub async fn reload(&self, read: Result<Settings, Problems>, asked: bool) -> Outcome {
        let _alone = self.reloading.lock().await;
        let (outcome, needs_restart) = match read {
            Ok(settings) => self.replace(settings).await,
            Err(problems) => (Outcome::Failed(one_line(&problems)), Vec::new()),
        };
        let known = self.reloads.record();
        let is_news = match &outcome {
            Outcome::Applied(_) => true,
            Outcome::Unchanged => known.failure().is_some() || self.waits_differ(&needs_restart),
            Outcome::Failed(reason) => known.failure() != Some(reason),
        };
        if !asked && !is_news {
            debug!("the configuration was read again: {outcome:?}");
            return outcome;
        }
        let generation = self.reloads.note(Reload {
            at: self.lasting.clock.now(),
            outcome: outcome.clone(),
            needs_restart: needs_restart.clone(),
        });
        match &outcome {
            Outcome::Applied(changes) => {
                info!("configuration reloaded, generation {generation}: {changes}");
            }
            Outcome::Unchanged => {
                info!("configuration reloaded, generation {generation} as before: nothing changed");
            }
            Outcome::Failed(reason) => error!(
                "configuration not reloaded, generation {generation} stays in effect: {reason}"
            ),
        }
        needs_restart.iter().for_each(|line| warn!("{line}"));
        outcome
    }

    fn waits_differ(&self, needs_restart: &[String]) -> bool {
        let last = self.reloads.record().last;
        last.map_or(!needs_restart.is_empty(), |last| last.needs_restart != needs_restart)
    }

    async fn replace(&self, mut settings: Settings) -> (Outcome, Vec<String>) {
        let now = self.current.load_full();
        let needs_restart = keep_what_needs_a_restart(&now.settings, &mut settings);
        self.keys.fill_in(&mut settings);
        let Some(changes) = changes::in_words(&now.settings, &settings) else {
            return (Outcome::Unchanged, needs_restart);
        };
        let warnings = settings.warnings.clone();
        let next = match now.next(settings, &self.lasting).await {
            Ok(next) => next,
            Err(error) => return (Outcome::Failed(error.to_string()), Vec::new()),
        };
        self.limits.store(Arc::new(next.settings.limits.clone()));
        self.trusted_proxies.store(Arc::new(next.state.trusted_proxies.clone()));
        self.checks_token.store(checks_token(&next.settings));
        if let (Some(tracer), Some(traces)) = (&self.lasting.tracer, &next.settings.traces) {
            tracer.follow(traces);
        }
        self.state.store(next.state.clone());
        self.lasting.log.follow(&now.settings.log, &next.settings.log);
        self.lasting.shown.show(next.view());
        self.current.store(Arc::new(next));
        self.lasting.metrics.forget_unheld();
        warnings.list.iter().for_each(|warning| {
            warn!("{}:{}:{}: {warning}", warnings.file, warning.line, warning.column);
        });
        (Outcome::Applied(changes), needs_restart)
    }
}

fn checks_token(settings: &Settings) -> Option<Arc<Secret>> {
    settings.ext_authz.as_ref()?.token.clone().map(Arc::new)
}

/// Each problem with its place; they are one event.
fn one_line(problems: &Problems) -> String {
    problems.to_string().replace('\n', " | ")
}
