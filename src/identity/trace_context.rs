//! W3C Trace Context: by which trace a request is found in every service that it comes by. What a client
//! says of it counts only where its peer is trusted.

use http::{HeaderMap, HeaderName, HeaderValue};

pub use crate::telemetry::traces::TraceContext;
use crate::telemetry::traces::{Ratio, SpanId};

/// The trace, the caller's span and its flags.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What tracing systems add of their own.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Lengths of version 00: `00-`, 32 digits, `-`, 16 digits, `-`, 2 digits.
const LENGTH: usize = 55;
const SAMPLED: u8 = 1;
/// What a vendor has to propagate at least (3.3.1.5); more is left out.
const MAX_STATE: usize = 512;
const MAX_STATE_MEMBERS: usize = 32;

/// What the gateway does with traces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Traces {
    /// A trusted peer's goes on as it came, and none is begun. A gateway that reports no spans must not
    /// put one between the caller's and the upstream's, and not sampling what it began would keep
    /// upstreams from sampling it.
    #[default]
    Trusted,
    /// The gateway is a span of its own in a trusted peer's trace, or in a new one.
    Own,
}

impl Traces {
    /// All of them, with their names in the configuration.
    pub const NAMES: [(&'static str, Self); 2] = [("trusted", Self::Trusted), ("own", Self::Own)];
}

/// The trace of one request.
#[derive(Clone, Debug)]
pub struct Trace {
    /// What the upstream is told.
    pub context: TraceContext,
    /// The caller's span, where the one in `context` is the gateway's.
    pub parent: Option<SpanId>,
    state: Option<HeaderValue>,
}

impl TraceContext {
    /// Reads a `traceparent`, to the letter (3.2). One of a later version is read as far as it is
    /// like ours.
    pub fn parse(text: &str) -> Option<Self> {
        let (known, rest) = text.split_at_checked(LENGTH)?;
        let mut parts = known.split('-');
        let [version] = bytes(parts.next()?)?;
        let trace_id = bytes(parts.next()?).filter(|id| *id != [0; 16])?;
        let span_id = bytes(parts.next()?).filter(|id| *id != [0; 8])?;
        let [flags] = bytes(parts.next()?)?;
        let fits = match version {
            0xff => false,
            0 => rest.is_empty(),
            _ => rest.is_empty() || rest.starts_with('-'),
        };
        fits.then_some(Self { trace_id, span_id, sampled: flags & SAMPLED != 0 })
    }

    /// The `traceparent` of it.
    pub fn header(&self) -> HeaderValue {
        let flags = if self.sampled { SAMPLED } else { 0 };
        let mut text = [b'-'; LENGTH];
        write_hex(&[0], &mut text[..2]);
        write_hex(&self.trace_id, &mut text[3..35]);
        write_hex(&self.span_id, &mut text[36..52]);
        write_hex(&[flags], &mut text[53..]);
        // Digits and hyphens are visible ASCII.
        HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("-"))
    }
}

impl Trace {
    /// The trace of a request with these headers, if there is one; none are given where nobody
    /// believes them.
    pub fn of(traces: Traces, believed: Option<&HeaderMap>) -> Option<Self> {
        let given = believed.and_then(|headers| Some((context(headers)?, state(headers))));
        match (traces, given) {
            (Traces::Trusted, given) => {
                given.map(|(context, state)| Self { context, parent: None, state })
            }
            (Traces::Own, Some((caller, state))) => {
                Some(Self { context: caller.child(), parent: Some(caller.span_id), state })
            }
            (Traces::Own, None) => {
                Some(Self { context: TraceContext::begin(), parent: None, state: None })
            }
        }
    }

    /// The same, of which only so many are recorded. Whoever began it has decided that already.
    #[must_use]
    pub fn sampled_by(mut self, ratio: Ratio) -> Self {
        if self.parent.is_none() {
            self.context.sampled = ratio.takes(&self.context);
        }
        self
    }

    /// What a span below the gateway's own tells.
    #[must_use]
    pub fn told_by(&self, span_id: SpanId) -> Self {
        Self { context: TraceContext { span_id, ..self.context }, ..self.clone() }
    }

    /// Writes the headers.
    pub fn write(&self, headers: &mut HeaderMap) {
        headers.insert(TRACEPARENT, self.context.header());
        if let Some(state) = &self.state {
            headers.insert(TRACESTATE, state.clone());
        }
    }
}

/// The only `traceparent`: of two nobody can say which is meant.
fn context(headers: &HeaderMap) -> Option<TraceContext> {
    let mut lines = headers.get_all(TRACEPARENT).iter();
    let line = lines.next().filter(|_| lines.next().is_none())?;
    TraceContext::parse(line.to_str().ok()?.trim())
}

/// The lines of `tracestate` as one, without what is too much; none where a member is malformed (3.3).
fn state(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut state = String::new();
    let mut count = 0;
    for line in headers.get_all(TRACESTATE) {
        for member in line.to_str().ok()?.split(',').map(|member| member.trim_matches([' ', '\t']))
        {
            if member.is_empty() {
                continue;
            }
            if !is_member(member) {
                return None;
            }
            let length = state.len() + usize::from(!state.is_empty()) + member.len();
            if count == MAX_STATE_MEMBERS || length > MAX_STATE {
                continue;
            }
            if !state.is_empty() {
                state.push(',');
            }
            state.push_str(member);
            count += 1;
        }
    }
    (!state.is_empty()).then(|| HeaderValue::try_from(state).ok()).flatten()
}

/// `key=value` (3.3.1.3): the key of lower case, digits and a few signs, the value without `,` and `=`.
fn is_member(text: &str) -> bool {
    let Some((key, value)) = text.split_once('=') else { return false };
    let in_key =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(&byte);
    let begins = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let in_value = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'=';
    (1..=256).contains(&key.len())
        && key.bytes().all(in_key)
        && key.as_bytes().first().is_some_and(begins)
        && (1..=256).contains(&value.len())
        && value.bytes().all(in_value)
}

/// Lower-case hexadecimal of exactly so many bytes.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

fn write_hex(bytes: &[u8], text: &mut [u8]) {
    let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' + half - 10 };
    for (byte, pair) in bytes.iter().zip(text.as_chunks_mut::<2>().0) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
}

#[cfg(test)]
mod tests;
