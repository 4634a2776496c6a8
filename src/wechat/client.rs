//! The calls to WeChat: connections, limits and what can go wrong on the way.
//!
//! A call is sent once. Only where no connection came about, so that no byte of it left, is it sent to
//! the fallback address (a login code is good for one exchange). Errors of reqwest carry the URL, and
//! with it the AppSecret and the code: no such error leaves this file.

mod answer;
mod check_session;
mod code2session;
mod date;
mod img_sec_check;
mod media_check_async;
mod metrics;
mod msg_sec_check;
mod multipart;
mod phone_number;
mod reset_user_session_key;
mod settings;
mod signed;
mod stable_token;

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::Uri;
use reqwest::redirect;
use serde_json::Value;
use tracing::warn;

pub use answer::unusable;
pub use code2session::Login;
pub use img_sec_check::{ImageType, MAX_IMAGE};
pub use media_check_async::Scene;
pub use metrics::CallMetrics;
pub use msg_sec_check::{Suggest, Text};
pub use settings::Settings;
pub use stable_token::{Grant, Mode};

use self::metrics::AppCalls;
use super::app::App;
use super::errcode::{self, Api};
use crate::refusal::{Reason, Refusal};
use crate::telemetry::traces::{self, Span};

/// WeChat's answers have a few hundred bytes; what is longer is none.
const MAX_ANSWER: usize = 64 << 10;
/// A connection that WeChat's side may have dropped is not worth the try.
const POOL_IDLE: Duration = Duration::from_secs(55);

/// The way to WeChat.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    settings: Settings,
    metrics: CallMetrics,
    /// Whose calls these are; those of nobody are not counted.
    calls: Option<AppCalls>,
}

/// The client cannot be made: the settings of the machine's TLS or of the proxy do not work.
#[derive(Debug, thiserror::Error)]
#[error("the client for WeChat cannot be made: {0}")]
pub struct NotBuilt(String);

/// One call, without the address of WeChat.
pub(super) struct Call<'a> {
    pub(super) api: Api,
    /// The query; its values are encoded.
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) body: Body,
}

/// The body of a call, which says its method.
pub(super) enum Body {
    /// None: a GET.
    None,
    /// A POST of JSON in UTF-8: serde_json escapes no letter, and the content checks of WeChat
    /// do not see through `\u` escapes.
    Json(Value),
    /// A POST of a form with one file.
    Multipart(multipart::File),
}

impl Body {
    /// The content type and the bytes, where there are any.
    fn encode(&self) -> Option<(String, Bytes)> {
        match self {
            Self::None => None,
            Self::Json(json) => Some(("application/json".to_owned(), json.to_string().into())),
            Self::Multipart(file) => Some(file.encode()),
        }
    }
}

impl Call<'_> {
    fn url(&self, base: &Uri) -> String {
        let base = base.to_string();
        let mut url = format!("{}{}?", base.trim_end_matches('/'), self.api.path());
        let mut query = form_urlencoded::Serializer::new(String::new());
        url.push_str(&query.extend_pairs(self.query).finish());
        url
    }
}

/// A call that came to nothing.
#[derive(Clone, Debug)]
pub struct Failed {
    /// What it comes to for the client.
    pub refusal: Refusal,
    /// Whether WeChat may have seen the call.
    pub sent: bool,
}

impl Failed {
    /// An answer that cannot be used; `what` describes it without quoting it.
    fn unusable(api: Api, what: &'static str) -> Self {
        Self { refusal: unusable(api, what), sent: true }
    }

    /// Whether WeChat turned the call away for its access_token: it was not carried out.
    pub fn is_stale_access_token(&self) -> bool {
        self.refusal.wechat_errcode.is_some_and(errcode::is_stale_access_token)
    }

    /// Whether WeChat answered with this errcode.
    fn is(&self, errcode: i64) -> bool {
        self.refusal.wechat_errcode == Some(errcode)
    }
}

impl From<Failed> for Refusal {
    fn from(failed: Failed) -> Self {
        failed.refusal
    }
}

/// Why no answer came.
enum Lost {
    /// No connection came about: nothing was sent.
    NotConnected(&'static str),
    /// Something went wrong once bytes had left, or the time was up.
    OnTheWay(&'static str),
    /// An answer came that is none.
    Useless(&'static str),
}

impl Client {
    /// A client with these settings. The process must have a rustls crypto provider.
    pub fn new(settings: Settings) -> Result<Self, NotBuilt> {
        let mut http = reqwest::Client::builder()
            .connect_timeout(settings.connect_timeout)
            .pool_idle_timeout(POOL_IDLE)
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .user_agent(concat!("wxgate/", env!("CARGO_PKG_VERSION")));
        http = match &settings.proxy {
            Some(proxy) => http.proxy(
                reqwest::Proxy::all(proxy.to_string())
                    .map_err(|error| NotBuilt(error.without_url().to_string()))?,
            ),
            // What stands in the environment for other programs is not meant for this one.
            None => http.no_proxy(),
        };
        let http = http.build().map_err(|error| NotBuilt(error.without_url().to_string()))?;
        Ok(Self { http, settings, metrics: CallMetrics::default(), calls: None })
    }

    /// The same, counted there.
    pub fn counted_by(self, metrics: CallMetrics) -> Self {
        Self { metrics, ..self }
    }

    /// The same for the calls of this app.
    pub fn of(&self, app: &App) -> Self {
        Self { calls: self.metrics.of(&app.appid), ..self.clone() }
    }

    /// How long a call may take, the turn to the fallback address included.
    pub fn longest_call(&self) -> Duration {
        self.settings.timeout
    }

    /// Makes the call and gives the JSON of the answer, which holds no errcode other than 0.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Value, Failed> {
        self.call_for_text(call).await.map(|(answer, _)| answer)
    }

    /// The same with the text of the answer, where it matters as WeChat wrote it.
    pub(super) async fn call_for_text(&self, call: &Call<'_>) -> Result<(Value, Bytes), Failed> {
        let mut span = traces::child(traces::Kind::Client, call.api.path());
        let begun = Instant::now();
        let outcome = self.make(call, &mut span).await;
        if let Some(calls) = &self.calls {
            calls.made(call.api, &outcome, begun.elapsed());
        }
        if let Err(failed) = &outcome {
            span.fail(failed.refusal.reason.entry().code);
            if let Some(errcode) = failed.refusal.wechat_errcode {
                span.set("wxgate.wechat.errcode", errcode);
            }
        }
        outcome
    }

    async fn make(&self, call: &Call<'_>, span: &mut Span) -> Result<(Value, Bytes), Failed> {
        span.set("url.template", call.api.path());
        span.set("server.address", host(&self.settings.base_url));
        let body = call.body.encode();
        // One for both addresses: what the first one cost, the second one does not have.
        let deadline = Instant::now() + self.settings.timeout;
        let answer = match self.send(&self.settings.base_url, call, &body, deadline).await {
            Err(Lost::NotConnected(what)) => match &self.settings.fallback_url {
                Some(fallback) if Instant::now() < deadline => {
                    warn!(
                        "WeChat cannot be connected to at {} ({what}); turning to {fallback}",
                        self.settings.base_url
                    );
                    span.set("server.address", host(fallback));
                    self.send(fallback, call, &body, deadline).await
                }
                _ => Err(Lost::NotConnected(what)),
            },
            answer => answer,
        };
        let answer = answer.map_err(|lost| lost.failed(call.api))?;
        match answer::parse(call.api, &answer) {
            Ok(value) => Ok((value, answer)),
            Err(refusal) => Err(Failed { refusal, sent: true }),
        }
    }

    async fn send(
        &self,
        base: &Uri,
        call: &Call<'_>,
        body: &Option<(String, Bytes)>,
        deadline: Instant,
    ) -> Result<Bytes, Lost> {
        let url = call.url(base);
        let request = match body {
            Some((content_type, bytes)) => self
                .http
                .post(url)
                .header(http::header::CONTENT_TYPE, content_type)
                .body(bytes.clone()),
            None => self.http.get(url),
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let mut response = request.timeout(left).send().await.map_err(Lost::from)?;
        if response.status() != http::StatusCode::OK {
            return Err(Lost::Useless("a status other than 200"));
        }
        let mut answer = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(Lost::from)? {
            if answer.len() + chunk.len() > MAX_ANSWER {
                return Err(Lost::Useless("an answer of more than 64 KiB"));
            }
            answer.extend_from_slice(&chunk);
        }
        Ok(answer.freeze())
    }
}

fn host(base: &Uri) -> &str {
    base.host().unwrap_or_default()
}

impl From<reqwest::Error> for Lost {
    fn from(error: reqwest::Error) -> Self {
        if error.is_connect() {
            Self::NotConnected(if error.is_timeout() {
                "no connection in time"
            } else if error.is_dns() {
                "its name does not resolve"
            } else {
                "no connection"
            })
        } else if error.is_timeout() {
            Self::OnTheWay("no answer in time")
        } else {
            Self::OnTheWay("the connection broke")
        }
    }
}

impl Lost {
    fn failed(self, api: Api) -> Failed {
        let path = api.path();
        let sent = !matches!(self, Self::NotConnected(_));
        let refusal = match self {
            Self::NotConnected(what) => Refusal::new(
                Reason::WechatUnavailable,
                format!("{path} could not be asked: {what}; check the way out to WeChat"),
            ),
            Self::OnTheWay(what) => Refusal::new(
                Reason::WechatUnavailable,
                format!("{path} was asked and gave no answer: {what}"),
            ),
            Self::Useless(what) => unusable(api, what),
        };
        Failed { refusal, sent }
    }
}
