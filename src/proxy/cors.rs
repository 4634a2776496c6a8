//! CORS on the way: what a page is told is the gateway's word, on every answer of a route that has it.

use http::HeaderName;
use pingora_core::protocols::http::ServerSession;
use pingora_error::Result;
use pingora_http::ResponseHeader;

use super::{Context, respond};
use crate::policy::cors;

/// Answers a preflight: without a body, and without what it asks about.
pub(super) async fn answer_preflight(session: &mut ServerSession, ctx: &Context) -> Result<()> {
    let request = session.req_header();
    let method = cors::preflighted(&request.method, &request.headers);
    let mut response = respond::bare_head(204, ctx)?;
    if let (Some(cors), Some(method)) = (ctx.cors(), method) {
        for (name, value) in cors.preflight(ctx.granted_origin.as_ref(), method) {
            response.insert_header(name, value)?;
        }
    }
    respond::write(session, response, String::new()).await
}

/// Tells the page what it may read of an answer; what the upstream says of it does not count.
pub(super) fn write(response: &mut ResponseHeader, ctx: &Context) -> Result<()> {
    let Some(cors) = ctx.cors() else { return Ok(()) };
    let upstreams: Vec<HeaderName> =
        response.headers.keys().filter(|name| cors::is_ours(name)).cloned().collect();
    for name in upstreams {
        response.remove_header(&name);
    }
    for (name, value) in cors.answer(ctx.granted_origin.as_ref()) {
        // There may be a Vary of the upstream's.
        response.append_header(name, value)?;
    }
    Ok(())
}
