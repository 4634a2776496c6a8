//! A gateway in this process, with the WeChat that it asks and the service behind it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use reqwest::Method;
use wxgate::app::{self, App};
use wxgate::clock::Clock;
use wxgate::config::{Problems, Settings};
use wxgate::lifecycle::reloads::Outcome;
use wxgate::listen::Address;

use super::config::Config;
use super::request::{Request, client};
use super::wechat::{APPID, SECRET, Wechat};
use crate::raw::Wire;
use crate::upstream::Upstream;

pub(crate) struct Gateway {
    pub(crate) app: App,
    pub(crate) address: SocketAddr,
    pub(crate) clock: Clock,
    pub(crate) wechat: Wechat,
    pub(crate) upstream: Upstream,
    pub(crate) http1: reqwest::Client,
    pub(crate) http2: reqwest::Client,
}

impl Gateway {
    /// One with the standard configuration.
    pub(crate) async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let clock = Clock::movable();
        let wechat = Wechat::start(clock.clone()).await;
        Self::over(config, clock, wechat).await
    }

    /// One that asks this WeChat.
    pub(crate) async fn over(config: Config, clock: Clock, wechat: Wechat) -> Self {
        Self::of_text(&config.text(), &config.variables, clock, wechat).await
    }

    /// One with the text of a whole file.
    pub(crate) async fn of_file(text: &str, clock: Clock, wechat: Wechat) -> Self {
        let secret = HashMap::from([("WX_SHOP_SECRET".to_owned(), SECRET.to_owned())]);
        Self::of_text(text, &secret, clock, wechat).await
    }

    async fn of_text(
        text: &str,
        variables: &HashMap<String, String>,
        clock: Clock,
        wechat: Wechat,
    ) -> Self {
        let upstream = Upstream::start().await;
        let settings = read(text, variables, &wechat, &upstream)
            .unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        let app = app::build(settings, clock.clone()).await.unwrap();
        let Some(Address::Tcp(address)) = app.addresses.first().cloned() else {
            panic!("a TCP address")
        };
        let (http1, http2) = (client(false), client(true));
        Self { app, address, clock, wechat, upstream, http1, http2 }
    }

    /// Puts another configuration in effect.
    pub(crate) async fn reload(&self, config: &Config) -> Outcome {
        self.app.configuration().reload(self.read(config), true).await
    }

    /// What a configuration comes to, with its holes filled as they were.
    pub(crate) fn read(&self, config: &Config) -> Result<Settings, Problems> {
        read(&config.text(), &config.variables, &self.wechat, &self.upstream)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn get(&self, path: &str) -> Request {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> Request {
        self.request(Method::POST, path)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> Request {
        Request(self.http1.request(method, self.url(path)))
    }

    /// The same over HTTP/2.
    pub(crate) fn request_by_http2(&self, method: Method, path: &str) -> Request {
        Request(self.http2.request(method, self.url(path)))
    }

    /// What is open for a client that writes bytes.
    pub(crate) async fn wire(&self) -> Wire {
        Wire::connect(self.address).await
    }

    /// The token of a user who has just logged in.
    pub(crate) async fn log_in(&self, user: &str) -> String {
        let code = self.wechat.code(user);
        let answer = self.get(&format!("/wxLogin?code={code}&appid={APPID}")).await;
        let token = answer.json()["token"].as_str().map(str::to_owned);
        token.unwrap_or_else(|| panic!("a token: {answer:?}"))
    }
}

fn read(
    text: &str,
    variables: &HashMap<String, String>,
    wechat: &Wechat,
    upstream: &Upstream,
) -> Result<Settings, Problems> {
    let variable = |name: &str| match name {
        _ if variables.contains_key(name) => variables.get(name).cloned(),
        "WECHAT" => Some(wechat.url()),
        "UPSTREAM" => Some(upstream.url()),
        _ => None,
    };
    wxgate::config::parse("gateway.toml", text, Path::new(""), &variable)
}
