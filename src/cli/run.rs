//! `wxgate run`: the gateway.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::OnceLock;

use tracing::{info, warn};

use super::{EX_CONFIG, unavailable};
use crate::app::{self, App};
use crate::clock::Clock;
use crate::config::{self, Problems, Settings};
use crate::lifecycle::signals::{Signals, Stop};
use crate::telemetry::log::{self, Log};

/// Run the gateway.
///
/// It reads the whole configuration first and says everything that is wrong with it at once, each
/// problem with its line and column; it then exits with 78. SIGTERM ends it in order: not ready but
/// accepting for the time of server.lame_duck, then until what is under way has ended.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration.
    #[arg(long, short, value_name = "FILE", default_value = "gateway.toml", env = "WXGATE_CONFIG")]
    config: PathBuf,

    /// What was read, once.
    #[arg(skip)]
    settings: OnceLock<Result<Settings, Problems>>,
}

impl Args {
    /// Threads for the runtime, which is made before anything else.
    pub(super) fn workers(&self) -> usize {
        self.settings().as_ref().map_or(1, |settings| settings.server.workers)
    }

    pub(super) fn log(&self) -> log::Settings {
        self.settings().as_ref().map_or_else(|_| log::Settings::default(), |it| it.log.clone())
    }

    fn settings(&self) -> &Result<Settings, Problems> {
        self.settings.get_or_init(|| config::load(&self.config, &|name| std::env::var(name).ok()))
    }
}

/// Runs until a signal ends it.
#[allow(
    clippy::print_stderr,
    reason = "problems are for whoever started the program, not for a log"
)]
pub(super) async fn run(args: Args, log: Log) -> ExitCode {
    let settings = match args.settings() {
        Ok(settings) => settings.clone(),
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::from(EX_CONFIG);
        }
    };
    if !settings.warnings.list.is_empty() {
        eprintln!("{}", settings.warnings);
    }
    let signals = Signals::catch();
    match (app::build_with(settings, Clock::system(), log).await, signals) {
        (Ok(app), Ok(signals)) => {
            serve(app, signals).await;
            ExitCode::SUCCESS
        }
        (Err(error), _) => unavailable(&error),
        (_, Err(error)) => unavailable(&anyhow::Error::new(error).context("cannot watch signals")),
    }
}

/// Serves until a signal, then stops in order; a second signal ends it at once.
pub(super) async fn serve(app: App, mut signals: Signals) {
    for address in &app.addresses {
        info!("listening on {address}");
    }
    info!("admin on {}", app.admin_address);
    let stop = signals.next().await;
    tokio::select! {
        _ = app.stop(stop == Stop::Gracefully) => {}
        _ = signals.next() => warn!("stopped at once by a second signal"),
    }
}
