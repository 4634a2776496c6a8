//! The log: what happens on standard error, each request on standard output.
//!
//! Libraries write what they handle: hyper and pingora the request target with the login code in it,
//! h2 whole header fields. So the level decides on this program's own lines; of the libraries only
//! those that are known to hold nothing of a request are written at all.

pub mod access;
mod events;
mod json;
mod level;
pub mod mask;
mod sink;
mod timestamp;

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use self::access::{AccessLog, OpenidNames};
use self::events::Events;
pub use self::level::Level;
pub use self::sink::Sink;
use crate::telemetry::metrics::{Metrics, table};

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
    let stdout = io::stdout();
    let (terminal, sink) = (stdout.is_terminal(), Sink::new("access log", output(&stdout)));
    // Also where it is off: another configuration may turn it on.
    Log { events: Events::start(settings), requests: Some(Requests { terminal, sink }) }
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
        self.events.as_ref().is_some_and(|events| events.set_level(level))
    }

    /// Takes over the level and the format of the configuration that comes next, as far as they are other
    /// ones than before. A level of `RUST_LOG` stays.
    pub fn follow(&self, now: &Settings, next: &Settings) {
        if let Some(events) = &self.events {
            events.follow(now, next);
        }
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
