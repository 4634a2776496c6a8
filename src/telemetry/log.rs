//! The log: what happens on standard error, each request on standard output.
//!
//! Libraries write what they handle: hyper and pingora the request target with the login code in it,
//! h2 whole header fields. So the level decides on this program's own lines; of the libraries only
//! those that are known to hold nothing of a request are written at all.

pub mod access;
mod json;
mod level;
pub mod mask;
mod sink;
mod timestamp;

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, reload};

use self::access::{AccessLog, OpenidNames};
pub use self::level::Level;
pub use self::sink::Sink;
use crate::telemetry::metrics::{Metrics, table};

/// The modules of libraries whose warnings are written: accepting connections, and TLS handshakes.
const LIBRARIES: [&str; 2] = ["pingora_core::listeners", "pingora_core::services::listening"];

/// The `[log]` table.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The least important lines that are written; `RUST_LOG` goes before it.
    pub level: Level,
    /// What a line looks like.
    pub format: Format,
    /// Whether there is a line for each request.
    pub access: bool,
    /// The part of the requests with 2xx that have a line, from 0 to 1.
    pub sample: f64,
    /// How openids stand in it.
    pub openid: Openid,
}

impl Default for Settings {
    fn default() -> Self {
        let (level, format, openid) = (Level::Info, Format::Auto, Openid::Hash);
        Self { level, format, access: true, sample: 1.0, openid }
    }
}

/// The `format` of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text on a terminal, else JSON.
    Auto,
    /// An object on each line.
    Json,
    /// For people.
    Text,
}

impl Format {
    fn is_text(self, terminal: bool) -> bool {
        self == Self::Text || self == Self::Auto && terminal
    }
}

/// The `openid` of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Openid {
    /// A hash with a key of the gateway's: the same user is the same, and nobody else can tell who.
    Hash,
    /// As it is.
    Plain,
    /// Not at all.
    None,
}

/// The log of a process while it runs. The default is none at all.
#[derive(Clone, Default)]
pub struct Log {
    /// What happens.
    events: Option<Events>,
    /// Requests.
    requests: Option<Requests>,
}

#[derive(Clone)]
struct Events {
    sink: Sink,
    change_filter: Arc<ChangeFilter>,
}

type ChangeFilter = dyn Fn(EnvFilter) -> bool + Send + Sync;

#[derive(Clone)]
struct Requests {
    sink: Sink,
    terminal: bool,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}

/// Starts the log of this process.
pub fn start(settings: &Settings) -> Log {
    let level = EnvFilter::new(settings.level.name());
    let (chosen, handle) = reload::Layer::new(EnvFilter::try_from_default_env().unwrap_or(level));
    let stderr = io::stderr();
    let sink = Sink::new("log", output(&stderr));
    let lines = tracing_subscriber::fmt::layer().with_writer(sink.clone());
    let lines = if settings.format.is_text(stderr.is_terminal()) {
        lines.with_target(false).with_ansi(stderr.is_terminal()).boxed()
    } else {
        lines.json().flatten_event(true).boxed()
    };
    let started = tracing_subscriber::registry()
        .with(lines.with_filter(safe_targets()).with_filter(chosen))
        .try_init();
    let change_filter = Arc::new(move |filter| handle.reload(filter).is_ok());
    // An error means that a log is there already, as in a test.
    let events = started.is_ok().then_some(Events { sink, change_filter });
    let stdout = io::stdout();
    let requests =
        Requests { terminal: stdout.is_terminal(), sink: Sink::new("access log", output(&stdout)) };
    Log { events, requests: settings.access.then_some(requests) }
}

/// A handle of its own, without the buffer and the lock of the standard library's.
fn output(stream: &(impl AsFd + ?Sized)) -> Box<dyn Write + Send> {
    match stream.as_fd().try_clone_to_owned() {
        Ok(descriptor) => Box::new(File::from(descriptor)),
        // It is closed: lines go nowhere.
        Err(_) => Box::new(io::sink()),
    }
}

impl Log {
    /// Writes lines of this level and above from now on; false where this process has no log.
    pub fn set_level(&self, level: Level) -> bool {
        let filter = EnvFilter::new(level.name());
        self.events.as_ref().is_some_and(|events| (events.change_filter)(filter))
    }

    /// The access log, where there is one.
    pub fn access(&self, settings: &Settings, names: OpenidNames) -> Option<AccessLog> {
        let requests = self.requests.as_ref().filter(|_| settings.access)?;
        Some(AccessLog::new(requests.sink.clone(), settings, names, requests.terminal))
    }

    /// Writes what is still waiting. Nothing can be written afterwards.
    pub fn finish(&self) {
        self.sinks().for_each(|(_, sink)| sink.finish());
    }

    /// Has the lines counted that were not written.
    pub fn count_in(&self, metrics: &Metrics) {
        let log = self.clone();
        metrics.sample(move |sample| {
            for (name, sink) in log.sinks() {
                for (reason, lines) in [("full", sink.dropped()), ("write_error", sink.failed())] {
                    sample.set(table::LOG_LINES_DROPPED, &[name, reason], lines as f64);
                }
            }
        });
    }

    fn sinks(&self) -> impl Iterator<Item = (&'static str, &Sink)> {
        let events = self.events.iter().map(|events| ("event", &events.sink));
        events.chain(self.requests.iter().map(|requests| ("access", &requests.sink)))
    }
}

/// What may be written at all, whatever the level is.
fn safe_targets() -> Targets {
    let libraries = LIBRARIES.map(|target| (target, LevelFilter::WARN));
    Targets::new().with_target("wxgate", LevelFilter::TRACE).with_targets(libraries)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::safe_targets;

    #[test]
    fn libraries_do_not_write_what_they_handle() {
        let targets = safe_targets();
        for library in ["pingora_proxy", "pingora_core::protocols", "hyper_util", "h2", "reqwest"] {
            assert!(!targets.would_enable(library, &Level::ERROR), "{library}");
        }
        assert!(targets.would_enable("wxgate::proxy", &Level::TRACE));
    }
}
