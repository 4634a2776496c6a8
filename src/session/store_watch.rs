//! Whether the store answers, as readiness says it: with some patience, so that a blink of the network
//! does not send every replica's clients elsewhere at once.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tracing::{info, warn};

use super::store::Store;
use crate::lifecycle::ready::{BlockReady, Ready};

const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Until it answers for the first time: nobody relies on this gateway yet, so there is nothing to be patient about.
const FIRST_LOOK_EVERY: Duration = Duration::from_millis(50);
/// Looks in a row before readiness turns: two seconds to lose it, one to get it back.
const TURNS_DOWN_AFTER: u32 = 8;
const TURNS_UP_AFTER: u32 = 4;

/// Watches a store for as long as it is used. One that does not answer yet blocks readiness from the
/// start.
pub fn start(store: &Arc<dyn Store>, ready: &Ready) {
    ready.name("store");
    let outage = store.outage();
    let blocked = outage.map(|outage| ready.block("store", outage.to_string()));
    tokio::spawn(watch(Arc::downgrade(store), ready.clone(), blocked));
}

async fn watch(store: Weak<dyn Store>, ready: Ready, blocked: Option<BlockReady>) {
    if let Some(blocked) = blocked {
        first_answer(&store, blocked).await;
    }
    let (mut blocked, mut otherwise): (Option<BlockReady>, u32) = (None, 0);
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(store) = store.upgrade() else { return };
        let outage = store.outage();
        otherwise = if outage.is_some() == blocked.is_some() { 0 } else { otherwise + 1 };
        if let (Some(outage), Some(blocked)) = (&outage, &blocked) {
            blocked.because(outage.to_string());
        }
        match outage {
            Some(outage) if otherwise >= TURNS_DOWN_AFTER => {
                warn!("not ready: {outage}");
                blocked = Some(ready.block("store", outage.to_string()));
                otherwise = 0;
            }
            None if otherwise >= TURNS_UP_AFTER => {
                info!("ready: the session store answers");
                blocked = None;
                otherwise = 0;
            }
            _ => {}
        }
    }
}

/// Blocks readiness until the store answers for the first time, or nobody uses it any more.
async fn first_answer(store: &Weak<dyn Store>, blocked: BlockReady) {
    while let Some(outage) = store.upgrade().and_then(|store| store.outage()) {
        blocked.because(outage.to_string());
        tokio::time::sleep(FIRST_LOOK_EVERY).await;
    }
}
