//! Requests as a well-behaved client makes them.

use std::future::IntoFuture;
use std::pin::Pin;

use reqwest::RequestBuilder;
use serde_json::Value;

use crate::raw::Answer;

/// A request that is sent when it is awaited.
#[derive(Debug)]
pub(crate) struct Request(pub(crate) RequestBuilder);

impl Request {
    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn body(self, body: impl Into<reqwest::Body>) -> Self {
        Self(self.0.body(body))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    pub(crate) fn form(self, body: &str) -> Self {
        self.header("content-type", "application/x-www-form-urlencoded").body(body.to_owned())
    }

    /// The head of the answer; its body can be read as it comes.
    pub(crate) async fn head(self) -> reqwest::Response {
        self.0.send().await.expect("the gateway answers")
    }
}

impl IntoFuture for Request {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let response = self.head().await;
            let status = response.status().as_u16();
            let text = |value: &http::HeaderValue| value.to_str().expect("ASCII").to_owned();
            let headers = response.headers().iter();
            let headers = headers.map(|(name, value)| (name.to_string(), text(value))).collect();
            let body = response.bytes().await;
            let whole = body.is_ok();
            Answer { status, headers, body: body.unwrap_or_default().to_vec(), whole }
        })
    }
}

/// A client that neither follows redirects nor knows a proxy.
pub(crate) fn client(http2: bool) -> reqwest::Client {
    // The gateway installs the same one; whoever comes first has done it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never());
    if http2 { client.http2_prior_knowledge() } else { client }.build().unwrap()
}
