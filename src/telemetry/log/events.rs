//! The lines of what happens: which of them are written, and what they look like, until that changes.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use super::{Format, Level, Settings, Sink, output};

/// The modules of libraries whose warnings are written: accepting connections, and TLS handshakes.
const LIBRARIES: [&str; 2] = ["pingora_core::listeners", "pingora_core::services::listening"];

/// What makes a line of an event.
type Lines = Box<dyn Layer<Registry> + Send + Sync>;

#[derive(Clone)]
pub(super) struct Events {
    pub(super) sink: Sink,
    terminal: bool,
    level_is_of_environment: bool,
    level: Arc<reload::Handle<EnvFilter, Registry>>,
    lines: Arc<reload::Handle<Lines, Registry>>,
}

impl Events {
    /// Writes this process's events; none where somebody else does already, as in a test.
    pub(super) fn start(settings: &Settings) -> Option<Self> {
        let stderr = io::stderr();
        let (sink, terminal) = (Sink::new("log", output(&stderr)), stderr.is_terminal());
        let of_environment = filter_of_environment();
        let level_is_of_environment = of_environment.is_some();
        let filter = of_environment.unwrap_or_else(|| EnvFilter::new(settings.level.name()));
        let (filter, level) = reload::Layer::new(filter);
        let (shown, lines) = reload::Layer::new(lines(settings.format, &sink, terminal));
        let started = tracing_subscriber::registry()
            .with(shown.with_filter(safe_targets()).with_filter(filter))
            .try_init();
        let (level, lines) = (Arc::new(level), Arc::new(lines));
        started.is_ok().then_some(Self { sink, terminal, level_is_of_environment, level, lines })
    }

    /// Writes lines of this level and above from now on; whether it can.
    pub(super) fn set_level(&self, level: Level) -> bool {
        self.level.reload(EnvFilter::new(level.name())).is_ok()
    }

    /// Takes over what another configuration says otherwise.
    pub(super) fn follow(&self, now: &Settings, next: &Settings) {
        if now.format != next.format {
            // An error would mean that nobody writes any more.
            let _ = self.lines.reload(lines(next.format, &self.sink, self.terminal));
        }
        if now.level == next.level {
            return;
        }
        if self.level_is_of_environment {
            tracing::info!(
                "[log] level is {} in the configuration now; RUST_LOG goes before it",
                next.level.name()
            );
        } else {
            self.set_level(next.level);
        }
    }
}

/// What `RUST_LOG` says; an empty one, as compose files leave it, says nothing.
fn filter_of_environment() -> Option<EnvFilter> {
    let directives = std::env::var(EnvFilter::DEFAULT_ENV).ok()?;
    let says_something = !directives.trim().is_empty();
    says_something.then(|| EnvFilter::try_new(directives).ok()).flatten()
}

fn lines(format: Format, sink: &Sink, terminal: bool) -> Lines {
    let lines = tracing_subscriber::fmt::layer().with_writer(sink.clone());
    if format.is_text(terminal) {
        lines.with_target(false).with_ansi(terminal).boxed()
    } else {
        lines.json().flatten_event(true).boxed()
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
        for library in ["pingora_core::protocols", "hyper_util", "h2", "reqwest"] {
            assert!(!targets.would_enable(library, &Level::ERROR), "{library}");
        }
        assert!(targets.would_enable("wxgate::proxy", &Level::TRACE));
    }
}
