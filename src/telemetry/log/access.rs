//! The access log: one line for each request, on standard output.
//!
//! Written straight into its text: the fields are fixed, and tracing's visitors cost several times as much.
//! `docs/logs.md` tells of each field, and a test holds the two together.

mod names;

use std::cell::RefCell;
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub use self::names::{KeptName, OpenidNames};
use super::Settings;
use super::json::{Json, member};
use super::sink::Sink;
use super::timestamp::Timestamps;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// What one line after the other is made with.
#[derive(Default)]
struct Scratch {
    line: String,
    timestamps: Timestamps,
}

/// Every field, in the order of the line.
pub const FIELDS: [&str; 26] = [
    "timestamp",
    "level",
    "message",
    "request_id",
    "trace_id",
    "client",
    "peer",
    "protocol",
    "method",
    "route",
    "path",
    "status",
    "code",
    "wechat_errcode",
    "app",
    "openid",
    "upstream",
    "server",
    "attempts",
    "bytes_in",
    "bytes_out",
    "duration_ms",
    "auth_ms",
    "action_ms",
    "upstream_ms",
    "sampled",
];

/// One request that has ended.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs, reason = "docs/logs.md tells of each field")]
pub struct Request<'a> {
    pub request_id: &'a str,
    pub trace_id: Option<&'a str>,
    pub client: Option<IpAddr>,
    pub peer: Option<SocketAddr>,
    pub protocol: &'a str,
    /// Empty where it was refused before anybody knew it.
    pub method: &'a str,
    pub route: &'a str,
    /// As [`super::mask`] shows it.
    pub path: Option<&'a str>,
    /// 0 where none was sent.
    pub status: u16,
    pub code: Option<&'a str>,
    pub wechat_errcode: Option<i64>,
    pub app: Option<&'a str>,
    pub openid: Option<&'a str>,
    /// What is kept of it with the session.
    pub openid_name: Option<&'a KeptName>,
    pub upstream: Option<&'a str>,
    pub server: Option<&'a str>,
    pub attempts: usize,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub duration: Duration,
    pub auth: Option<Duration>,
    pub action: Option<Duration>,
    pub upstream_response: Option<Duration>,
}

/// The access log.
#[derive(Debug)]
pub struct AccessLog {
    sink: Sink,
    names: OpenidNames,
    text: bool,
    colours: bool,
    /// Of the requests with 2xx, from 0 to 1.
    sample: f64,
}

impl AccessLog {
    pub(super) fn new(sink: Sink, settings: &Settings, names: OpenidNames, terminal: bool) -> Self {
        let text = settings.format.is_text(terminal);
        Self { sink, names, text, colours: terminal, sample: settings.sample }
    }

    /// Writes the line of a request, unless it is left out by sampling. `now` is in milliseconds since 1970.
    pub fn write(&self, request: &Request<'_>, now: u64) {
        let sampled = self.sample < 1.0 && (200..300).contains(&request.status);
        if sampled && unit(request.request_id) >= self.sample {
            return;
        }
        SCRATCH.with_borrow_mut(|Scratch { line, timestamps }| {
            line.clear();
            if self.text {
                self.write_text(request, now, timestamps, line);
            } else {
                line.push_str("{\"timestamp\":\"");
                timestamps.write(now, line);
                self.write_json(request, sampled, line);
            }
            line.push('\n');
            self.sink.write(line.as_bytes());
        });
    }

    /// What follows the time.
    fn write_json(&self, request: &Request<'_>, sampled: bool, line: &mut String) {
        line.push_str("\",\"level\":\"INFO\",\"message\":\"request\"");
        let mut json = Json(line);
        json.text(member!("request_id"), request.request_id);
        json.optional(member!("trace_id"), request.trace_id);
        json.ip(member!("client"), request.client);
        json.socket(member!("peer"), request.peer);
        json.optional(member!("protocol"), Some(request.protocol).filter(|text| !text.is_empty()));
        json.optional(member!("method"), Some(request.method).filter(|text| !text.is_empty()));
        json.text(member!("route"), request.route);
        json.optional(member!("path"), request.path);
        json.number(member!("status"), request.status);
        json.optional(member!("code"), request.code);
        if let Some(errcode) = request.wechat_errcode {
            json.number(member!("wechat_errcode"), errcode);
        }
        json.optional(member!("app"), request.app);
        if let Some(openid) = request.openid {
            let before = json.0.len();
            json.0.push_str(concat!(member!("openid"), "\""));
            match self.names.write(openid, request.openid_name, json.0) {
                true => json.0.push('"'),
                false => json.0.truncate(before),
            }
        }
        json.optional(member!("upstream"), request.upstream);
        json.optional(member!("server"), request.server);
        if request.attempts > 0 {
            json.number(member!("attempts"), request.attempts);
        }
        json.number(member!("bytes_in"), request.bytes_in);
        json.number(member!("bytes_out"), request.bytes_out);
        json.milliseconds(member!("duration_ms"), Some(request.duration));
        json.milliseconds(member!("auth_ms"), request.auth);
        json.milliseconds(member!("action_ms"), request.action);
        json.milliseconds(member!("upstream_ms"), request.upstream_response);
        line.push_str(if sampled { ",\"sampled\":true}" } else { "}" });
    }

    /// For people: what matters first, the rest as `name=value`.
    fn write_text(
        &self,
        request: &Request<'_>,
        now: u64,
        timestamps: &mut Timestamps,
        line: &mut String,
    ) {
        let mut time = String::new();
        timestamps.write(now, &mut time);
        let time = time.get(11..23).unwrap_or_default();
        let path = request.path.unwrap_or(request.route);
        let method = if request.method.is_empty() { "-" } else { request.method };
        let duration = request.duration.as_secs_f64() * 1e3;
        let (colour, end) = match request.status {
            _ if !self.colours => ("", ""),
            200..300 => ("\x1b[32m", "\x1b[0m"),
            300..400 => ("\x1b[36m", "\x1b[0m"),
            400..500 => ("\x1b[33m", "\x1b[0m"),
            _ => ("\x1b[31m", "\x1b[0m"),
        };
        let status = request.status;
        let _ = write!(line, "{time} {colour}{status:3}{end} {duration:8.1}ms {method:7} {path}");
        let _ = write!(line, "  route={}", request.route);
        if let Some(code) = request.code {
            let _ = write!(line, " code={code}");
        }
        if let Some(errcode) = request.wechat_errcode {
            let _ = write!(line, " errcode={errcode}");
        }
        if let Some(name) = request.openid.and_then(|openid| self.names.of(openid)) {
            let _ = write!(line, " openid={name}");
        }
        if let (Some(upstream), Some(server)) = (request.upstream, request.server) {
            let _ = write!(line, " upstream={upstream}@{server}");
        }
        let _ = write!(line, " id={}", request.request_id);
    }
}

/// A number from 0 to below 1 that is the same for one request wherever it is asked for (FNV-1a, and the
/// finisher of splitmix64).
fn unit(request_id: &str) -> f64 {
    let hash = request_id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests;
