//! `wxgate doctor`: the configuration against the world.

mod addresses;
mod certificates;
mod finding;
mod redis;
mod secrets;
mod upstreams;
mod wechat;

use std::path::PathBuf;

use serde_json::json;

use self::finding::{Finding, Severity};
use super::exit::{Exit, Failure};
use super::explain::settings;
use super::output::{self, Output};
use crate::config::Settings;
use crate::session::token::install_crypto_provider;

const EXAMPLES: &str = "\
Examples:
  wxgate doctor
      where the gateway is to run: in its pod, with its variables
  wxgate doctor --config /etc/wxgate/gateway.toml --strict
  wxgate doctor --json | jq -r '.findings[] | select(.severity==\"error\").id'

It asks Redis for its version, its eviction policy and its time, tries each command that the gateway \
needs in a form that writes nothing, and looks at its certificate; it asks WeChat for an access_token, by \
stable_token without force, which gives the one that is in use and invalidates none; it connects to the \
servers of upstreams, at this machine's other addresses too; and it looks at the certificates of listeners \
and of servers. It changes nothing.
It exits with 65 where there is an error.";

/// Hold the configuration against the world: Redis, WeChat, upstreams, certificates, secrets.
///
/// Each finding says what is wrong and what to do. Run it where the gateway runs: what it can reach, and
/// from which address, is what matters.
#[derive(Debug, clap::Args)]
#[command(after_help = "Use --help for examples.", after_long_help = EXAMPLES)]
pub struct Args {
    /// The configuration.
    #[arg(long, short, value_name = "FILE", default_value = "gateway.toml", env = "WXGATE_CONFIG")]
    config: PathBuf,

    /// Count warnings as errors.
    #[arg(long)]
    strict: bool,

    /// Write JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &Args) -> Result<Exit, Failure> {
    let settings = settings(&args.config)?;
    install_crypto_provider();
    // An error means that it is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let findings = examine(&settings).await;
    let bad = |finding: &Finding| match finding.severity {
        Severity::Error => true,
        Severity::Warning => args.strict,
        Severity::Good => false,
    };
    let well = !findings.iter().any(bad);
    match args.json {
        true => output::write_json(&json!({
            "well": well,
            "findings": findings.iter().map(Finding::json).collect::<Vec<_>>(),
        }))?,
        false => {
            let output = Output::stdout();
            let lines: String = findings.iter().map(|finding| finding.line(output)).collect();
            output::write(&lines)?;
        }
    }
    Ok(if well { Exit::Done } else { Exit::Data })
}

/// Everything that was found, and what is well.
async fn examine(settings: &Settings) -> Vec<Finding> {
    let (redis, wechat, upstreams) = tokio::join!(
        redis::examine(settings),
        wechat::examine(settings),
        upstreams::examine(settings)
    );
    let listeners = certificates::of_listeners(settings);
    [secrets::examine(settings), listeners, redis, wechat, upstreams].concat()
}
