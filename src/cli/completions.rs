//! `wxgate completions`: what a shell completes.

use clap::{Command, ValueEnum};
use clap_complete::{Shell, generate};

use super::exit::{Exit, Failure};
use super::output;

const EXAMPLES: &str = "\
Examples:
  wxgate completions bash > /etc/bash_completion.d/wxgate
  wxgate completions zsh > \"${fpath[1]}/_wxgate\"
  wxgate completions fish > ~/.config/fish/completions/wxgate.fish";

/// Write the completions of a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The shell.
    #[arg(value_name = "SHELL", value_enum)]
    shell: Known,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[allow(missing_docs, reason = "they are the names of the shells")]
enum Known {
    Bash,
    Fish,
    Zsh,
}

pub(super) fn run(args: &Args, mut command: Command) -> Result<Exit, Failure> {
    let shell = match args.shell {
        Known::Bash => Shell::Bash,
        Known::Fish => Shell::Fish,
        Known::Zsh => Shell::Zsh,
    };
    let mut script = Vec::new();
    generate(shell, &mut command, "wxgate", &mut script);
    output::write(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
