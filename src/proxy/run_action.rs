//! Between the wire and an action: the body is read within its bounds, the action is called.

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use pingora_proxy::Session;

use super::{Context, State};
use crate::actions::answer::Answer;
use crate::actions::fields::Fields;
use crate::actions::login::Logins;
use crate::actions::{logout, refresh, session};
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
    let body = read_body(session, ctx).await?;
    let head: &Parts = session.req_header().as_ref();
    let (query, headers) = (head.uri.query(), &head.headers);
    let answer = match ctx.action() {
        Action::Login => {
            let fields = Logins::fields(query, headers, &body)?;
            log_in(&state, ctx, &fields).await
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

async fn log_in(state: &State, ctx: &Context, fields: &Fields) -> Result<Answer, Refusal> {
    let apps = ctx.route.as_ref().map(|route| route.apps.as_slice()).unwrap_or_default();
    let apps: Vec<_> =
        apps.iter().filter_map(|position| state.apps.get(*position).cloned()).collect();
    let login = state.logins.log_in(fields, &apps).await;
    state.logins.answer(fields, login)
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
