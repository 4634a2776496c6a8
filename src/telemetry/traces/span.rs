//! One span: what is known of it while it runs, and what is left of it for the collector.

use std::borrow::Cow;
use std::time::Instant;

use super::{Here, TraceContext, Tracer};

/// The id of a span.
pub type SpanId = [u8; 8];

/// Longer texts are cut: a path may be as long as `uri_length`.
const LONGEST_TEXT: usize = 1 << 10;

/// What a span is to the services at its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Within the gateway.
    Internal,
    /// A request that the gateway serves.
    Server,
    /// A call of the gateway's to another service.
    Client,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "their types say it")]
pub enum Value {
    Text(String),
    Integer(i64),
}

/// What came of something. It ends when it is dropped.
///
/// An attribute is never a secret: no code, token, openid, session key, phone number or query.
#[derive(Debug, Default)]
pub struct Span(Option<Box<Open>>);

#[derive(Debug)]
struct Open {
    tracer: Tracer,
    begun: Instant,
    finished: Finished,
}

/// A span as the collector gets it.
#[derive(Clone, Debug)]
pub(super) struct Finished {
    pub(super) context: TraceContext,
    pub(super) parent: Option<SpanId>,
    pub(super) name: Cow<'static, str>,
    pub(super) kind: Kind,
    /// In nanoseconds since 1970.
    pub(super) begun: u64,
    pub(super) ended: u64,
    pub(super) attributes: Vec<(&'static str, Value)>,
    pub(super) failed: bool,
}

impl Span {
    /// Nothing is recorded.
    pub const fn none() -> Self {
        Self(None)
    }

    pub(super) fn begin(
        tracer: Tracer,
        context: TraceContext,
        parent: Option<SpanId>,
        kind: Kind,
        name: Cow<'static, str>,
    ) -> Self {
        let begun = (tracer.0.now.0)();
        let attributes = Vec::with_capacity(8);
        let finished = Finished {
            context,
            parent,
            name,
            kind,
            begun,
            ended: begun,
            attributes,
            failed: false,
        };
        Self(Some(Box::new(Open { tracer, begun: Instant::now(), finished })))
    }

    /// Whether anything is recorded.
    pub fn is_recorded(&self) -> bool {
        self.0.is_some()
    }

    /// Where it is, for those that begin below it.
    pub fn here(&self) -> Option<Here> {
        let open = self.0.as_ref()?;
        Some(Here { tracer: open.tracer.clone(), context: open.finished.context })
    }

    /// Its id, which the next service is told.
    pub fn id(&self) -> Option<SpanId> {
        self.0.as_ref().map(|open| open.finished.context.span_id)
    }

    /// A span below this one.
    pub fn child(&self, kind: Kind, name: &'static str) -> Self {
        self.here().map_or_else(Self::none, |here| here.child(kind, name))
    }

    /// Gives it a name, of which there must be few.
    pub fn rename(&mut self, name: impl FnOnce() -> String) {
        if let Some(open) = &mut self.0 {
            open.finished.name = name().into();
        }
    }

    /// Says something of it. What was said before under this name holds no more.
    pub fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        if let Some(open) = &mut self.0 {
            let attributes = &mut open.finished.attributes;
            attributes.retain(|(known, _)| *known != name);
            attributes.push((name, value.into()));
        }
    }

    /// It came to nothing, for a reason that is one of few.
    pub fn fail(&mut self, reason: &str) {
        self.set("error.type", reason);
        if let Some(open) = &mut self.0 {
            open.finished.failed = true;
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let Some(open) = self.0.take() else { return };
        let Open { tracer, begun, mut finished } = *open;
        let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        finished.ended = finished.begun.saturating_add(took);
        tracer.finished(finished);
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        let too_long = text.char_indices().find(|(at, _)| *at >= LONGEST_TEXT);
        let end = too_long.map_or(text.len(), |(at, _)| at);
        Self::Text(text.get(..end).unwrap_or_default().to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Integer(number.into())
    }
}
