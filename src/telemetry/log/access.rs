//! The access log: one line for each request, on standard output.
//!
//! Written straight into its text: the fields are fixed, and tracing's visitors cost several times as much.
//! `docs/logs.md` tells of each field, and a test holds the two together.

use std::fmt::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ring::hmac;

use super::sink::Sink;
use super::{Openid, Settings, timestamp};

/// What the key of the hash is made for, so that no other use of its mother gives the same.
const PURPOSE: &[u8] = b"wxgate: openids in logs";
/// Of the hash: enough to tell users apart.
const HASH_BYTES: usize = 8;

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

/// How openids stand in the log.
#[derive(Clone, Debug)]
pub struct OpenidNames {
    form: Openid,
    key: hmac::Key,
}

impl OpenidNames {
    /// Replicas that share `secret` write the same.
    pub fn new(form: Openid, secret: &[u8]) -> Self {
        let mother = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&mother, PURPOSE).as_ref());
        Self { form, key }
    }

    /// The name of an openid in the log; none where none is written.
    pub fn of(&self, openid: &str) -> Option<String> {
        let mut name = String::new();
        self.write(openid, &mut name).then_some(name)
    }

    fn write(&self, openid: &str, text: &mut String) -> bool {
        match self.form {
            Openid::None => return false,
            Openid::Plain => text.push_str(openid),
            Openid::Hash => {
                let tag = hmac::sign(&self.key, openid.as_bytes());
                for byte in tag.as_ref().iter().take(HASH_BYTES) {
                    let _ = write!(text, "{byte:02x}");
                }
            }
        }
        true
    }
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
        let mut line = String::with_capacity(640);
        if self.text {
            self.write_text(request, now, &mut line);
        } else {
            self.write_json(request, now, sampled, &mut line);
        }
        line.push('\n');
        self.sink.write(line.as_bytes());
    }

    fn write_json(&self, request: &Request<'_>, now: u64, sampled: bool, line: &mut String) {
        line.push_str("{\"timestamp\":\"");
        timestamp::write(now, line);
        line.push_str("\",\"level\":\"INFO\",\"message\":\"request\"");
        let mut json = Json(line);
        json.text("request_id", request.request_id);
        json.optional("trace_id", request.trace_id);
        json.displayed("client", request.client.as_ref());
        json.displayed("peer", request.peer.as_ref());
        json.optional("protocol", Some(request.protocol).filter(|text| !text.is_empty()));
        json.optional("method", Some(request.method).filter(|text| !text.is_empty()));
        json.text("route", request.route);
        json.optional("path", request.path);
        json.number("status", request.status.into());
        json.optional("code", request.code);
        if let Some(errcode) = request.wechat_errcode {
            let _ = write!(json.0, ",\"wechat_errcode\":{errcode}");
        }
        json.optional("app", request.app);
        if let Some(openid) = request.openid {
            let before = json.0.len();
            json.0.push_str(",\"openid\":\"");
            match self.names.write(openid, json.0) {
                true => json.0.push('"'),
                false => json.0.truncate(before),
            }
        }
        json.optional("upstream", request.upstream);
        json.optional("server", request.server);
        if request.attempts > 0 {
            json.number("attempts", request.attempts as u64);
        }
        json.number("bytes_in", request.bytes_in);
        json.number("bytes_out", request.bytes_out);
        json.milliseconds("duration_ms", Some(request.duration));
        json.milliseconds("auth_ms", request.auth);
        json.milliseconds("action_ms", request.action);
        json.milliseconds("upstream_ms", request.upstream_response);
        if sampled {
            line.push_str(",\"sampled\":true");
        }
        line.push('}');
    }

    /// For people: what matters first, the rest as `name=value`.
    fn write_text(&self, request: &Request<'_>, now: u64, line: &mut String) {
        let mut time = String::new();
        timestamp::write(now, &mut time);
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

/// The members of an object that has begun.
struct Json<'a>(&'a mut String);

impl Json<'_> {
    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.0.push('"');
        escape(value, self.0);
        self.0.push('"');
    }

    fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    fn displayed(&mut self, name: &str, value: Option<&(impl fmt::Display + ?Sized)>) {
        if let Some(value) = value {
            self.text(name, &value.to_string());
        }
    }

    fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        let _ = write!(self.0, "{value}");
    }

    fn milliseconds(&mut self, name: &str, value: Option<Duration>) {
        if let Some(value) = value {
            self.name(name);
            let micros = value.as_micros();
            let _ = write!(self.0, "{}.{:03}", micros / 1_000, micros % 1_000);
        }
    }

    fn name(&mut self, name: &str) {
        self.0.push_str(",\"");
        self.0.push_str(name);
        self.0.push_str("\":");
    }
}

/// RFC 8259, and whatever could steer a terminal.
fn escape(value: &str, text: &mut String) {
    if value.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')) {
        return text.push_str(value);
    }
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            ' '..='~' => text.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
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
