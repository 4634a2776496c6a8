//! `wxgate explain`: what the gateway would do with a request.

mod json;
mod report;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::header::HOST;
use http::{HeaderName, HeaderValue};

use super::exit::{Exit, Failure};
use super::output::{self, Output};
use crate::clock::Clock;
use crate::config::{self, Settings};
use crate::identity::forwarded::TrustedProxies;
use crate::identity::{HeaderRules, Identity};
use crate::listen;
use crate::policy::route::{Fit, Route, Table};
use crate::proxy::explain::{Explanation, Question, Rules};
use crate::session::token::{Tokens, install_crypto_provider};

const EXAMPLES: &str = "\
Examples:
  wxgate explain GET /api/orders
      which route wins and why, and what its upstream gets
  wxgate explain GET /api/orders -H 'X-WX-OPENID: mallory' -H 'Cookie: a=1'
      what becomes of these headers
  wxgate explain POST /wxLogin --host shop.example.com --from 10.0.0.7
      as it comes in by a proxy at 10.0.0.7
  wxgate explain GET '/api/%2e%2e/admin'
      why a path is refused
  wxgate explain GET /api/orders --json | jq -r .upstream.name
      for tests in CI

Nothing is sent and nobody is asked. A token is looked at as far as its signature; whether its session \
lives only the running gateway knows. Tokens in arguments stay in the history of the shell.";

/// Say what would be done with a request, and why.
///
/// It reads the configuration and lets the same code decide that serves requests: which route wins over
/// which others, what authentication asks, which headers are removed and set, which upstream gets what
/// path. Or which refusal the client gets.
#[derive(Debug, clap::Args)]
#[command(after_help = "Use --help for examples.", after_long_help = EXAMPLES)]
pub struct Args {
    /// The method, such as GET.
    #[arg(value_name = "METHOD")]
    method: String,

    /// The path, and a query where there is one.
    #[arg(value_name = "PATH")]
    target: String,

    /// The host that the request names.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,

    /// A header of the request, as often as there are some.
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", value_parser = parse_header)]
    headers: Vec<(HeaderName, HeaderValue)>,

    /// The address that the request comes from.
    #[arg(long, value_name = "ADDRESS", default_value = "192.0.2.1")]
    from: IpAddr,

    /// The configuration.
    #[arg(long, short, value_name = "FILE", default_value = "gateway.toml", env = "WXGATE_CONFIG")]
    config: PathBuf,

    /// Write JSON.
    #[arg(long)]
    json: bool,
}

/// The request that is asked about, and the answer.
struct Explained<'a> {
    args: &'a Args,
    settings: &'a Settings,
    host: String,
    explanation: Explanation,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let settings = settings(&args.config)?;
    install_crypto_provider();
    let headers = headers(args);
    let host = headers.iter().find(|(name, _)| name == HOST);
    let host = host.and_then(|(_, value)| value.to_str().ok()).unwrap_or_default().to_owned();
    let question = Question {
        method: &args.method,
        target: &args.target,
        headers: &headers,
        peer: args.from,
        now: Clock::system().now(),
    };
    let rules = rules(&settings)?;
    let explanation = match listen::check_whole(&on_the_wire(&question), &settings.limits) {
        Ok(()) => rules.explain(&question),
        Err(refusal) => Explanation { path: None, considered: Vec::new(), outcome: Err(refusal) },
    };
    let explained = Explained { args, settings: &settings, host, explanation };
    match args.json {
        true => output::write_json(&json::of(&explained))?,
        false => output::write(&report::of(&explained, Output::stdout()))?,
    }
    Ok(Exit::Done)
}

/// The configuration for a command that looks at it.
pub(super) fn settings(path: &Path) -> Result<Settings, Failure> {
    config::load(path, &|name| std::env::var(name).ok())
        .map_err(|problems| Failure::new(Exit::Config, problems.to_string()))
}

fn rules(settings: &Settings) -> Result<Rules, Failure> {
    let conflict = |_| Failure::new(Exit::Software, "two routes could both win");
    Ok(Rules {
        routes: Table::build(settings.routes.clone()).map_err(conflict)?,
        upstreams: settings.upstreams.clone(),
        appids: settings.apps.iter().map(|app| app.appid.as_str().to_owned()).collect(),
        limits: settings.limits.clone(),
        header_rules: HeaderRules::new(&settings.identity),
        identity: Identity::new(settings.identity.clone(), &settings.apps),
        claims: settings.identity.claims.keys().cloned().collect(),
        trusted_proxies: TrustedProxies(settings.server.trusted_proxies.clone()),
        traces: settings.server.traces,
        token_from: settings.session.token_from.clone(),
        tokens: Tokens::new(settings.session.signing_keys.clone()),
    })
}

/// A Host stands before the others, as clients write it.
fn headers(args: &Args) -> Vec<(HeaderName, HeaderValue)> {
    let given = args.headers.iter().any(|(name, _)| name == HOST);
    let host = match &args.host {
        Some(host) => HeaderValue::try_from(host).ok(),
        None if given => None,
        None => Some(HeaderValue::from_static("localhost")),
    };
    host.map(|host| (HOST, host)).into_iter().chain(args.headers.iter().cloned()).collect()
}

/// The head as a client would send it: the door reads bytes.
fn on_the_wire(question: &Question<'_>) -> Vec<u8> {
    let mut head = format!("{} {} HTTP/1.1\r\n", question.method, question.target).into_bytes();
    for (name, value) in question.headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

fn parse_header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("a header is written 'NAME: VALUE'")?;
    let name = name.trim().parse::<HeaderName>().map_err(|error| error.to_string())?;
    let value = value.trim().parse::<HeaderValue>().map_err(|error| error.to_string())?;
    Ok((name, value))
}

/// One route that was considered, in words: `wins` is the route that won.
fn why(route: &Arc<Route>, fit: Fit, wins: Option<&Arc<Route>>) -> (&'static str, String) {
    let methods = || route.methods.iter().map(http::Method::as_str).collect::<Vec<_>>().join(", ");
    match fit {
        Fit::OtherHost => {
            let host = route.host.as_deref().unwrap_or_default();
            ("other_host", format!("is for the host {host}"))
        }
        Fit::OtherMethod => ("other_method", format!("is for {}", methods())),
        Fit::OtherSpelling => (
            "other_spelling",
            "has this path in another spelling, so that no route that asks for less gets the request"
                .to_owned(),
        ),
        Fit::Whole => match wins {
            Some(winner) if Arc::ptr_eq(winner, route) => ("wins", "wins".to_owned()),
            Some(winner) => ("less_specific", format!("fits, but {}", less(route, winner))),
            None => ("asks_for_less", "fits, but asks for less than another spelling".to_owned()),
        },
    }
}

/// Why a route that fits is less specific than the one that won.
fn less(route: &Route, winner: &Route) -> &'static str {
    use crate::policy::route::Pattern::{Exact, Prefix};
    match (&route.path, &winner.path) {
        (Prefix(_), Exact(_)) => "an exact path comes before a prefix",
        (Prefix(one), Prefix(other)) if one.len() < other.len() => {
            "a longer prefix comes before a shorter one"
        }
        _ if winner.host.is_some() && route.host.is_none() => "a named host comes before none",
        _ => "named methods come before none",
    }
}
