//! The log, on standard error.
//!
//! Libraries write what they handle: hyper and pingora the request target with the login code in it,
//! h2 whole header fields. So `RUST_LOG` decides on this program's own lines; of the libraries only
//! those that are known to hold nothing of a request are written at all.

use std::fmt;
use std::io::IsTerminal;
use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, reload};

/// The modules of libraries whose warnings are written: accepting connections, and TLS handshakes.
const LIBRARIES: [&str; 2] = ["pingora_core::listeners", "pingora_core::services::listening"];

/// What of the log can be changed while the process runs. The default is no log at all.
#[derive(Clone, Default)]
pub struct Control {
    change_filter: Option<Arc<ChangeFilter>>,
}

type ChangeFilter = dyn Fn(EnvFilter) -> bool + Send + Sync;

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

impl Control {
    /// Writes lines of this level and above from now on; false where this process has no log.
    pub fn set_level(&self, level: Level) -> bool {
        self.change_filter.as_ref().is_some_and(|change| change(EnvFilter::new(level.name())))
    }
}

/// How much is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the levels of the field, least first")]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Level {
    /// All of them, with their names in the configuration.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];

    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, level)| *level == self).map_or("", |(name, _)| name)
    }
}

/// Starts the log of this process. Lines are JSON unless they go to a terminal.
pub fn start() -> Control {
    let chosen = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = if std::io::stderr().is_terminal() {
        lines.with_target(false).boxed()
    } else {
        lines.json().flatten_event(true).boxed()
    };
    let (chosen, handle) = reload::Layer::new(chosen);
    let started = tracing_subscriber::registry()
        .with(lines.with_filter(safe_targets()).with_filter(chosen))
        .try_init();
    let change = move |filter| handle.reload(filter).is_ok();
    // An error means that a log is there already, as in a test.
    Control { change_filter: started.is_ok().then(|| -> Arc<ChangeFilter> { Arc::new(change) }) }
}

/// What may be written at all, whatever `RUST_LOG` says.
fn safe_targets() -> Targets {
    let libraries = LIBRARIES.map(|target| (target, LevelFilter::WARN));
    Targets::new().with_target("wxgate", LevelFilter::TRACE).with_targets(libraries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_do_not_write_what_they_handle() {
        let targets = safe_targets();
        for library in ["pingora_proxy", "pingora_core::protocols", "hyper_util", "h2", "reqwest"] {
            assert!(!targets.would_enable(library, &tracing::Level::ERROR), "{library}");
        }
        assert!(targets.would_enable("wxgate::proxy", &tracing::Level::TRACE));
    }
}
