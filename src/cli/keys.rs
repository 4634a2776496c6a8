//! `wxgate keys`: new keys.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};

use super::exit::{Exit, Failure};
use super::output;
use crate::secret::Secret;
use crate::session::token::generate::{NewKey, random_base64};

const EXAMPLES: &str = "\
Examples:
  export WXGATE_SIGNING_KEY=$(wxgate keys generate)
      for signing_keys = [\"${WXGATE_SIGNING_KEY}\"] in [session]
  export WXGATE_STORE_KEY=$(wxgate keys generate --store)
      for encryption_keys = [\"${WXGATE_STORE_KEY}\"] in [store]
  wxgate keys generate --signing ed25519 --out /run/secrets/wxgate-key
      for signing_keys_file; whoever has the public half can verify tokens and make none
  wxgate keys generate --signing ed25519 --out /run/secrets/wxgate-assertion-key
      for keys_file in [identity.assertion]: another one, since it signs something else

Every replica needs the same keys: the first signs or seals, all of them verify or open. To change one, \
add the new one behind the old one everywhere, then put it in front, then take the old one away. Upstreams keep \
the public keys of assertions for five minutes: wait as long before each of the last two steps.";

/// Make keys for the configuration.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Generate(Generate),
}

/// Write a new key, as gateway.toml and its variables take it.
///
/// Its randomness is that of the operating system. Without an option it is a signing key for HS256.
#[derive(Debug, clap::Args)]
#[command(after_help = "Use --help for examples.", after_long_help = EXAMPLES)]
struct Generate {
    /// A key that signs: tokens, for [session] signing_keys, or assertions, for [identity.assertion] keys.
    #[arg(long, value_name = "ALGORITHM", value_enum, conflicts_with = "store")]
    signing: Option<Algorithm>,

    /// A key that seals what is kept in Redis, for [store] encryption_keys.
    #[arg(long)]
    store: bool,

    /// Write it into a new file that only its owner can read.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Algorithm {
    /// HMAC with SHA-256: 32 bytes in base64.
    Hs256,
    /// EdDSA with Ed25519: a private key in PEM.
    Ed25519,
    /// ECDSA with P-256: a private key in PEM.
    Es256,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let Command::Generate(wanted) = &args.command;
    let key = match (wanted.store, wanted.signing) {
        (true, _) => random_base64(),
        (false, signing) => {
            let kind = match signing {
                None | Some(Algorithm::Hs256) => NewKey::Hs256,
                Some(Algorithm::Ed25519) => NewKey::EdDsa,
                Some(Algorithm::Es256) => NewKey::Es256,
            };
            kind.generate().map_err(|_| {
                Failure::new(Exit::Unavailable, "the system gives no random numbers")
            })?
        }
    };
    match &wanted.out {
        Some(path) => write_new(path, &key)?,
        None => output::write(&format!("{}\n", key.expose()))?,
    }
    Ok(Exit::Done)
}

/// A key that is there already may be in use: it is not written over.
fn write_new(path: &Path, key: &Secret) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| writeln!(file, "{}", key.expose()));
    written.map_err(|error| Failure {
        exit: match Exit::of_io(&error) {
            Exit::NoPermission => Exit::NoPermission,
            _ => Exit::CannotCreate,
        },
        error: anyhow::Error::new(error).context(format!("cannot make {}", path.display())),
    })
}
