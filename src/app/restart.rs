//! What of another configuration waits for a restart. Until then the one before holds there, and is what
//! the admin listener shows.

use serde_json::{Map, Value};

use crate::config::Settings;
use crate::telemetry::traces::Settings as Traces;

/// Puts what only a restart changes back to what is in effect; one line for each such key.
pub(super) fn keep_what_needs_a_restart(now: &Settings, next: &mut Settings) -> Vec<String> {
    let mut kept = Kept { now: &now.effective, shown: next.effective.take(), lines: Vec::new() };
    let (server, next_server) = (&now.server, &mut next.server);
    if replace(&mut next_server.listeners, &server.listeners) {
        kept.say("[server] listen, tls, proxy_protocol or h2c");
        kept.keys("/server", &["listen", "tls", "proxy_protocol", "h2c"]);
    }
    if replace(&mut next_server.workers, &server.workers) {
        kept.say("[server] workers");
        kept.keys("/server", &["workers"]);
    }
    if replace(&mut next.admin.listen, &now.admin.listen) {
        kept.say("[admin] listen");
        kept.keys("/admin", &["listen"]);
    }
    if !listens_where_it_did(now, next) && replace(&mut next.ext_authz, &now.ext_authz) {
        kept.say("[ext_authz] listen");
        kept.keys("", &["ext_authz"]);
    }
    let (traces, followed) = traces_in_effect(now, next);
    if replace(&mut next.traces, &traces) {
        kept.say("[traces] (all but headers and headers_file)");
        kept.all_keys_but("traces", followed);
        // A collector decides on it.
        next.server.traces = now.server.traces;
        kept.keys("/server", &["traceparent"]);
    }
    if replace(&mut next.redis, &now.redis) {
        kept.say("[store] (all but encryption_keys)");
        kept.all_keys_but("store", &["encryption_keys", "encryption_keys_file"]);
        keep_keys_of_its_own(now, next, &mut kept);
    }
    next.effective = kept.shown;
    kept.lines
}

/// Then its token is the next one's. It is never taken to another address, which may need one all the more.
fn listens_where_it_did(now: &Settings, next: &Settings) -> bool {
    let address = |settings: &Settings| settings.ext_authz.as_ref().map(|it| it.listen.clone());
    address(now) == address(next)
}

/// What holds of `[traces]`, and the keys of it that are the next one's. The headers of another collector are
/// not for this one to see.
fn traces_in_effect(now: &Settings, next: &Settings) -> (Option<Traces>, &'static [&'static str]) {
    match (&now.traces, &next.traces) {
        (Some(now), Some(next)) if now.endpoint == next.endpoint => {
            let traces = Traces { headers: next.headers.clone(), ..now.clone() };
            (Some(traces), &["headers", "headers_file"])
        }
        (now, _) => (now.clone(), &[]),
    }
}

/// Their defaults are another store's: with them everybody would be logged out of this one.
fn keep_keys_of_its_own(now: &Settings, next: &mut Settings, kept: &mut Kept<'_>) {
    let (session, store) = (&mut next.session, &mut next.store);
    if keep_given(&mut session.signing_keys, &now.session.signing_keys) {
        kept.keys("/session", &["signing_keys", "signing_keys_file"]);
    }
    if keep_given(&mut store.encryption_keys, &now.store.encryption_keys) {
        kept.keys("/store", &["encryption_keys", "encryption_keys_file"]);
    }
    let assertions = (&mut next.identity.assertion, &now.identity.assertion);
    if let (Some(next), Some(now)) = assertions
        && keep_given(&mut next.keys, &now.keys)
    {
        kept.keys("/identity/assertion", &["keys", "keys_file"]);
    }
}

/// Whether it was another one.
fn replace<T: Clone + PartialEq>(next: &mut T, now: &T) -> bool {
    let changed = next != now;
    if changed {
        next.clone_from(now);
    }
    changed
}

fn keep_given<T: Clone>(next: &mut Vec<T>, now: &[T]) -> bool {
    let is_kept = next.is_empty();
    if is_kept {
        *next = now.to_vec();
    }
    is_kept
}

/// What stays, as it is said and shown.
struct Kept<'a> {
    /// What is in effect, as it is shown.
    now: &'a Value,
    /// The next configuration as it is shown.
    shown: Value,
    lines: Vec<String>,
}

impl Kept<'_> {
    fn say(&mut self, key: &str) {
        let waits = "has changed, which needs a restart: until then it stays as it was";
        self.lines.push(format!("{key} {waits}"));
    }

    /// Shows keys of the table at this place as they are in effect; one that is not there now is not shown.
    fn keys(&mut self, table: &str, keys: &[&str]) {
        let before = self.now.pointer(table);
        let Some(Value::Object(shown)) = self.shown.pointer_mut(table) else { return };
        for key in keys {
            match before.and_then(|table| table.get(key)) {
                Some(value) => drop(shown.insert((*key).to_owned(), value.clone())),
                None => drop(shown.remove(*key)),
            }
        }
    }

    /// The same for a whole table, but for some keys of it.
    fn all_keys_but(&mut self, table: &str, followed: &[&str]) {
        let keys = |shown: &Value| shown.get(table).and_then(Value::as_object).cloned();
        let (before, next) = (keys(self.now), keys(&self.shown));
        let is_followed = |key: &String| followed.contains(&key.as_str());
        let there = before.is_some() || next.iter().flatten().any(|(key, _)| is_followed(key));
        let before = before.into_iter().flatten().filter(|(key, _)| !is_followed(key));
        let next = next.into_iter().flatten().filter(|(key, _)| is_followed(key));
        let both: Map<_, _> = before.chain(next).collect();
        let Value::Object(shown) = &mut self.shown else { return };
        match there {
            true => drop(shown.insert(table.to_owned(), both.into())),
            false => drop(shown.remove(table)),
        }
    }
}
