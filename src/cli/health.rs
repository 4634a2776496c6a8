//! `wxgate health`: whether a gateway on this machine is well, in an exit code.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::admin::{self, Admin, Answer, plain};
use super::exit::{Exit, Failure};
use super::output;

const EXAMPLES: &str = "\
Examples:
  wxgate health
      asks http://127.0.0.1:9901/readyz
  HEALTHCHECK CMD [\"wxgate\", \"health\", \"--live\"]
      in a Dockerfile: a gateway that waits for its store is no reason to start it anew
  wxgate health -c /etc/wxgate/gateway.toml
  wxgate health --url http://127.0.0.1:8080/static/ping

It exits with 0 for an answer of 2xx within two seconds, else with 69 and the reason.";

/// Docker and Kubernetes give up sooner or later; a gateway answers in a millisecond.
const DEADLINE: Duration = Duration::from_secs(2);

/// Ask a gateway that runs whether it is ready, for HEALTHCHECK and probes that are commands.
///
/// No configuration is needed. Of the file of --config only `[admin] listen` is read, and whatever else
/// is wrong with it is not in the way: a gateway that runs keeps such a change out. Where `[admin]` itself is
/// wrong nobody is asked, since it would be another gateway.
#[derive(Debug, clap::Args)]
#[command(after_help = "Use --help for examples.", after_long_help = EXAMPLES)]
pub struct Args {
    /// What to ask instead.
    #[arg(long, value_name = "URL", conflicts_with_all = ["config", "live"])]
    url: Option<String>,

    /// The configuration, for [admin] listen.
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Whether the process serves at all, ready or not.
    #[arg(long)]
    live: bool,
}

pub(super) async fn run(args: &Args) -> Result<Exit, Failure> {
    let url = match (&args.url, &args.config) {
        (Some(url), _) => url.clone(),
        (None, config) => {
            let base = admin::url_of(config.as_deref())?;
            format!("{base}/{}", if args.live { "livez" } else { "readyz" })
        }
    };
    let answer = Admin::new(&url, None, DEADLINE)?.get("").await?;
    match answer.status {
        200..=299 => {
            output::write(if args.live { "live\n" } else { "ready\n" })?;
            Ok(Exit::Done)
        }
        status => {
            let text = format!("{url} says {status}{}", blocked(&answer));
            Err(Failure::new(Exit::Unavailable, text))
        }
    }
}

/// What is in the way, where it is `/readyz` that says so.
fn blocked(answer: &Answer) -> String {
    let said = serde_json::from_str::<Value>(&answer.body).ok();
    let blocked = said.as_ref().and_then(|said| said.get("blocked")).and_then(Value::as_object);
    let part = |(part, reason): (&String, &Value)| {
        format!("; {}: {}", plain(part), plain(reason.as_str().unwrap_or_default()))
    };
    blocked.into_iter().flatten().map(part).collect()
}
