//! `wxgate version`: what this program was built from.

use super::exit::{Exit, Failure};
use super::output;
use serde_json::json;

/// Say what this program was built from.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

/// The commit, where whoever built it has set the variable.
const COMMIT: Option<&str> = option_env!("WXGATE_COMMIT");

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let (version, commit) = (env!("CARGO_PKG_VERSION"), COMMIT.unwrap_or("unknown"));
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    match args.json {
        true => output::write_json(&json!({
            "version": version,
            "commit": commit,
            "profile": profile,
            "target": target,
        }))?,
        false => output::write(&format!(
            "wxgate {version}\ncommit  {commit}\nprofile {profile}\ntarget  {target}\n"
        ))?,
    }
    Ok(Exit::Done)
}
