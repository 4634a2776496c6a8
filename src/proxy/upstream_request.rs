//! The head that an upstream gets: what is of the client's connection and what is the gateway's to say is
//! taken off, then set.

use std::borrow::Cow;

use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, TRANSFER_ENCODING,
    UPGRADE,
};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Uri, Version};
use pingora_core::protocols::http::ServerSession;
use pingora_http::RequestHeader;

use super::outgoing::{self, Outgoing};
use super::upstream_connection::Framing;
use super::{Context, hop_by_hop, spans};
use crate::identity::forwarded::Origin;
use crate::identity::{Call, Subject};
use crate::refusal::{Reason, Refusal};

/// The head of one try.
#[derive(Debug)]
pub(super) struct Head<'a> {
    pub(super) method: Method,
    pub(super) target: Cow<'a, [u8]>,
    pub(super) headers: HeaderMap,
}

/// Makes it from the client's. The fields of the client's connection go first, so that none of those names
/// away what is set here (CVE-2026-105299).
pub(super) fn head<'a>(
    session: &'a ServerSession,
    ctx: &Context,
    version: Version,
) -> Result<Head<'a>, Refusal> {
    let client = session.req_header();
    let mut headers = client.headers.clone();
    match (client.version, version) {
        (Version::HTTP_2, Version::HTTP_2) => hop_by_hop::take_off_http2_request(&mut headers),
        _ => hop_by_hop::take_off_request(&mut headers)?,
    }
    let backend = ctx.upstream.as_ref().map(|backend| &backend.upstream.settings);
    let authority = ctx.lease.as_ref().and_then(|target| target.authority.as_ref());
    if !headers.contains_key(HOST)
        && let Some(authority) = client.uri.authority()
    {
        // HTTP/2 clients need send none.
        let host = HeaderValue::try_from(authority.as_str()).map_err(|_| Reason::BadRequest)?;
        headers.insert(HOST, host);
    }
    Outgoing {
        rules: &ctx.state.header_rules,
        identity: &ctx.state.identity,
        passed: backend.map(|settings| settings.pass_headers.as_slice()).unwrap_or_default(),
        tokens_at: &ctx.tokens_at,
        host: authority.filter(|_| backend.is_some_and(|settings| !settings.preserve_host)),
        changes: ctx.route.as_ref().map(|route| &route.request_headers),
        origin: origin(session, ctx),
        client: ctx.client,
        call: Call {
            request_id: &ctx.request_id,
            audience: backend.map(|settings| settings.name.as_str()),
            clock: &ctx.state.clock,
            assertion: &ctx.assertion,
        },
        trace: spans::told(ctx).as_ref(),
        subject: ctx.live.as_ref().map(Subject::from),
    }
    .write(&mut headers);
    let mut head = Head { method: client.method.clone(), target: target(client, ctx), headers };
    head.set_body(ctx);
    Ok(head)
}

/// The canonical path, and the query without tokens and without what an action has taken from it.
fn target<'a>(client: &'a RequestHeader, ctx: &Context) -> Cow<'a, [u8]> {
    let taken = ctx.replacement.as_ref().and_then(|replacement| replacement.taken);
    let removed = ctx.tokens_in_query().chain(taken.into_iter().flatten().copied());
    match outgoing::target(client.raw_path(), ctx.rewritten_path.as_deref(), removed) {
        Some(target) => Cow::Owned(target),
        None => Cow::Borrowed(client.raw_path()),
    }
}

fn origin<'a>(session: &'a ServerSession, ctx: &'a Context) -> Origin<'a> {
    let client_request = session.req_header();
    let peer = session.client_addr().and_then(|address| address.as_inet()).map(|inet| inet.ip());
    let tls = session.digest().is_some_and(|digest| digest.ssl_digest.is_some());
    let host = client_request.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| client_request.uri.authority().map(Authority::as_str));
    let proxies = &ctx.state.trusted_proxies;
    proxies.origin(peer, tls, host.unwrap_or_default(), &client_request.headers)
}

impl Head<'_> {
    /// The body that the gateway sends in place of the client's.
    fn set_body(&mut self, ctx: &Context) {
        let headers = &mut self.headers;
        if let Some(replacement) = &ctx.replacement {
            // The body is here, and the client was told to go on.
            headers.remove(EXPECT);
            headers.insert(CONTENT_LENGTH, replacement.body.len().into());
            if replacement.taken.is_some() {
                self.method = Method::POST;
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
        }
        if ctx.login.as_ref().is_some_and(|login| login.rewrites_body()) {
            // A compressed answer could not be written into.
            headers.remove(ACCEPT_ENCODING);
        }
    }

    /// Says how the body ends, and asks for a tunnel, as HTTP/1.1 does.
    pub(super) fn frame(&mut self, has_body: bool, tunnel: bool) -> Framing {
        if tunnel {
            self.headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            self.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        }
        if !has_body || self.headers.contains_key(CONTENT_LENGTH) {
            return Framing::Plain;
        }
        self.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        Framing::Chunked
    }

    /// The same for HTTP/2.
    pub(super) fn into_http2(mut self, scheme: Scheme) -> Result<RequestHeader, Refusal> {
        let unsayable = |_| Refusal::new(Reason::BadRequest, "a target that HTTP/2 cannot say");
        let host = self.headers.remove(HOST);
        let authority = host.as_ref().map(HeaderValue::as_bytes).unwrap_or_default();
        let authority = Authority::try_from(authority)
            .map_err(|_| Refusal::new(Reason::BadRequest, "a Host that HTTP/2 cannot say"))?;
        let path = PathAndQuery::try_from(&*self.target).map_err(unsayable)?;
        let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build();
        let request = http::Request::builder().method(self.method).version(Version::HTTP_2);
        let request = request.uri(uri.map_err(unsayable_uri)?).body(());
        let mut parts = request.map_err(unsayable_uri)?.into_parts().0;
        parts.headers = self.headers;
        Ok(parts.into())
    }
}

fn unsayable_uri(_: http::Error) -> Refusal {
    Refusal::new(Reason::BadRequest, "a target that HTTP/2 cannot say")
}
