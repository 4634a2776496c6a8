//! The way to an upstream and back: a server, a connection, both ways at once; another server where that
//! does no harm.

use std::future::{pending, poll_fn};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::Version;
use http::uri::Scheme;
use pingora_core::protocols::http::{HttpTask, ServerSession};
use pingora_error::{Error, ErrorType};

use super::backend::Link;
use super::failure::Failure;
use super::peer::{self, Chosen, Times};
use super::upstream_connection::{Exchange, Fault, Http1, Http2};
use super::{
    Context, answer, attempt, body_pace, endless, hop_by_hop, respond, spans, tunnel,
    upstream_request,
};
use crate::lifecycle::patience::Patience;
use crate::listen::closer_of;
use crate::upstream::Protocol;

/// A bound on all tries of a request; each upstream has its own.
const MOST_TRIES: usize = 16;

/// Forwards a request, and its answer to the client. Tells whether the client's connection goes on.
pub(super) async fn forward(
    session: &mut ServerSession,
    ctx: &mut Context,
) -> Result<bool, Failure> {
    hop_by_hop::check_request(&session.req_header().headers)?;
    session.enable_retry_buffering();
    loop {
        let chosen = peer::next(ctx)?;
        spans::begin_try(&session.req_header().method, ctx);
        // A try that begins sends what was received so far again.
        (ctx.body_received, ctx.body_began) = (0, None);
        let failure = match try_at(&chosen, session, ctx).await {
            Ok(goes_on) => return Ok(goes_on),
            Err(failure) => failure,
        };
        spans::try_failed(ctx, failure.name());
        let is_downgrade = matches!(&failure, Failure::Server(fault) if fault.is_downgrade());
        if is_downgrade && !chosen.backend.give_up_http2(&chosen.target) {
            return Err(failure);
        }
        if !attempt::failed(&failure, session, ctx) || ctx.attempts >= MOST_TRIES {
            return Err(failure);
        }
    }
}

async fn try_at(
    chosen: &Chosen,
    session: &mut ServerSession,
    ctx: &mut Context,
) -> Result<bool, Failure> {
    let Chosen { backend, target, times } = chosen;
    let asks_tunnel = tunnel::is_asked_for(session.req_header().as_ref());
    let asks_tunnel = asks_tunnel && target.protocol != Protocol::H2c;
    let link = backend.link(target, asks_tunnel, times.connect).await;
    match link.map_err(Fault::NotConnected)? {
        Link::Http1(connected) => {
            ctx.connection_was_used = connected.was_used;
            let has_body = ctx.replacement.is_some() || !session.is_body_empty();
            let mut head = upstream_request::head(session, ctx, Version::HTTP_11)?;
            let framing = head.frame(has_body, asks_tunnel);
            let head = (&head.method, &*head.target, &head.headers);
            let http1 = Http1::new(connected, head, framing, asks_tunnel);
            let mut exchange = Exchange::Http1(Box::new(http1));
            let goes_on = run(session, ctx, &mut exchange, times).await?;
            if let Exchange::Http1(http1) = exchange {
                http1.give_back();
            }
            Ok(goes_on)
        }
        Link::Http2(stream, was_used) => {
            ctx.connection_was_used = was_used;
            let ends = ctx.replacement.is_none() && session.is_body_empty();
            let is_tls = target.protocol == Protocol::Https;
            let scheme = if is_tls { Scheme::HTTPS } else { Scheme::HTTP };
            let head = upstream_request::head(session, ctx, Version::HTTP_2)?.into_http2(scheme)?;
            let patience = Patience::new(times.answer);
            let http2 = Http2::new(*stream, patience, head, ends)?;
            let mut exchange = Exchange::Http2(Box::new(http2));
            let outcome = run(session, ctx, &mut exchange, times).await;
            if let Exchange::Http2(http2) = exchange {
                backend.give_back(http2.into_session(), target).await;
            }
            outcome
        }
    }
}

/// The request and its answer, both at once, until both are whole.
async fn run(
    session: &mut ServerSession,
    ctx: &mut Context,
    exchange: &mut Exchange,
    times: &Times,
) -> Result<bool, Failure> {
    let mut is_sent = send_what_is_here(session, ctx, exchange)?;
    let mut is_answered = false;
    while !is_answered || (!is_sent && exchange.takes_body()) {
        exchange.wait_for(time(session, exchange, is_sent, times));
        let takes_more = exchange.takes_body() && exchange.has_room();
        tokio::select! {
            biased;
            parts = poll_fn(|cx| exchange.poll(cx)) => {
                let was_tunnel = session.was_upgraded();
                is_answered |= pass_on(parts?, session, ctx).await?;
                if !was_tunnel && session.was_upgraded() {
                    exchange.become_tunnel();
                    is_sent = false;
                }
                // The end of a tunnel is one of both ways.
                is_sent |= is_answered && session.is_body_done();
            }
            read = read(session, is_sent, takes_more) => {
                let data = read?;
                is_answered |= data.is_none() && session.was_upgraded();
                is_sent = send(data, session, ctx, exchange)?;
            }
        }
    }
    let is_whole = session.finish_body().await.is_ok();
    if is_whole && !session.was_upgraded() {
        respond::hear_out(session).await;
    }
    Ok(is_whole)
}

/// How long the server is waited for: where it is its turn. A tunnel may be silent for as long as its ends
/// like.
fn time(
    session: &ServerSession,
    exchange: &Exchange,
    is_sent: bool,
    times: &Times,
) -> Option<Duration> {
    match (exchange.has_room(), is_sent) {
        (true, _) if session.was_upgraded() => None,
        (true, false) => Some(times.client),
        _ => Some(times.answer),
    }
}

/// The next part of the client's body; none at the end of a tunnel. Where there is no room for it, or it was
/// whole, the client is waited for only to go away.
async fn read(
    session: &mut ServerSession,
    is_sent: bool,
    takes_more: bool,
) -> Result<Option<Bytes>, Failure> {
    if is_sent || takes_more {
        return session.read_body_or_idle(is_sent).await.map_err(Failure::Client);
    }
    if let Some(close) = session.watch_h2_stream_close() {
        close.await.map_err(Failure::Client)?;
    } else if let Some(closer) = closer_of(session.stream()) {
        poll_fn(|cx| if closer.poll_closed(cx) { Poll::Ready(()) } else { Poll::Pending }).await;
    } else {
        pending::<()>().await;
    }
    Err(Failure::Client(Error::explain(ErrorType::ConnectionClosed, "by its client")))
}

/// Sends the body that takes the place of the client's, or what of the client's was received before.
fn send_what_is_here(
    session: &mut ServerSession,
    ctx: &mut Context,
    exchange: &mut Exchange,
) -> Result<bool, Failure> {
    if let Some(replacement) = &ctx.replacement {
        exchange.send(replacement.body.clone(), true);
        return Ok(true);
    }
    let is_whole = session.is_body_done();
    let received = session.get_retry_buffer();
    if let Some(received) = &received {
        body_pace::count(session, received, ctx)?;
    }
    if is_whole || received.is_some() {
        exchange.send(received.unwrap_or_default(), is_whole);
    }
    Ok(is_whole)
}

/// Sends a part of the client's body. Tells whether it was the last one.
fn send(
    data: Option<Bytes>,
    session: &mut ServerSession,
    ctx: &mut Context,
    exchange: &mut Exchange,
) -> Result<bool, Failure> {
    endless::check(ctx)?;
    let ends = data.is_none() || session.is_body_done();
    if let Some(data) = &data {
        body_pace::count(session, data, ctx)?;
    }
    exchange.send(data.unwrap_or_default(), ends);
    Ok(ends)
}

/// Passes parts of the answer on. Tells whether it has ended.
async fn pass_on(
    mut parts: Vec<HttpTask>,
    session: &mut ServerSession,
    ctx: &mut Context,
) -> Result<bool, Failure> {
    for part in &mut parts {
        answer::pass(session, ctx, part).await?;
    }
    let failed = parts.pop_if(|part| matches!(part, HttpTask::Failed(_)));
    let mut has_ended = false;
    if !parts.is_empty() {
        has_ended = session.response_duplex_vec(parts).await.map_err(Failure::Client)?;
    }
    match failed {
        Some(HttpTask::Failed(error)) => Err(Fault::Http2(error).into()),
        _ => Ok(has_ended),
    }
}
