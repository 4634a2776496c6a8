//! The command line: one file for each command.

pub mod dev;
pub mod run;
pub mod simulate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::telemetry::log::{self, Log};

/// EX_CONFIG of sysexits(3): the configuration is wrong.
pub const EX_CONFIG: u8 = 78;
/// EX_UNAVAILABLE: what the command needs of this machine is not there.
const EX_UNAVAILABLE: u8 = 69;

/// The gateway that lets any backend serve WeChat Mini Programs.
///
/// It takes over the login and phone routes, does WeChat's code exchange and decryption, keeps the
/// session_key, and forwards every other request with X-WX-OPENID on it.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
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
}

impl Arguments {
    /// Carries the command out on the current runtime.
    pub async fn run(self, log: Log) -> ExitCode {
        let result = match self.command {
            Command::Run(args) => return run::run(*args, log).await,
            Command::Dev(args) => dev::run(args, log).await,
            Command::Simulate(args) => simulate::run(args).await,
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => unavailable(&error),
        }
    }

    /// How the log is to be; where the configuration is wrong, as where it says nothing.
    pub fn log(&self) -> log::Settings {
        match &self.command {
            Command::Run(args) => args.log(),
            Command::Dev(_) | Command::Simulate(_) => log::Settings::default(),
        }
    }

    /// Threads for the runtime; 0 where the command leaves it to the number of processors.
    pub fn workers(&self) -> usize {
        match &self.command {
            Command::Run(args) => args.workers(),
            Command::Dev(_) | Command::Simulate(_) => 0,
        }
    }
}

/// Says what is missing, in one line.
#[allow(clippy::print_stderr, reason = "the command line's own voice")]
pub fn unavailable(error: &anyhow::Error) -> ExitCode {
    eprintln!("wxgate: {error:#}");
    ExitCode::from(EX_UNAVAILABLE)
}
