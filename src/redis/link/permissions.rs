//! Whether the user that the gateway is to Redis may do all that the store does. Each command is tried, on a
//! key that is not there and in a form that writes nothing. Redis looks at a user's rules before it looks at
//! anything else of a command, so any answer but NOPERM is a yes.
//!
//! `ACL DRYRUN` would say the same, but a user with no more than it needs may not ask it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use redis::aio::ConnectionLike;
use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, Value};
use tokio::time::timeout;

use super::super::finding::Finding;
use super::wire::Wire;
use crate::session::random_bytes;

const ID: &str = "redis_acl";
/// For all commands at one server.
const LIMIT: Duration = Duration::from_secs(2);
/// The hash of a script that nobody has.
const NO_SCRIPT: &str = "0000000000000000000000000000000000000000";
/// What the warnings of the start are found by, and nothing else.
const FOR_WARNINGS: &str = "INFO";

/// What a user may not do.
#[derive(Debug, Default, PartialEq, Eq)]
struct Denied {
    commands: Vec<&'static str>,
    /// Commands that it may run, but not on keys with our prefix.
    keys: Vec<&'static str>,
}

pub(super) async fn findings(wire: &Wire, prefix: &str) -> Vec<Finding> {
    let key = format!("{prefix}doctor:{}", URL_SAFE_NO_PAD.encode(random_bytes::<16>()));
    let mut findings = Vec::new();
    for (name, mut connection) in wire.servers() {
        let denied = timeout(LIMIT, denied(&mut connection, &key)).await.unwrap_or_default();
        findings.extend(
            denied
                .findings(prefix)
                .into_iter()
                .map(|finding| Finding { text: format!("{name}{}", finding.text), ..finding }),
        );
    }
    findings
}

async fn denied(connection: &mut (impl ConnectionLike + Send), key: &str) -> Denied {
    let mut denied = Denied::default();
    for (name, trial) in trials(key) {
        match trial.query_async::<Value>(connection).await {
            Err(error) if is_denied(&error) => {
                let of_keys = error.detail().is_some_and(|detail| detail.contains("to access"));
                let list = if of_keys { &mut denied.keys } else { &mut denied.commands };
                list.push(name);
            }
            _ => {}
        }
    }
    denied
}

fn is_denied(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm)
}

/// Each command that the store or one of its scripts runs.
fn trials(key: &str) -> impl Iterator<Item = (&'static str, Cmd)> {
    let trials: [(&'static str, &[&str]); 13] = [
        ("DEL", &[key]),
        ("EVAL", &["return 0", "1", key]),
        ("EVALSHA", &[NO_SCRIPT, "1", key]),
        ("GET", &[key]),
        (FOR_WARNINGS, &["server"]),
        ("MGET", &[key]),
        ("PEXPIRE", &[key, "1"]),
        ("PING", &[]),
        // No key has a life of nothing: an error, once it is allowed.
        ("PSETEX", &[key, "0", ""]),
        ("PTTL", &[key]),
        // Only where there is one.
        ("SET", &[key, "", "XX", "PX", "1"]),
        // Nothing, at the beginning of what is not there.
        ("SETRANGE", &[key, "0", ""]),
        ("TIME", &[]),
    ];
    trials.map(|(name, args)| (name, redis::cmd(name).arg(args).clone())).into_iter()
}

impl Denied {
    fn findings(self, prefix: &str) -> Vec<Finding> {
        let (warnings, commands): (Vec<_>, Vec<_>) =
            self.commands.into_iter().partition(|name| *name == FOR_WARNINGS);
        let mut findings = Vec::new();
        if !commands.is_empty() {
            let (list, rules) = (commands.join(", "), rules(&commands));
            let text = format!("the ACL user may not run {list}; add {rules} to its rules");
            findings.push(Finding::fault(ID, text));
        }
        if !self.keys.is_empty() {
            let list = self.keys.join(", ");
            let text = format!(
                "the ACL user may not run {list} on the keys of the gateway; add ~{prefix}* to its rules"
            );
            findings.push(Finding::fault(ID, text));
        }
        if !warnings.is_empty() {
            let text = "the ACL user may not run INFO, so version and eviction policy are not known; \
                        add +info to its rules";
            findings.push(Finding::warning(ID, text.to_owned()));
        }
        findings
    }
}

fn rules(commands: &[&str]) -> String {
    let rules: Vec<_> = commands.iter().map(|name| format!("+{}", name.to_lowercase())).collect();
    rules.join(" ")
}
