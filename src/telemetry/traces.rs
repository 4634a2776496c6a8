//! Spans of what the gateway does, sent to a collector by OpenTelemetry's OTLP.
//!
//! A request that is not sampled has [`Span::none`], which costs one branch wherever something would be
//! written on it. What is under way in a task below a span finds it by [`child`], without a parameter in
//! every signature: futures are run [`within`] a place in a trace, and a [`spawn`]ed task begins where its parent is.
//!
//! Nobody waits for the collector. Spans go into a queue of a fixed size, and those that find no place in
//! it are dropped and counted.

mod context;
mod export;
mod otlp;
mod span;

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub use context::TraceContext;
pub use span::{Kind, Span, SpanId, Value};

use span::Finished;

/// Spans that wait to be sent. At most a few MiB.
const QUEUE: usize = 2_048;
/// For what is left when the gateway stops.
const FLUSH: Duration = Duration::from_secs(3);

/// The `[traces]` table, where it names a collector.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where the spans are posted to, with the path.
    pub endpoint: Uri,
    /// Of the traces that begin here, so many are recorded.
    pub sample: Ratio,
    /// What the gateway is called in traces.
    pub service_name: String,
    /// What the collector wants besides, as who we are.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// For sending one batch.
    pub timeout: Duration,
}

/// Values of headers are secret, and so may be the path: collectors exist that have their token there.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Settings")
            .field("endpoint", &origin(&self.endpoint))
            .field("sample", &self.sample)
            .field("service_name", &self.service_name)
            .field("headers", &names)
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// The endpoint as it may be shown.
fn origin(endpoint: &Uri) -> String {
    let scheme = endpoint.scheme_str().unwrap_or_default();
    let authority = endpoint.authority().map_or("", |authority| authority.as_str());
    format!("{scheme}://{authority}")
}

/// A part of all traces. Every gateway takes the same ones: the trace's id decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio(u64);

impl Ratio {
    /// Every trace.
    pub const ALL: Self = Self(Self::WHOLE);
    /// The last 56 bits of an id are those that a later version of the standard wants random.
    const WHOLE: u64 = 1 << 56;

    /// From 0 to 1.
    pub fn new(ratio: f64) -> Option<Self> {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is in range"
        )]
        let part = |ratio: f64| Self((ratio * Self::WHOLE as f64) as u64);
        (0.0..=1.0).contains(&ratio).then(|| part(ratio))
    }

    /// Whether the trace is one of them.
    pub fn takes(self, trace: &TraceContext) -> bool {
        let [.., a, b, c, d, e, f, g] = trace.trace_id;
        u64::from_be_bytes([0, a, b, c, d, e, f, g]) < self.0
    }
}

/// What spans are given to when they end.
#[derive(Clone, Debug)]
pub struct Tracer(Arc<Shared>);

struct Shared {
    now: Now,
    sample: Ratio,
    headers: Arc<ArcSwap<HeaderMap>>,
    queue: mpsc::Sender<Finished>,
    counted: Arc<Counted>,
    stopping: watch::Sender<bool>,
    sending: Mutex<Option<JoinHandle<()>>>,
}

/// Without the headers, which are secret.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("counted", &self.counted).finish_non_exhaustive()
    }
}

/// The time of day in nanoseconds.
struct Now(Box<dyn Fn() -> u64 + Send + Sync>);

impl fmt::Debug for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Now")
    }
}

/// What became of the spans so far.
#[derive(Debug, Default)]
struct Counted {
    sent: AtomicU64,
    dropped: AtomicU64,
}

/// The connection to the collector cannot be made: the machine's TLS does not work.
#[derive(Debug, thiserror::Error)]
#[error("the client for [traces] cannot be made: {0}")]
pub struct NotBuilt(String);

impl Tracer {
    /// One that sends to the collector, on a task that ends with it. `now` tells the nanoseconds since 1970.
    pub fn start(
        settings: Settings,
        now: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Result<Self, NotBuilt> {
        let (queue, spans) = mpsc::channel(QUEUE);
        let (stopping, stop) = watch::channel(false);
        let (sample, counted) = (settings.sample, Arc::<Counted>::default());
        let headers = Arc::new(ArcSwap::from_pointee(map_of(&settings)));
        let exporter = export::Exporter::new(settings, headers.clone(), counted.clone(), stop)?;
        let sending = Mutex::new(Some(tokio::spawn(exporter.run(spans))));
        let now = Now(Box::new(now));
        Ok(Self(Arc::new(Shared { now, sample, headers, queue, counted, stopping, sending })))
    }

    /// Sends what comes from now on with the headers of these settings; the rest of them is for another start.
    pub fn follow(&self, settings: &Settings) {
        self.0.headers.store(Arc::new(map_of(settings)));
    }

    /// How many of the traces that begin here are recorded.
    pub fn sample(&self) -> Ratio {
        self.0.sample
    }

    /// Spans that the collector took.
    pub fn sent(&self) -> u64 {
        self.0.counted.sent.load(Relaxed)
    }

    /// Spans that nobody will see, since the queue was full or the collector did not take them.
    pub fn dropped(&self) -> u64 {
        self.0.counted.dropped.load(Relaxed)
    }

    /// The span of a request. There is none where its trace is not sampled.
    pub fn request(&self, context: &TraceContext, parent: Option<SpanId>) -> Span {
        match context.sampled {
            true => Span::begin(self.clone(), *context, parent, Kind::Server, "request".into()),
            false => Span::none(),
        }
    }

    /// Sends what is left, for a few seconds at most. Spans that end later are dropped.
    pub async fn shut_down(&self) {
        self.0.stopping.send_replace(true);
        let sending = self.0.sending.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sending) = sending {
            // What it did not manage is lost, as it is where the collector is away.
            let _ = timeout(FLUSH, sending).await;
        }
    }

    fn finished(&self, span: Finished) {
        if self.0.queue.try_send(span).is_err() {
            self.0.counted.dropped.fetch_add(1, Relaxed);
        }
    }
}

fn map_of(settings: &Settings) -> HeaderMap {
    settings.headers.iter().cloned().collect()
}

/// A place in a recorded trace, below which other spans can begin.
#[derive(Clone, Debug)]
pub struct Here {
    tracer: Tracer,
    context: TraceContext,
}

tokio::task_local! {
    static HERE: Here;
}

/// Runs a future at this place in a trace, if it is one.
pub async fn within<F: Future>(here: Option<Here>, work: Pin<&mut F>) -> F::Output {
    match here {
        Some(here) => HERE.scope(here, work).await,
        None => work.await,
    }
}

/// A task of its own, at the place in a trace where the running one is.
pub fn spawn<F>(work: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    match here() {
        Some(here) => tokio::spawn(HERE.scope(here, work)),
        None => tokio::spawn(work),
    }
}

fn here() -> Option<Here> {
    HERE.try_with(Here::clone).ok()
}

/// A span below the one that the running task is within; none where there is none.
pub fn child(kind: Kind, name: &'static str) -> Span {
    match here() {
        Some(here) => here.child(kind, name),
        None => Span::none(),
    }
}

impl Here {
    fn child(self, kind: Kind, name: &'static str) -> Span {
        let parent = Some(self.context.span_id);
        Span::begin(self.tracer, self.context.child(), parent, kind, name.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_takes_its_part_of_the_traces() {
        for (ratio, least, most) in [(0.0, 0, 0), (0.25, 2_200, 2_800), (1.0, 10_000, 10_000)] {
            let ratio = Ratio::new(ratio).unwrap();
            let taken = (0..10_000).filter(|_| ratio.takes(&TraceContext::begin())).count();
            assert!((least..=most).contains(&taken), "{ratio:?}: {taken}");
        }
        for ratio in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Ratio::new(ratio), None);
        }
    }

    #[test]
    fn what_may_be_secret_does_not_print() {
        let settings = Settings {
            endpoint: Uri::from_static("https://collector/hunter2/traces"),
            sample: Ratio::ALL,
            service_name: "wxgate".to_owned(),
            headers: vec![(http::header::AUTHORIZATION, HeaderValue::from_static("hunter2"))],
            timeout: Duration::from_secs(1),
        };
        let shown = format!("{settings:?}");
        assert!(shown.contains("https://collector") && !shown.contains("hunter2"), "{shown}");
    }
}
