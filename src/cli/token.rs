//! `wxgate token`: what stands in a token.

use std::io::{self, Read};
use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use super::explain::settings;
use super::output::{self, Output};
use super::time;
use crate::clock::Clock;
use crate::config::Settings;
use crate::identity::assertion;
use crate::session::token::inspect::{Parts, Signature};
use crate::session::token::{Tokens, install_crypto_provider};

const EXAMPLES: &str = "\
Examples:
  wxgate token inspect
      then paste the token, Enter, Ctrl-D: so no history of a shell holds it
  pbpaste | wxgate token inspect -c gateway.toml
      whether one of the keys of this configuration has signed it
  wxgate token inspect --json < token.txt | jq .claims.sub

It is offline: nobody is asked whether the session behind the token still lives. Without -c \
whatever stands in it is only what somebody has written.
It exits with 65 where it is no token, its signature is wrong, or its time is over.";

/// The longest text that is read: many times that of a token.
const LONGEST: u64 = 64 << 10;

/// Look at tokens.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Inspect(Inspect),
}

/// Show what stands in a token: whose it is, until when, and whether the keys signed it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Use --help for examples.", after_long_help = EXAMPLES)]
struct Inspect {
    /// The token; `-` reads it from standard input, where no history keeps it.
    #[arg(value_name = "TOKEN", default_value = "-", hide_default_value = true)]
    token: String,

    /// A configuration, by whose signing keys it is verified.
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Write JSON.
    #[arg(long)]
    json: bool,
}

/// What is known of the token.
struct Inspected {
    parts: Parts,
    /// Whether it is for an upstream, and no token of a session.
    is_assertion: bool,
    signature: Option<Signature>,
    /// The name of its app in the configuration.
    app: Option<String>,
    now: u64,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let Command::Inspect(wanted) = &args.command;
    let settings = wanted.config.as_deref().map(settings).transpose()?;
    install_crypto_provider();
    let token = token(wanted)?;
    let no_token = || Failure::new(Exit::Data, "this is no token: a signed JWT has three parts");
    let parts = Parts::read(&token).ok_or_else(no_token)?;
    let is_assertion = parts.header.get("typ").is_some_and(|typ| typ == assertion::TYPE);
    let signature = |settings: &Settings| match is_assertion {
        true => signature_of_assertion(&token, &parts, settings),
        false => signature(&token, settings),
    };
    let inspected = Inspected {
        signature: settings.as_ref().map(signature),
        is_assertion,
        app: settings.as_ref().and_then(|settings| app(&parts, settings)),
        now: Clock::system().now(),
        parts,
    };
    match wanted.json {
        true => output::write_json(&inspected.json())?,
        false => output::write(&inspected.report(Output::stdout()))?,
    }
    Ok(if inspected.is_good() { Exit::Done } else { Exit::Data })
}

/// The token, without the word before it that it has in a header.
fn token(wanted: &Inspect) -> Result<String, Failure> {
    let mut text = wanted.token.clone();
    if text == "-" {
        text.clear();
        io::stdin().take(LONGEST).read_to_string(&mut text)?;
    }
    let text = text.trim();
    let bare = text.split_once(' ').filter(|(word, _)| word.eq_ignore_ascii_case("bearer"));
    Ok(bare.map_or(text, |(_, token)| token).trim().to_owned())
}

fn signature(token: &str, settings: &Settings) -> Signature {
    Tokens::new(settings.session.signing_keys.clone()).signature_of(token)
}

fn signature_of_assertion(token: &str, parts: &Parts, settings: &Settings) -> Signature {
    let keys = settings.identity.assertion.as_ref().map(|assertion| assertion.keys.as_slice());
    let mut keys = keys.unwrap_or_default().iter();
    let named = keys.find(|key| parts.header.get("kid").is_some_and(|kid| kid == key.id()));
    match named.map(|key| key.has_signed(token)) {
        None => Signature::UnknownKey,
        Some(true) => Signature::Good,
        Some(false) => Signature::Wrong,
    }
}

fn app(parts: &Parts, settings: &Settings) -> Option<String> {
    let claims = &parts.claims;
    let appid = claims.get("appid").or_else(|| claims.get("aud"))?.as_str()?;
    let app = settings.apps.iter().find(|app| app.appid.as_str() == appid);
    app.map(|app| app.name.clone())
}

impl Inspected {
    fn is_good(&self) -> bool {
        let signed = self.signature.as_ref().is_none_or(|it| *it == Signature::Good);
        signed && !self.is_over()
    }

    fn is_over(&self) -> bool {
        self.seconds("exp").is_none_or(|end| end <= self.now)
    }

    fn seconds(&self, claim: &str) -> Option<u64> {
        self.parts.claims.get(claim)?.as_u64()
    }

    fn json(&self) -> Value {
        json!({
            "header": self.parts.header,
            "claims": self.parts.claims,
            "signature": self.signature.as_ref().map(|it| it.words().0),
            "expired": self.is_over(),
            "app": self.app,
            "revocation": "unknown",
        })
    }

    fn report(&self, output: Output) -> String {
        let text = |value: Option<&Value>| match value {
            Some(Value::String(text)) => text.escape_debug().to_string(),
            Some(value) => value.to_string(),
            None => "-".to_owned(),
        };
        let claim = |name| text(self.parts.claims.get(name));
        let header = |name| text(self.parts.header.get(name));
        let appid = if self.is_assertion { claim("appid") } else { claim("aud") };
        let app = match &self.app {
            Some(name) => format!("{appid} ([apps.{name}])"),
            None => appid,
        };
        let (what, value, last) = match self.is_assertion {
            true => {
                ("for", claim("aud"), "It is an assertion, for an upstream: no token of a client.")
            }
            false => (
                "session",
                claim("sid"),
                "Whether its session still lives only a gateway knows: this is offline.",
            ),
        };
        let at =
            |name| self.seconds(name).map_or_else(|| claim(name), |it| time::told(it, self.now));
        let end = if self.is_over() { output.bad(at("exp")) } else { at("exp") };
        let signature = match &self.signature {
            None => output.doubtful("not checked: name a configuration with -c"),
            Some(Signature::Good) => output.good(Signature::Good.words().1),
            Some(signature) => output.bad(signature.words().1),
        };
        let rows = [
            ("user", claim("sub")),
            ("app", app),
            (what, value),
            ("token", claim("jti")),
            ("made", at("iat")),
            ("good until", end),
            ("key", format!("{} ({})", header("kid"), header("alg"))),
            ("signature", signature),
        ];
        let rows =
            rows.map(|(name, value)| format!("{} {value}\n", output.faint(format!("{name:11}"))));
        rows.concat() + &output.faint(last) + "\n"
    }
}

impl Signature {
    /// For programs, and for people.
    fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::Good => ("good", "good"),
            Self::Wrong => {
                ("wrong", "wrong: it names a key of this configuration and is not by it")
            }
            Self::UnknownKey => ("unknown_key", "by a key that this configuration does not have"),
            Self::NotOurs => ("not_ours", "of a form that no gateway makes"),
        }
    }
}
