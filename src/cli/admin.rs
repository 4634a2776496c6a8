//! The admin listener of a gateway that runs, asked from outside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Method;
use reqwest::{Client, redirect};
use serde_json::Value;

use super::exit::{Exit, Failure};
use crate::config::{self, AdminPlace, Problems};
use crate::secret::Secret;

/// Where a gateway on this machine has it.
const DEFAULT: &str = "http://127.0.0.1:9901";

/// What does not end is no answer of a gateway. Its metrics have no limit of their own: they are up to 4 KiB for
/// each route that was asked for.
const LONGEST: usize = 512 << 20;

/// Which gateway is meant.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Place {
    /// Its admin listener [default: the file's, or http://127.0.0.1:9901]
    #[arg(long = "admin", value_name = "URL")]
    url: Option<String>,

    /// Its configuration, for [admin] listen and token.
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
    /// The address, and the token of the configuration, if it has one.
    pub(super) fn find(&self) -> Result<(String, Option<Secret>), Failure> {
        let place = self.config.as_deref().map(place).transpose()?;
        let (listen, token) = place.map(|place| (place.listen, place.token)).unzip();
        let url = match (&self.url, listen) {
            (Some(url), _) => url.clone(),
            (None, listen) => url_or_default(listen)?,
        };
        Ok((url, token.flatten()))
    }
}

/// The URL of the admin listener of a configuration, whatever is wrong with the rest of it; without one
/// where it is by default.
pub(super) fn url_of(file: Option<&Path>) -> Result<String, Failure> {
    url_or_default(file.map(place).transpose()?.map(|place| place.listen))
}

fn url_or_default(listen: Option<Result<SocketAddr, Problems>>) -> Result<String, Failure> {
    match listen.transpose() {
        Ok(listen) => Ok(listen.map_or_else(|| DEFAULT.to_owned(), url)),
        Err(problems) => Err(wrong(&problems)),
    }
}

fn place(file: &Path) -> Result<AdminPlace, Failure> {
    config::read_admin(file, &|name| std::env::var(name).ok()).map_err(|problems| wrong(&problems))
}

fn wrong(problems: &Problems) -> Failure {
    Failure::new(Exit::Config, problems.to_string())
}

/// Where something is reached, on this machine, that listens there.
pub(super) fn url(listen: SocketAddr) -> String {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, listen.port()))
}

/// An admin listener that can be asked again and again.
#[derive(Debug)]
pub(super) struct Admin {
    http: Client,
    base: String,
    token: Option<Secret>,
}

/// What it says.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// Why it said nothing.
#[derive(Debug, thiserror::Error)]
#[error("no answer from {place}: {reason}")]
pub(super) struct Silent {
    place: String,
    pub(super) reason: String,
}

impl Admin {
    /// The one at this URL. Each answer has to be whole within the limit.
    pub(super) fn new(base: &str, token: Option<Secret>, limit: Duration) -> Result<Self, Failure> {
        let wrong = || {
            let text = format!("{base:?} is no URL of an admin listener; write {DEFAULT}");
            Failure::new(Exit::Usage, text)
        };
        let uri: http::Uri = base.parse().map_err(|_| wrong())?;
        let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
        if !is_web || uri.host().is_none_or(str::is_empty) {
            return Err(wrong());
        }
        // An error means that it is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = Client::builder()
            .user_agent("wxgate")
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(limit);
        if uri.scheme_str() == Some("http") {
            // An image may have no certificates at all, and none are needed.
            http = http.tls_certs_only([]);
        }
        let http = http.build().map_err(|error| Failure::new(Exit::Software, error.to_string()))?;
        Ok(Self { http, base: base.to_owned(), token })
    }

    /// Its URL.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Asks for what is at a path.
    pub(super) async fn get(&self, path: &str) -> Result<Answer, Silent> {
        self.ask(Method::GET, path).await
    }

    /// Asks for what is at a path below its URL, or at the very URL; with the token where there is one.
    pub(super) async fn ask(&self, method: Method, path: &str) -> Result<Answer, Silent> {
        let silent = |reason| Silent { place: self.base.clone(), reason };
        let url = match path {
            "" => self.base.clone(),
            path => format!("{}{path}", self.base.trim_end_matches('/')),
        };
        let mut request = self.http.request(method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        let mut answer = request.send().await.map_err(|error| silent(reason(&error)))?;
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| silent(reason(&error)))? {
            body.extend_from_slice(&part);
            if body.len() > LONGEST {
                return Err(silent("its answer does not end".to_owned()));
            }
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Answer { status: answer.status().as_u16(), body })
    }
}

impl Answer {
    /// It as JSON; or how the command ends that needs it.
    pub(super) fn json(self) -> Result<Value, Failure> {
        let said = serde_json::from_str::<Value>(&self.body);
        let exit = match (self.status, said) {
            (200..=299, Ok(said)) => return Ok(said),
            (200..=299, Err(_)) => {
                let text = "the answer is not that of an admin listener of wxgate";
                return Err(Failure::new(Exit::Unavailable, text));
            }
            (400, _) => Exit::Usage,
            (401 | 403, _) => Exit::NoPermission,
            (404, _) => Exit::NoInput,
            _ => Exit::Unavailable,
        };
        Err(Failure::new(exit, format!("{} ({})", self.words(), self.status)))
    }

    /// What its error says to people, on one line.
    pub(super) fn words(&self) -> String {
        let said = serde_json::from_str::<Value>(&self.body).ok();
        let words = said.as_ref().and_then(|said| said.get("error")).and_then(Value::as_str);
        plain(words.unwrap_or("it answers with no word of wxgate"))
    }
}

/// A text of the other side without what could steer a terminal.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl From<Silent> for Failure {
    fn from(silent: Silent) -> Self {
        let help = "is the gateway running, and is this its [admin] listen?";
        Self::new(Exit::Unavailable, format!("{silent}; {help}"))
    }
}

/// The innermost cause: what surrounds it says no more.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "not in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
        Some(std::io::ErrorKind::ConnectionRefused) => "nobody listens there".to_owned(),
        _ => plain(&cause.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_everywhere_is_reached_by_loopback() {
        for (listen, expected) in [
            ("127.0.0.1:9901", "http://127.0.0.1:9901"),
            ("0.0.0.0:9901", "http://127.0.0.1:9901"),
            ("[::]:1", "http://[::1]:1"),
            ("10.0.0.7:1", "http://10.0.0.7:1"),
        ] {
            assert_eq!(url(listen.parse().unwrap()), expected);
        }
    }

    #[test]
    fn what_is_no_url_of_a_listener_is_wrong_arguments() {
        for text in ["", "127.0.0.1:9901", "ftp://a", "http://", "http:///x", "unix:/a"] {
            let failure = Admin::new(text, None, Duration::from_secs(1)).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage, "{text}");
        }
    }

    #[test]
    fn nothing_steers_the_terminal() {
        let answer = Answer { status: 500, body: r#"{"error":"a\u001b[2Jb\nc"}"#.to_owned() };
        assert_eq!(answer.words(), "a [2Jb c");
    }
}
