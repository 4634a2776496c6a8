//! The way of spans to the collector: in batches, on a task of their own (OTLP/HTTP).

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use reqwest::redirect;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::warn;

use super::span::Finished;
use super::{Counted, NotBuilt, Settings, origin, otlp};
use crate::telemetry::seldom::Seldom;

/// Spans in one request.
const BATCH: usize = 512;
/// How long the first span of a batch waits for others.
const GATHER: Duration = Duration::from_secs(1);
/// Tries for one batch. Meanwhile the queue fills.
const TRIES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Sends spans.
pub(super) struct Exporter {
    http: reqwest::Client,
    settings: Settings,
    /// What the collector wants besides; it may be another one for the next batch.
    headers: Arc<ArcSwap<HeaderMap>>,
    url: String,
    counted: Arc<Counted>,
    stopping: watch::Receiver<bool>,
    warnings: Seldom,
}

/// Why a batch was not taken.
struct Untaken {
    what: String,
    /// How long to wait before another try, where one is worth it.
    again: Option<Option<Duration>>,
}

impl Exporter {
    pub(super) fn new(
        settings: Settings,
        headers: Arc<ArcSwap<HeaderMap>>,
        counted: Arc<Counted>,
        stopping: watch::Receiver<bool>,
    ) -> Result<Self, NotBuilt> {
        let http = reqwest::Client::builder()
            .connect_timeout(settings.timeout)
            .timeout(settings.timeout)
            .redirect(redirect::Policy::none())
            // What stands in the environment for other programs is not meant for this one.
            .no_proxy()
            .user_agent(concat!("wxgate/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| NotBuilt(error.without_url().to_string()))?;
        let url = settings.endpoint.to_string();
        Ok(Self { http, settings, headers, url, counted, stopping, warnings: Seldom::default() })
    }

    /// Until the gateway stops, or nobody is left who could give spans.
    pub(super) async fn run(mut self, mut spans: mpsc::Receiver<Finished>) {
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                () = gather(&mut spans, &mut batch) => {}
                () = stopped(&mut self.stopping) => break,
            }
            if batch.is_empty() {
                return;
            }
            self.deliver(&batch).await;
            batch.clear();
        }
        spans.close();
        while spans.recv_many(&mut batch, BATCH).await > 0 || !batch.is_empty() {
            self.deliver(&batch).await;
            batch.clear();
        }
    }

    async fn deliver(&mut self, batch: &[Finished]) {
        let body = Bytes::from(otlp::request(&self.settings.service_name, batch));
        let mut pause = FIRST_PAUSE;
        for tries in 1.. {
            let Err(untaken) = self.post(body.clone()).await else {
                self.counted.sent.fetch_add(batch.len() as u64, Relaxed);
                return;
            };
            let stopping = *self.stopping.borrow();
            let Some(asked_for) = untaken.again.filter(|_| tries < TRIES && !stopping) else {
                return self.give_up(batch.len(), &untaken.what);
            };
            tokio::select! {
                () = sleep(asked_for.unwrap_or(pause).min(LONGEST_PAUSE)) => {}
                () = stopped(&mut self.stopping) => {}
            }
            pause *= 2;
        }
    }

    async fn post(&self, body: Bytes) -> Result<(), Untaken> {
        let request = self
            .http
            .post(&self.url)
            .headers(self.headers.load().as_ref().clone())
            .header(CONTENT_TYPE, "application/x-protobuf")
            .body(body);
        let answer = request.send().await.map_err(|error| Untaken {
            what: match () {
                () if error.is_connect() => "cannot be connected to".to_owned(),
                () if error.is_timeout() => "gave no answer in time".to_owned(),
                () => "broke the connection".to_owned(),
            },
            again: Some(None),
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let is_busy = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        Err(Untaken {
            what: format!("answered {}", status.as_u16()),
            again: is_busy.then(|| retry_after(answer.headers())),
        })
    }

    fn give_up(&self, count: usize, what: &str) {
        self.counted.dropped.fetch_add(count as u64, Relaxed);
        if self.warnings.may_speak() {
            let dropped = self.counted.dropped.load(Relaxed);
            warn!(
                "the collector at {} {what}: {dropped} spans are lost so far; requests go on. \
                 Check [traces] endpoint and headers",
                origin(&self.settings.endpoint)
            );
        }
    }
}

/// The next spans; none where there will be none. To stop it loses nothing: what it took is in the batch.
async fn gather(spans: &mut mpsc::Receiver<Finished>, batch: &mut Vec<Finished>) {
    if spans.recv_many(batch, BATCH).await == 0 {
        return;
    }
    let until = Instant::now() + GATHER;
    while batch.len() < BATCH {
        match timeout_at(until, spans.recv_many(batch, BATCH - batch.len())).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // The sender lives as long as the tracer does; without it nothing more comes either.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}
