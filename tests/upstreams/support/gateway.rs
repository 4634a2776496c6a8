//! A gateway in this process, with the WeChat that it asks.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use reqwest::Method;
use wxgate::app::{self, App};
use wxgate::clock::Clock;
use wxgate::config::{self, Problems, Settings};
use wxgate::listen::Address;
use wxgate::simulator::{Options, Simulator};

use super::wire::Wire;

const APPID: &str = "wx0123456789abcdef";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A gateway that listens on a free port.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    addresses: Vec<SocketAddr>,
    pub(crate) clock: Clock,
    http1: reqwest::Client,
    http2: reqwest::Client,
    simulator: Simulator,
    _app: App,
}

/// An answer, as far as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    /// None where it broke off.
    pub(crate) body: Option<String>,
}

/// The configuration of an upstream with these servers, and of public routes to it.
pub(crate) fn file(servers: &[String], keys: &str, routes: &str) -> String {
    format!(
        r#"
[server]
listen = ["127.0.0.1:0"]
[admin]
listen = "127.0.0.1:0"
[wechat]
base_url = "${{WECHAT}}"
[apps.shop]
appid = "{APPID}"
secret = "{SECRET}"
[upstreams.shop]
servers = {servers:?}
{keys}
[[routes]]
path = "/**"
upstream = "shop"
auth = "optional"
[[routes]]
path = "/wxLogin"
action = "login"
{routes}
"#
    )
}

pub(crate) fn parse(text: &str, folder: &Path, wechat: &str) -> Result<Settings, Problems> {
    let variable = |name: &str| (name == "WECHAT").then(|| wechat.to_owned());
    config::parse("gateway.toml", text, folder, &variable)
}

impl Gateway {
    /// One with an upstream of these servers.
    pub(crate) async fn before(servers: &[String], keys: &str) -> Self {
        Self::with(servers, keys, "").await
    }

    /// One with further routes.
    pub(crate) async fn with(servers: &[String], keys: &str, routes: &str) -> Self {
        Self::reading(&file(servers, keys, routes), Path::new("")).await
    }

    /// One with this configuration.
    pub(crate) async fn reading(text: &str, folder: &Path) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = Clock::movable();
        let apps = vec![(APPID.to_owned(), SECRET.to_owned())];
        let options = Options { clock: clock.clone(), apps };
        let simulator = Simulator::start((Ipv4Addr::LOCALHOST, 0).into(), options).await.unwrap();
        let settings = parse(text, folder, &simulator.base_url())
            .unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        let app = app::build(settings, clock.clone()).await.unwrap();
        let addresses = app.addresses.iter().map(|address| match address {
            Address::Tcp(address) => *address,
            Address::Unix(_) => panic!("a TCP address"),
        });
        let addresses: Vec<_> = addresses.collect();
        let address = addresses[0];
        let client = || {
            reqwest::Client::builder().no_proxy().retry(reqwest::retry::never()).build().unwrap()
        };
        let http2 = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
        Self { address, addresses, clock, http1: client(), http2, simulator, _app: app }
    }

    /// Where the listener is that stands there in the configuration.
    pub(crate) fn listener(&self, index: usize) -> SocketAddr {
        self.addresses[index]
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[]).await
    }

    pub(crate) async fn post(&self, path: &str) -> Answer {
        self.ask(Method::POST, path, &[]).await
    }

    /// With these headers. A POST or PUT has a body.
    pub(crate) async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(&self.http1, method, path, headers).await
    }

    pub(crate) async fn ask_by_http2(&self, method: Method, path: &str) -> Answer {
        self.send(&self.http2, method, path, &[]).await
    }

    async fn send(
        &self,
        client: &reqwest::Client,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let has_body = matches!(method, Method::POST | Method::PUT);
        let mut request = client.request(method, format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = if has_body { request.body("a body") } else { request };
        let response = request.send().await.expect("the gateway answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.text().await.ok() }
    }

    /// What is open for a client that reads bytes.
    pub(crate) async fn wire(&self) -> Wire {
        Wire::connect(self.address).await
    }

    pub(crate) fn code(&self, user: &str) -> String {
        self.simulator.world().login(APPID, user).unwrap()
    }

    /// The token of a user who has just logged in.
    pub(crate) async fn log_in(&self, user: &str) -> String {
        let answer = self.get(&format!("/wxLogin?code={}", self.code(user))).await;
        let answer: serde_json::Value =
            serde_json::from_str(answer.body.as_deref().unwrap()).unwrap();
        answer["token"].as_str().unwrap().to_owned()
    }
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        self.body.as_deref().unwrap_or_else(|| panic!("a whole body: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The stable code of a problem document.
    pub(crate) fn code(&self) -> String {
        let problem: serde_json::Value = serde_json::from_str(self.text()).unwrap();
        problem["code"].as_str().unwrap().to_owned()
    }
}
