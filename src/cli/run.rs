//! `wxgate run`: the gateway.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use tracing::{info, warn};

use super::exit::{Exit, Failure};
use crate::app::{self, App, Source, follow};
use crate::clock::Clock;
use crate::config::{self, Problems, Settings};
use crate::lifecycle::service_manager::ServiceManager;
use crate::lifecycle::signals::{Hangup, Signals, Stop};
use crate::listen::{self, Address};
use crate::telemetry::log::{self, Log};

const EXAMPLES: &str = "\
Examples:
  wxgate run
      reads gateway.toml in this folder
  wxgate run --config /etc/wxgate/gateway.toml
  WXGATE_CONFIG=/etc/wxgate/gateway.toml RUST_LOG=debug wxgate run

Under systemd let RestartPreventExitStatus=78 keep a configuration that does not work from being tried \
again and again; before a change `wxgate check FILE` says the same.";

/// Spans and lines of the log that are left at the end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Run the gateway.
///
/// It reads the whole configuration first and says everything that is wrong with it at once, each
/// problem with its line and column; it then exits with 78. SIGTERM ends it in order: not ready but
/// accepting for the time of server.lame_duck, then until what is under way has ended.
#[derive(Debug, clap::Args)]
#[command(after_help = "Use --help for examples.", after_long_help = EXAMPLES)]
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
        self.settings.get_or_init(|| read(&self.config))
    }
}

/// The file, as `wxgate run` reads it.
fn source(file: PathBuf) -> Source {
    let read = {
        let file = file.clone();
        move || read(&file)
    };
    Source { file, read: Arc::new(read) }
}

pub(super) fn read(file: &Path) -> Result<Settings, Problems> {
    config::load(file, &|name| std::env::var(name).ok())
}

/// Runs until a signal ends it.
#[allow(
    clippy::print_stderr,
    reason = "problems are for whoever started the program, not for a log"
)]
pub(super) async fn run(args: Args, log: Log) -> Result<Exit, Failure> {
    let settings = match args.settings() {
        Ok(settings) => settings.clone(),
        Err(problems) => {
            eprintln!("{problems}");
            return Ok(Exit::Config);
        }
    };
    if !settings.warnings.list.is_empty() {
        eprintln!("{}", settings.warnings);
    }
    let signals = Signals::catch().and_then(|signals| Ok((signals, Hangup::catch()?)));
    let app = app::build_with(settings, Clock::system(), log).await?;
    let (signals, hangup) = signals.context("cannot watch signals")?;
    let (manager, configuration) =
        (ServiceManager::from_environment(), app.configuration().clone());
    let following = follow(configuration, source(args.config), hangup, manager.clone());
    let following = tokio::spawn(following);
    serve(app, signals, &manager).await;
    following.abort();
    Ok(Exit::Done)
}

/// Serves until a signal, then stops in order; a second signal ends it at once.
pub(super) async fn serve(app: App, mut signals: Signals, manager: &ServiceManager) {
    for address in &app.addresses {
        info!("listening on {address}");
    }
    if let Some(address) = &app.ext_authz_address {
        info!("ext_authz on {address}");
    }
    info!("admin on {}", app.admin_address);
    manager.ready(&format!("listening on {}", listed(&app.addresses)));
    let lame_duck = signals.next().await == Stop::Gracefully;
    let longest = longest_stop(&app.configuration().settings().server, lame_duck);
    manager.stopping(longest, &format!("stopping, for {longest:?} at most"));
    tokio::select! {
        _ = app.stop(lame_duck) => {}
        _ = signals.next() => warn!("stopped at once by a second signal"),
    }
}

fn listed(addresses: &[Address]) -> String {
    addresses.iter().map(Address::to_string).collect::<Vec<_>>().join(", ")
}

/// How long stopping may take.
fn longest_stop(server: &listen::Settings, lame_duck: bool) -> Duration {
    let lame_duck = if lame_duck { server.lame_duck } else { Duration::ZERO };
    lame_duck + server.drain + LAST_WORDS
}
