//! `wxgate sessions`: who is logged in, and ending it, over the admin listener.

use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use form_urlencoded::Serializer;
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::admin::{Admin, Place, plain};
use super::exit::{Exit, Failure};
use super::output::{self, Output};
use super::time::distance;
use crate::clock::Clock;
use crate::secret::Secret;

const LIST: &str = "\
Examples:
  WXGATE_ADMIN_TOKEN=… wxgate sessions list --openid oXyz…
  wxgate sessions list --openid oXyz… --app shop -c gateway.toml --json

A session is found by its user: the store knows users by a hash, and there is no list of all of them. \
The name of a user in the log is in the answer.";

const END: &str = "\
Examples:
  wxgate sessions end --openid oXyz… -c gateway.toml
      all of a user: the next request of each of his devices is a 401
  wxgate sessions end --openid oXyz… --sid MbYq… -c gateway.toml
      one of them
  wxgate sessions end --app shop --all --yes --token-file /run/secrets/admin
      of everybody, as after a signing key was lost";

const DEADLINE: Duration = Duration::from_secs(10);

/// List and end sessions of a gateway that runs.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    End(End),
}

/// List the sessions of a user.
#[derive(Debug, clap::Args)]
#[command(after_help = "Use --help for examples.", after_long_help = LIST)]
struct List {
    /// The user.
    #[arg(long, value_name = "OPENID", allow_hyphen_values = true)]
    openid: String,

    /// The app, by its name in the configuration or its appid; else all apps are looked through.
    #[arg(long, value_name = "APP")]
    app: Option<String>,

    #[command(flatten)]
    access: Access,
}

/// End sessions: one, all of a user, or all of an app.
#[derive(Debug, clap::Args)]
#[command(after_help = "Use --help for examples.", after_long_help = END)]
struct End {
    /// The user.
    #[arg(
        long,
        value_name = "OPENID",
        allow_hyphen_values = true,
        required_unless_present = "all"
    )]
    openid: Option<String>,

    /// One session of the user; `sid` in his token.
    #[arg(long, value_name = "SID", allow_hyphen_values = true, requires = "openid")]
    sid: Option<String>,

    /// The app, by its name in the configuration or its appid; else all apps are looked through.
    #[arg(long, value_name = "APP")]
    app: Option<String>,

    /// Those of everybody in the app.
    #[arg(long, requires = "app", conflicts_with = "openid")]
    all: bool,

    /// Do not ask before --all.
    #[arg(long, requires = "all")]
    yes: bool,

    #[command(flatten)]
    access: Access,
}

/// Which gateway, and what lets one in.
#[derive(Debug, clap::Args)]
struct Access {
    #[command(flatten)]
    place: Place,

    /// A file that holds the admin token; else it is WXGATE_ADMIN_TOKEN, or that of --config.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl Access {
    fn admin(&self) -> Result<Admin, Failure> {
        let (url, configured) = self.place.find()?;
        // What is named by hand comes before what lies about.
        let token = match &self.token_file {
            Some(file) => Some(from_file(file)?),
            None => configured.or_else(from_environment),
        };
        Admin::new(&url, token, DEADLINE)
    }
}

fn from_file(file: &PathBuf) -> Result<Secret, Failure> {
    let read = std::fs::read_to_string(file).map_err(|error| {
        let exit = Exit::of_io(&error);
        let error = anyhow::Error::new(error).context(format!("cannot read {}", file.display()));
        Failure { exit, error }
    })?;
    Ok(Secret::new(read.trim()))
}

fn from_environment() -> Option<Secret> {
    let token = std::env::var("WXGATE_ADMIN_TOKEN").ok();
    token.filter(|token| !token.is_empty()).map(Secret::new)
}

pub(super) async fn run(args: &Args) -> Result<Exit, Failure> {
    match &args.command {
        Command::List(wanted) => list(wanted).await?,
        Command::End(wanted) => end(wanted).await?,
    }
    Ok(Exit::Done)
}

async fn list(wanted: &List) -> Result<(), Failure> {
    let query = query(Some(&wanted.openid), wanted.app.as_deref());
    let answer = wanted.access.admin()?.get(&format!("/sessions?{query}")).await?.json()?;
    match wanted.access.json {
        true => output::write_json(&answer),
        false => output::write(&table(&answer, Clock::system().now(), Output::stdout())),
    }
}

async fn end(wanted: &End) -> Result<(), Failure> {
    let admin = wanted.access.admin()?;
    if let (true, false, Some(app)) = (wanted.all, wanted.yes, &wanted.app) {
        confirm(app, &admin)?;
    }
    let sid = wanted.sid.as_deref().map(|sid| utf8_percent_encode(sid, NON_ALPHANUMERIC));
    let sid = sid.map_or_else(String::new, |sid| format!("/{sid}"));
    let query = query(wanted.openid.as_deref(), wanted.app.as_deref());
    let path = format!("/sessions{sid}?{query}");
    let answer = admin.ask(Method::DELETE, &path).await?.json()?;
    if wanted.access.json {
        return output::write_json(&answer);
    }
    output::write(&match answer.get("ended").and_then(Value::as_u64) {
        None => format!("all sessions of {} are ended\n", wanted.app.as_deref().unwrap_or("all")),
        Some(1) => "1 session is ended\n".to_owned(),
        Some(number) => format!("{number} sessions are ended\n"),
    })
}

fn query(openid: Option<&str>, app: Option<&str>) -> String {
    let mut query = Serializer::new(String::new());
    for (name, value) in [("openid", openid), ("app", app)] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    query.finish()
}

/// Everybody would have to log in again: a person says so twice, a script with `--yes`.
#[allow(clippy::print_stderr, reason = "a question is no output")]
fn confirm(app: &str, admin: &Admin) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        let text = format!("this ends the sessions of everybody in {app}; say so with --yes");
        return Err(Failure::new(Exit::Usage, text));
    }
    eprint!("End the sessions of everybody in {app}, at {}? [y/N] ", admin.base());
    let mut said = String::new();
    io::stdin().lock().read_line(&mut said)?;
    match said.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::new(Exit::Usage, "nothing was ended")),
    }
}

/// The sessions, the newest first.
fn table(answer: &Value, now: u64, output: Output) -> String {
    let mut sessions: Vec<_> =
        answer.get("sessions").and_then(Value::as_array).into_iter().flatten().collect();
    sessions.sort_by_key(|session| std::cmp::Reverse(number(session, "created")));
    let in_log = answer.get("openid_in_log").and_then(Value::as_str).map(plain);
    let in_log = in_log.map_or_else(String::new, |name| format!("in the log {name}\n"));
    if sessions.is_empty() {
        return format!("{in_log}no sessions\n");
    }
    let titles = ["SID", "APP", "BEGUN", "ENDS", "UNIONID"].map(str::to_owned);
    let row = |session: &&Value| {
        let text = |key| plain(session.get(key).and_then(Value::as_str).unwrap_or("-"));
        let time = |key| distance(number(session, key), now);
        [text("sid"), text("app"), time("created"), time("expires"), text("unionid")]
    };
    let rows: Vec<_> = sessions.iter().map(row).collect();
    let mut widths = [0; 5];
    for row in rows.iter().chain([&titles]) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; 5]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let rows = rows.iter().map(|row| line(row) + "\n").collect::<String>();
    format!("{in_log}{}\n{rows}", output.strong(line(&titles)))
}

fn number(session: &Value, key: &str) -> u64 {
    session.get(key).and_then(Value::as_u64).unwrap_or_default()
}
