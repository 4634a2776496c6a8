//! `wxgate simulate`: a WeChat on this machine.

use std::io::{self, Write};
use std::net::SocketAddr;

use anyhow::Context;
use tokio::signal;

use crate::clock::Clock;
use crate::secret::Secret;
use crate::simulator::{CONTROL_CALLS, Options, Simulator};

const EXAMPLES: &str = "\
Examples:
  wxgate simulate
      takes any well-formed appid and secret
  wxgate simulate --app wx0123456789abcdef:0123456789abcdef0123456789abcdef
      takes this app only, so that a wrong secret is told from a right one
  curl 'http://127.0.0.1:8090/simulator/code?user=alice'
      a login code, as wx.login would give it to alice
  curl -d '{\"api\":\"jscode2session\",\"times\":1,\"errcode\":-1}' http://127.0.0.1:8090/simulator/faults
      lets the next login fail

Control calls:
";

/// Run a WeChat on this machine.
///
/// It answers the server API under /sns, /cgi-bin and /wxa as api.weixin.qq.com does: codes that work
/// once, session keys, access tokens, phone numbers, content checks, and WeChat's errors. Control
/// calls under /simulator play the users and the faults. Nothing of it is kept when it ends.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Use --help for examples and the control calls.")]
#[command(after_long_help = format!("{EXAMPLES}{}", indented(CONTROL_CALLS)))]
pub struct Args {
    /// The address to listen on; port 0 takes a free one.
    ///
    /// The simulator has no passwords: keep it on an address that only you can reach.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090")]
    pub listen: SocketAddr,

    /// An app and its secret, as often as there are apps.
    ///
    /// With none, any well-formed pair is taken at first sight: an appid of "wx" and 16 lowercase hex
    /// digits, a secret of 32.
    #[arg(long = "app", value_name = "APPID:SECRET", value_parser = parse_app)]
    pub apps: Vec<(String, Secret)>,
}

/// Serves until SIGINT or SIGTERM.
///
/// # Errors
///
/// When the address cannot be bound, or the signals cannot be watched.
pub async fn run(args: Args) -> anyhow::Result<()> {
    // The clock moves, so that a code can be seen to expire without five minutes of waiting.
    let apps = args.apps.into_iter().map(|(appid, secret)| (appid, secret.expose().to_owned()));
    let options = Options { clock: Clock::movable(), apps: apps.collect() };
    let simulator = Simulator::start(args.listen, options)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    let base_url = simulator.base_url();
    writeln!(
        io::stdout(),
        "WeChat is at {base_url}\nTry: curl '{base_url}/simulator/code?user=alice'"
    )?;
    stop_signal().await
}

#[cfg(unix)]
async fn stop_signal() -> anyhow::Result<()> {
    use signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = signal::ctrl_c() => Ok(result?),
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn stop_signal() -> anyhow::Result<()> {
    Ok(signal::ctrl_c().await?)
}

fn parse_app(text: &str) -> Result<(String, Secret), String> {
    match text.split_once(':') {
        Some((appid, secret)) if !appid.is_empty() && !secret.is_empty() => {
            Ok((appid.to_owned(), Secret::new(secret)))
        }
        _ => Err("an app is written APPID:SECRET".to_owned()),
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn apps_are_pairs() {
        let command = Command::try_parse_from(["simulate", "--app", "wx1:s:1"]).unwrap();
        let (appid, secret) = &command.args.apps[0];
        assert!(appid == "wx1" && secret.matches("s:1"));
        assert!(Command::try_parse_from(["simulate", "--app", "wx1"]).is_err());
    }

    #[test]
    fn help_lists_the_control_calls() {
        Command::command().debug_assert();
        let help = Command::command().render_long_help().to_string();
        assert!(help.contains("Examples:") && help.contains("/simulator/advance"));
    }
}
