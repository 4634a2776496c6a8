//! A simulator on a free port and a small client for it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Once;
use std::time::Duration;

use serde_json::Value;
use wxgate::clock::Clock;
use wxgate::simulator::{Options, Settings, Simulator, World};

pub(crate) const APPID: &str = "wx0123456789abcdef";
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const OTHER_APPID: &str = "wxfedcba9876543210";

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The errcode; 0 where there is none.
    pub(crate) fn errcode(&self) -> i64 {
        self.json().get("errcode").map_or(0, |errcode| errcode.as_i64().unwrap())
    }

    pub(crate) fn errmsg(&self) -> String {
        self.json()["errmsg"].as_str().unwrap().to_owned()
    }
}

pub(crate) struct Wechat {
    pub(crate) simulator: Simulator,
    pub(crate) clock: Clock,
    pub(crate) client: reqwest::Client,
}

impl Wechat {
    /// One with two configured apps.
    pub(crate) async fn start() -> Self {
        Self::with_apps(&[APPID, OTHER_APPID]).await
    }

    pub(crate) async fn with_apps(appids: &[&str]) -> Self {
        let clock = Clock::movable();
        let apps = appids.iter().map(|appid| ((*appid).to_owned(), SECRET.to_owned())).collect();
        let options = Options { clock: clock.clone(), apps };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let simulator = Simulator::start(address, options).await.unwrap();
        Self { simulator, clock, client: client() }
    }

    pub(crate) fn world(&self) -> &World {
        self.simulator.world()
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.world().settings();
        change(&mut settings);
        self.world().set_settings(settings).unwrap();
    }

    pub(crate) fn url(&self, path: &str, query: &[(&str, &str)]) -> String {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        format!("{}{path}?{query}", self.simulator.base_url())
    }

    pub(crate) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Reply {
        reply(self.client.get(self.url(path, query))).await
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        query: &[(&str, &str)],
        body: impl ToString,
    ) -> Reply {
        reply(self.client.post(self.url(path, query)).body(body.to_string())).await
    }

    pub(crate) async fn put(&self, path: &str, body: impl ToString) -> Reply {
        reply(self.client.put(self.url(path, &[])).body(body.to_string())).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        reply(self.client.delete(self.url(path, &[]))).await
    }

    /// code2Session by `appid`.
    pub(crate) async fn exchange(&self, appid: &str, code: &str) -> Reply {
        let query = [
            ("appid", appid),
            ("secret", SECRET),
            ("js_code", code),
            ("grant_type", "authorization_code"),
        ];
        self.get("/sns/jscode2session", &query).await
    }

    /// Logs the user in to the first app; the openid and the session key.
    pub(crate) async fn log_in(&self, user: &str) -> (String, String) {
        let code = self.world().login(None, user).unwrap();
        let session = self.exchange(APPID, &code).await.json();
        let text = |name: &str| session[name].as_str().unwrap().to_owned();
        (text("openid"), text("session_key"))
    }

    /// A stable access token of the first app.
    pub(crate) async fn token(&self) -> String {
        let reply = self.stable_token(false).await;
        reply.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn stable_token(&self, force_refresh: bool) -> Reply {
        let body = serde_json::json!({
            "grant_type": "client_credential",
            "appid": APPID,
            "secret": SECRET,
            "force_refresh": force_refresh,
        });
        self.post("/cgi-bin/stable_token", &[], body).await
    }
}

pub(crate) fn client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Another test binary cannot be in this process; the result says who came first.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

async fn reply(request: reqwest::RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    let content_type = response.headers().get("content-type");
    Reply {
        status: response.status().as_u16(),
        content_type: content_type.map_or("", |value| value.to_str().unwrap()).to_owned(),
        text: response.text().await.unwrap(),
    }
}
