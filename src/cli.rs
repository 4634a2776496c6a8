//! The command line: one file for each command.

mod admin;
pub mod check;
pub mod completions;
pub mod dev;
pub mod doctor;
pub mod exit;
pub mod explain;
pub mod health;
pub mod keys;
mod output;
pub mod run;
pub mod schema;
pub mod sessions;
pub mod simulate;
mod time;
pub mod token;
pub mod top;
pub mod version;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::telemetry::log::{self, Log};
use exit::{Exit, Failure};

/// The gateway that lets any backend serve WeChat Mini Programs.
///
/// It takes over the login and phone routes, does WeChat's code exchange and decryption, keeps the
/// session_key, and forwards every other request with X-WX-OPENID on it.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = "Start with `wxgate dev`: everything on this machine, no appid needed.")]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::Args>),
    Dev(dev::Args),
    Simulate(simulate::Args),
    Check(check::Args),
    Explain(explain::Args),
    Doctor(doctor::Args),
    Health(health::Args),
    Sessions(sessions::Args),
    Top(top::Args),
    Schema(schema::Args),
    Keys(keys::Args),
    Token(token::Args),
    Completions(completions::Args),
    Version(version::Args),
}

impl Arguments {
    /// Reads the arguments of this process; or says how they should be, and how it ends.
    #[allow(clippy::missing_errors_doc, reason = "the sentence above says it")]
    pub fn read() -> Result<Self, ExitCode> {
        let command = Self::command().after_long_help(after_long_help());
        let arguments =
            command.try_get_matches().and_then(|matches| Self::from_arg_matches(&matches));
        arguments.map_err(|error| {
            // Nobody is left to tell where it cannot be written.
            let _ = error.print();
            ExitCode::from(if error.use_stderr() { Exit::Usage } else { Exit::Done })
        })
    }

    /// Carries the command out on the current runtime.
    pub async fn run(self, log: Log) -> ExitCode {
        let result = match self.command {
            Command::Run(args) => Box::pin(run::run(*args, log)).await,
            Command::Dev(args) => dev::run(args, log).await,
            Command::Simulate(args) => {
                simulate::run(args).await.map(|()| Exit::Done).map_err(Failure::from)
            }
            Command::Check(args) => check::run(&args),
            Command::Explain(args) => explain::run(&args),
            Command::Doctor(args) => doctor::run(&args).await,
            Command::Health(args) => health::run(&args).await,
            Command::Sessions(args) => sessions::run(&args).await,
            Command::Top(args) => top::run(&args).await,
            Command::Schema(args) => schema::run(&args),
            Command::Keys(args) => keys::run(&args),
            Command::Token(args) => token::run(&args),
            Command::Completions(args) => completions::run(&args, Self::command()),
            Command::Version(args) => version::run(&args),
        };
        match result {
            Ok(exit) => exit.into(),
            Err(failure) => failed(&failure),
        }
    }

    /// How the log is to be; where the configuration is wrong, as where it says nothing.
    pub fn log(&self) -> log::Settings {
        match &self.command {
            Command::Run(args) => args.log(),
            _ => log::Settings::default(),
        }
    }

    /// Threads for the runtime; 0 where the command leaves it to the number of processors.
    pub fn workers(&self) -> usize {
        match &self.command {
            Command::Run(args) => args.workers(),
            Command::Dev(_) | Command::Simulate(_) => 0,
            // The others are done at once.
            _ => 1,
        }
    }
}

/// Says what is wrong, in one line.
#[allow(clippy::print_stderr, reason = "the command line's own voice")]
pub fn failed(failure: &Failure) -> ExitCode {
    eprintln!("wxgate: {:#}", failure.error);
    failure.exit.into()
}

fn after_long_help() -> String {
    let codes = Exit::TABLE.map(|(_, code, meaning)| format!("  {code:<4}{meaning}\n")).concat();
    format!(
        "Start with `wxgate dev`: everything on this machine, no appid needed.\n\
         Then `wxgate check` and `wxgate explain GET /path` tell what your own gateway.toml does.\n\n\
         Exit codes:\n{codes}"
    )
}
