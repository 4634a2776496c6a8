//! Between the wire and an action: the body is read within its bounds, the action is called.

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use pingora_proxy::Session;
use serde_json::value::RawValue;

use super::context::Replacement;
use super::login_answer::LoginUnderWay;
use super::{Context, State};
use crate::actions::answer::Answer;
use crate::actions::fields::Fields;
use crate::actions::login::Logins;
use crate::actions::{logout, open_data, phone, refresh, session};
use crate::policy::limits::ACTION_BODY_SIZE;
use crate::policy::route::Action;
use crate::refusal::{Reason, Refusal};
use crate::session::Live;

/// Runs the action of the request's route; none where the request goes on to an upstream.
pub(super) async fn run(
    session: &mut Session,
    ctx: &mut Context,
) -> Result<Option<Answer>, Refusal> {
    let state = ctx.state.clone();
    if ctx.upstream.is_some() {
        // Without it pingora would wait for a body that was read already.
        session.enable_retry_buffering();
    }
    let body = read_body(session, ctx).await?;
    let head: &Parts = session.req_header().as_ref();
    let (query, headers) = (head.uri.query(), &head.headers);
    let answer = match ctx.action() {
        Action::Login => {
            let fields = Logins::fields(query, headers, &body)?;
            return log_in(&state, ctx, &fields).await;
        }
        Action::OpenData => {
            let fields = Fields::read(query, headers, &body)?;
            let opened = state.opener.open(&live(ctx)?.session, &fields).await?;
            return Ok(found_out(ctx, &fields, "open_data", &opened));
        }
        Action::Phone => {
            let fields = Fields::read(query, headers, &body)?;
            let found = phone::phone(&state.opener, &live(ctx)?.session, &fields).await?;
            return Ok(found_out(ctx, &fields, "phone_info", &found));
        }
        Action::Logout => {
            let fields = Fields::read(query, headers, &body)?;
            logout::logout(&state.sessions, live(ctx)?, &fields).await
        }
        Action::Refresh => refresh::refresh(&state.sessions, live(ctx)?).await,
        Action::Session => session::session(&state.sessions, live(ctx)?),
        action => {
            let note = format!("the action {} is not available yet", action.name());
            Err(Refusal::new(Reason::UpstreamUnavailable, note))
        }
    };
    answer.map(Some)
}

/// Logs in, and asks the route's upstream about it where there is one.
async fn log_in(
    state: &State,
    ctx: &mut Context,
    fields: &Fields,
) -> Result<Option<Answer>, Refusal> {
    let Some(route) = ctx.route.clone() else { return Err(Reason::NoRoute.into()) };
    let apps = route.apps.iter().filter_map(|position| state.apps.get(*position).cloned());
    let apps: Vec<_> = apps.collect();
    let login = state.logins.log_in(fields, &apps).await;
    match login {
        Ok(logged_in) if ctx.upstream.is_some() => {
            ctx.live = Some(state.sessions.authenticate(logged_in.token()).await?);
            ctx.replacement =
                Some(Replacement::json(state.logins.for_upstream(fields, &logged_in)?));
            let cookie = state.logins.cookie(&logged_in);
            let token_at = route.token_at.clone();
            ctx.login = Some(LoginUnderWay::new(logged_in.token().to_owned(), cookie, token_at));
            Ok(None)
        }
        login => state.logins.answer(fields, login).map(Some),
    }
}

/// What an action found out: the answer, or a part of the body that goes to the route's upstream.
fn found_out(ctx: &mut Context, fields: &Fields, name: &str, found: &RawValue) -> Option<Answer> {
    if ctx.upstream.is_none() {
        return Some(Answer::json_text(found.get().to_owned()));
    }
    let body = fields.for_upstream(&open_data::FIELDS, &[(name, found)]);
    ctx.replacement = Some(Replacement::json(body));
    None
}

fn live(ctx: &Context) -> Result<&Live, Refusal> {
    ctx.live.as_deref().ok_or_else(|| Reason::TokenMissing.into())
}

/// Reads a body of at most 64 KiB within the time that a body may take.
async fn read_body(session: &mut Session, ctx: &Context) -> Result<Bytes, Refusal> {
    let limit = ctx.body_limit.min(ACTION_BODY_SIZE);
    let headers = &session.req_header().headers;
    let declared = headers.get(http::header::CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(Reason::BodyTooLarge.into());
    }
    let expects = headers.get(http::header::EXPECT);
    if expects.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        // A client that is gone shows itself with the next read.
        let _ = session.write_continue_response().await;
    }
    let read = read_within(session, limit);
    tokio::time::timeout(ctx.state.limits.body_idle, read)
        .await
        .unwrap_or_else(|_| Err(Reason::RequestTimeout.into()))
}

async fn read_within(session: &mut Session, limit: u64) -> Result<Bytes, Refusal> {
    let mut body = BytesMut::new();
    loop {
        match session.read_request_body().await {
            Ok(Some(chunk)) if (body.len() + chunk.len()) as u64 > limit => {
                return Err(Reason::BodyTooLarge.into());
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body.freeze()),
            Err(error) if *error.etype() == pingora_error::ErrorType::ReadTimedout => {
                return Err(Reason::RequestTimeout.into());
            }
            Err(_) => {
                return Err(Refusal::new(
                    Reason::BadRequest,
                    "a body that breaks off or is malformed",
                ));
            }
        }
    }
}
