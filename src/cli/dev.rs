//! `wxgate dev`: the gateway, a WeChat and a service behind it, on this machine.

mod echo;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;

use super::exit::{Exit, Failure};
use super::run::{read, serve};
use crate::app::{self, Source, follow};
use crate::clock::Clock;
use crate::config::{self, Settings};
use crate::lifecycle::service_manager::ServiceManager;
use crate::lifecycle::signals::{Hangup, Signals};
use crate::listen::{Address, Place};
use crate::simulator::{Options, Simulator};
use crate::telemetry::log::Log;

/// What `wxgate dev` runs with where no file is given.
const CONFIGURATION: &str = include_str!("dev/gateway.toml");

const EXAMPLES: &str = "\
Examples:
  wxgate dev
      then do what it says
  wxgate dev --config gateway.toml
      your routes and services, with codes from the simulator
  wxgate dev --listen 0.0.0.0:8080
      so that a phone in the same network reaches the gateway";

/// Try it: the gateway, the WeChat simulator and an echo service, all on this machine.
///
/// No appid, no Redis, nothing kept. With --config your own routes and upstreams are used, and only
/// WeChat is played by the simulator.
#[derive(Debug, clap::Args)]
#[command(after_help = "Use --help for examples.", after_long_help = EXAMPLES)]
pub struct Args {
    /// Where the gateway listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// Where the simulator listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090")]
    simulator: SocketAddr,

    /// Where the admin listener is.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9901")]
    admin: SocketAddr,

    /// Your configuration, with the simulator in WeChat's place.
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs until a signal ends it.
pub(super) async fn run(args: Args, log: Log) -> Result<Exit, Failure> {
    let echo = echo::Echo::start().await.context("cannot start the echo service")?;
    let mut settings = match &args.config {
        Some(path) => read(path),
        None => config::parse("gateway.toml", CONFIGURATION, Path::new(""), &|name| {
            (name == "ECHO").then(|| echo.url())
        }),
    }
    .map_err(|problems| {
        Failure::new(Exit::Config, format!("the configuration does not work\n{problems}"))
    })?;

    let clock = Clock::movable();
    let simulator = Simulator::start(args.simulator, simulated(&settings, &clock))
        .await
        .with_context(|| format!("cannot start the simulator on {}", args.simulator))?;
    let wechat = simulator.base_url().parse().context("the simulator has no URL")?;
    let here = Here { wechat, listen: args.listen, admin: args.admin };
    here.put_in(&mut settings);

    let signals = Signals::catch().context("cannot watch signals")?;
    let hangup = Hangup::catch().context("cannot watch signals")?;
    let app = app::build_with(settings, clock, log).await?;
    introduce(&app, &simulator, args.config.is_none());
    let manager = ServiceManager::default();
    let following = args.config.map(|file| {
        let (configuration, source) = (app.configuration().clone(), here.source(file));
        tokio::spawn(follow(configuration, source, hangup, manager.clone()))
    });
    serve(app, signals, &manager).await;
    if let Some(following) = following {
        following.abort();
    }
    Ok(Exit::Done)
}

/// What stands for the keys of the configuration on this machine.
#[derive(Clone)]
struct Here {
    wechat: http::Uri,
    listen: SocketAddr,
    admin: SocketAddr,
}

impl Here {
    fn put_in(&self, settings: &mut Settings) {
        settings.wechat.base_url = self.wechat.clone();
        settings.wechat.fallback_url = None;
        settings.admin.listen = self.admin;
        settings.server.lame_duck = std::time::Duration::ZERO;
        if let [listener] = settings.server.listeners.as_mut_slice() {
            listener.place = Place::Own(Address::Tcp(self.listen));
        }
    }

    fn source(self, file: PathBuf) -> Source {
        let read = {
            let file = file.clone();
            move || {
                let mut settings = read(&file)?;
                self.put_in(&mut settings);
                Ok(settings)
            }
        };
        Source { file, read: Arc::new(read) }
    }
}

/// The simulator knows the apps of the configuration with their secrets.
fn simulated(settings: &Settings, clock: &Clock) -> Options {
    let known = |app: &crate::wechat::app::App| {
        (app.appid.as_str().to_owned(), app.secret.expose().to_owned())
    };
    Options { clock: clock.clone(), apps: settings.apps.iter().map(known).collect() }
}

#[allow(clippy::print_stdout, reason = "it is what the command is for")]
fn introduce(app: &app::App, simulator: &Simulator, own_routes: bool) {
    let gateway = app.addresses.first().map_or_else(String::new, ToString::to_string);
    let (wechat, admin) = (simulator.base_url(), app.admin_address);
    println!(
        r#"
wxgate runs:  the gateway    http://{gateway}
              the simulator  {wechat}    (plays WeChat)
              health         http://{admin}/readyz
"#
    );
    if own_routes {
        println!(
            r#"Try it in another terminal:

  # 1. a login code, as wx.login gives it to the Mini Program
  CODE=$(curl -s '{wechat}/simulator/code?user=alice')

  # 2. log in: the gateway exchanges the code and keeps the session_key
  TOKEN=$(curl -s "http://{gateway}/wxLogin?code=$CODE" | sed 's/.*"token":"\([^"]*\)".*/\1/')

  # 3. call the API: the service behind the gateway sees who it is
  curl -s "http://{gateway}/api/hello" -H "Authorization: Bearer $TOKEN"
"#
        );
    } else {
        println!("A login code:  curl '{wechat}/simulator/code?user=alice'\n");
    }
    println!("Ctrl-C ends it.\n");
}
