//! What a gateway says of itself at one moment.

use std::time::Instant;

use serde_json::Value;

use super::exposition::Metrics;
use crate::cli::admin::{Admin, Silent, plain};

/// Its metrics, and whether it is ready.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) metrics: Metrics,
    pub(super) state: State,
}

/// `/readyz?verbose` and `/version`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct State {
    pub(super) version: String,
    /// The parts that are in the way, and why.
    pub(super) blocked: Vec<(String, String)>,
    /// How many configurations have been in effect.
    pub(super) generation: u64,
    /// Configurations that were kept out.
    pub(super) failed: u64,
    /// Why the last one was kept out, where it was.
    pub(super) failure: Option<String>,
}

/// Asks for all of it.
pub(super) async fn take(admin: &Admin) -> Result<Sample, String> {
    let said = |silent: Silent| silent.reason;
    let asked =
        tokio::join!(admin.get("/metrics"), admin.get("/readyz?verbose"), admin.get("/version"));
    let (metrics, ready) = (asked.0.map_err(said)?, asked.1.map_err(said)?);
    let version = asked.2.map_err(said)?;
    let metrics = Metrics::read(&metrics.body).filter(|_| metrics.status == 200);
    let metrics = metrics.ok_or("this is no admin listener of wxgate")?;
    let state = State::read(&ready.body, &version.body);
    Ok(Sample { at: Instant::now(), metrics, state })
}

impl State {
    /// What cannot be read is as if it were not there: an older gateway says less.
    pub(super) fn read(ready: &str, version: &str) -> Self {
        let ready: Value = serde_json::from_str(ready).unwrap_or_default();
        let version: Value = serde_json::from_str(version).unwrap_or_default();
        let text = |value: Option<&Value>| plain(value.and_then(Value::as_str).unwrap_or_default());
        let blocked = ready.get("blocked").and_then(Value::as_object).into_iter().flatten();
        let configuration = ready.get("configuration");
        let number = |name| configuration.and_then(|it| it.get(name)).and_then(Value::as_u64);
        let last = configuration.and_then(|it| it.get("last"));
        let outcome = text(last.and_then(|last| last.get("outcome")));
        Self {
            version: text(version.get("version")),
            blocked: blocked.map(|(part, reason)| (plain(part), text(Some(reason)))).collect(),
            generation: number("generation").unwrap_or_default(),
            failed: number("failed").unwrap_or_default(),
            failure: (outcome == "failed").then(|| text(last.and_then(|last| last.get("detail")))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_way_and_what_was_kept_out_is_read() {
        let ready = r#"{"ready":false,"blocked":{"store":"no\u001b connection"},
            "configuration":{"generation":3,"applied":2,"failed":1,
            "last":{"at":1,"outcome":"failed","detail":"gateway.toml:1:1: no","needs_restart":[]}}}"#;
        let state = State::read(ready, r#"{"name":"wxgate","version":"0.1.0"}"#);
        assert_eq!(state.blocked, [("store".to_owned(), "no  connection".to_owned())]);
        assert_eq!((state.generation, state.failed, state.version.as_str()), (3, 1, "0.1.0"));
        assert_eq!(state.failure.as_deref(), Some("gateway.toml:1:1: no"));
        assert_eq!(State::read("", "no"), State::default());
    }
}
