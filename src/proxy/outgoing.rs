//! The head that an upstream gets, in terms of values: what is the gateway's to say is taken off, then
//! set. Requests go through here, and so does `wxgate explain`.

use std::net::IpAddr;

use http::header::{AUTHORIZATION, COOKIE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::identity::forwarded::Origin;
use crate::identity::trace_context::Trace;
use crate::identity::{Call, HeaderRules, Identity, Subject};
use crate::policy::route::HeaderChanges;
use crate::session::TokenSource;
use crate::session::bearer::{cookies_of, cookies_without, query_without};

/// The headers that are set, at most, so that the map grows once.
const ADDED_HEADERS: usize = 16;

/// What decides on the headers of one request.
#[derive(Debug)]
pub(super) struct Outgoing<'a> {
    pub(super) rules: &'a HeaderRules,
    pub(super) identity: &'a Identity,
    /// Names with `_` or `.` that the upstream lists.
    pub(super) passed: &'a [HeaderName],
    /// Where tokens stand.
    pub(super) tokens_at: &'a [TokenSource],
    /// The host of the server's URL, where the upstream does not get the client's. It has that in
    /// `X-Forwarded-Host` all the same.
    pub(super) host: Option<&'a HeaderValue>,
    pub(super) changes: Option<&'a HeaderChanges>,
    pub(super) origin: Origin<'a>,
    pub(super) client: IpAddr,
    pub(super) call: Call<'a>,
    pub(super) trace: Option<&'a Trace>,
    pub(super) subject: Option<Subject<'a>>,
}

impl Outgoing<'_> {
    /// Makes the client's headers, of which the hop-by-hop ones are gone, those of the upstream.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        self.remove_untrusted(headers);
        if !self.identity.forwards_token() {
            remove_tokens(headers, self.tokens_at);
        }
        headers.reserve(ADDED_HEADERS);
        if let Some(host) = self.host {
            headers.insert(HOST, host.clone());
        }
        if let Some(changes) = self.changes {
            change(headers, changes);
        }
        self.origin.write(self.client, self.call.request_id, headers);
        if let Some(trace) = self.trace {
            trace.write(headers);
        }
        if let Some(subject) = &self.subject {
            self.identity.write(subject, &self.call, headers);
        }
    }

    fn remove_untrusted(&self, headers: &mut HeaderMap) {
        let removed = |name: &&HeaderName| self.rules.removes(name, self.passed);
        let names: Vec<_> = headers.keys().filter(removed).cloned().collect();
        for name in names {
            headers.remove(&name);
        }
    }
}

fn remove_tokens(headers: &mut HeaderMap, tokens_at: &[TokenSource]) {
    for source in tokens_at {
        match source {
            TokenSource::Authorization => drop(headers.remove(AUTHORIZATION)),
            TokenSource::Header(name) => drop(headers.remove(name)),
            // All of them at once, below; a parameter of the query goes with the target.
            TokenSource::Cookie(_) | TokenSource::Query(_) => {}
        }
    }
    let cookies = cookies_of(tokens_at);
    if !cookies.is_empty() {
        remove_cookies(headers, &cookies);
    }
}

fn remove_cookies(headers: &mut HeaderMap, names: &[&str]) {
    let lines = cookies_without(headers, names);
    headers.remove(COOKIE);
    for line in lines.into_iter().filter_map(|line| HeaderValue::try_from(line).ok()) {
        headers.append(COOKIE, line);
    }
}

fn change(headers: &mut HeaderMap, changes: &HeaderChanges) {
    for name in &changes.remove {
        headers.remove(name);
    }
    for (name, value) in &changes.set {
        headers.insert(name, value.clone());
    }
}

/// The target that the upstream gets: the path, where it is another than the client's, and the query
/// without these parameters. None where it is the client's own.
pub(super) fn target<'a>(
    target: &[u8],
    path: Option<&str>,
    removed: impl Iterator<Item = &'a str>,
) -> Option<Vec<u8>> {
    let mut parts = target.splitn(2, |byte| *byte == b'?');
    let client_path = parts.next().unwrap_or_default();
    let query = parts.next();
    let mut removed = removed.peekable();
    if path.is_none() && removed.peek().is_none() {
        return None;
    }
    let mut target = path.map_or(client_path, str::as_bytes).to_vec();
    let mut query = query.map(<[u8]>::to_vec);
    for name in removed {
        query = query.and_then(|query| {
            query_without(&String::from_utf8_lossy(&query), name).map(String::into_bytes)
        });
    }
    if let Some(query) = query {
        target.push(b'?');
        target.extend_from_slice(&query);
    }
    Some(target)
}
