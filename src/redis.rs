//! The session store on Redis: any number of gateways, one truth.
//!
//! [`RedisStore`] speaks through a link that looks after itself: it finds the primary (one server,
//! Sentinel, Cluster), sets its connections up anew on any doubt, and tells who keeps copies of sessions
//! what changed. Redis being away is no reason not to start: calls say so until it is back.

mod codec;
mod damage;
mod failure;
mod finding;
mod keys;
mod link;
mod rate;
mod scripts;
pub mod settings;
mod store;
mod users;

use std::sync::Arc;

use self::damage::Damage;
pub use self::finding::Finding;
use self::keys::Keys;
use self::link::Link;
use self::rate::SharedRates;
use self::scripts::Scripts;
pub use self::settings::Settings;
use crate::clock::Clock;
use crate::session::store::Invalidations;

/// The session store on Redis. Dropping it closes its connections.
#[derive(Debug)]
pub struct RedisStore {
    link: Link,
    keys: Keys,
    scripts: Scripts,
    clock: Clock,
    damaged: Damage,
    rates: SharedRates,
}

/// Connects once, and gives what an operator should know of this Redis. It writes nothing.
///
/// # Errors
///
/// Why it cannot be used, and what to do.
pub async fn examine(settings: Settings, clock: Clock) -> Result<Vec<Finding>, String> {
    let keys = Keys::new(settings.key_prefix.clone());
    let found = link::examine(settings, &clock, keys.sessions()).await;
    found.map_err(|failure| failure.to_string())
}

impl RedisStore {
    /// Starts to connect, on the tokio runtime of the caller, and never fails: while Redis is away, calls
    /// do. `invalidations` hears of every session that changes, and whether it can be relied on.
    pub fn connect(
        settings: Settings,
        clock: Clock,
        invalidations: Arc<dyn Invalidations>,
    ) -> Self {
        // Until changes are heard of, no copy is to be kept.
        invalidations.live(false);
        let keys = Keys::new(settings.key_prefix.clone());
        let link = Link::start(settings, clock.clone(), invalidations, keys.sessions());
        Self {
            link,
            keys,
            scripts: Scripts::new(),
            clock,
            damaged: Damage::default(),
            rates: SharedRates::default(),
        }
    }

    /// How many times the link was set up so far: one more than it broke.
    pub fn connections(&self) -> u64 {
        self.link.opened()
    }
}
