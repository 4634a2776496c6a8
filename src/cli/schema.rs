//! `wxgate schema`: the JSON Schema of `gateway.toml`, and its reference.

use super::exit::{Exit, Failure};
use super::output;
use crate::config::reference;

const EXAMPLES: &str = "\
Examples:
  wxgate schema > gateway.schema.json
      then let the first line of gateway.toml be
      #:schema ./gateway.schema.json
      and editors with Even Better TOML or taplo check and complete while you write
  wxgate schema --markdown > configuration.md
      the same as a page";

/// Write the JSON Schema of gateway.toml.
///
/// It is made from the code that reads the file, so it knows the keys of this very version. What a
/// schema cannot say, such as that two routes could both win, `wxgate check` does.
#[derive(Debug, clap::Args)]
#[command(after_help = "Use --help for examples.", after_long_help = EXAMPLES)]
pub struct Args {
    /// Write the reference for people, in Markdown.
    #[arg(long)]
    markdown: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    match args.markdown {
        true => output::write(&reference::markdown())?,
        false => output::write_json(&reference::schema())?,
    }
    Ok(Exit::Done)
}
