//! The log, on standard error.
//!
//! Libraries write what they handle: hyper and pingora the request target with the login code in it,
//! h2 whole header fields. So `RUST_LOG` decides on this program's own lines; of the libraries only
//! those that are known to hold nothing of a request are written at all.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

/// The modules of libraries whose warnings are written: accepting connections, and TLS handshakes.
const LIBRARIES: [&str; 2] = ["pingora_core::listeners", "pingora_core::services::listening"];

/// Starts the log of this process. Lines are JSON unless they go to a terminal.
pub fn start() {
    let chosen = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = if std::io::stderr().is_terminal() {
        lines.with_target(false).boxed()
    } else {
        lines.json().flatten_event(true).boxed()
    };
    // An error means that a log is there already, as in a test.
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(safe_targets()).with_filter(chosen))
        .try_init();
}

/// What may be written at all, whatever `RUST_LOG` says.
fn safe_targets() -> Targets {
    let libraries = LIBRARIES.map(|target| (target, LevelFilter::WARN));
    Targets::new().with_target("wxgate", LevelFilter::TRACE).with_targets(libraries)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn libraries_do_not_write_what_they_handle() {
        let targets = safe_targets();
        for library in ["pingora_proxy", "pingora_core::protocols", "hyper_util", "h2", "reqwest"] {
            assert!(!targets.would_enable(library, &Level::ERROR), "{library}");
        }
        assert!(targets.would_enable("wxgate::proxy", &Level::TRACE));
    }
}
