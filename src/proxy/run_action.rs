//! Between the wire and an action: it is called with what the request brings.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;
use pingora_core::protocols::http::ServerSession;
use serde_json::value::RawValue;

use super::avatar_later::AvatarLater;
use super::context::Replacement;
use super::login_answer::LoginUnderWay;
use super::{Context, State, action_body, respond};
use crate::actions::answer::Answer;
use crate::actions::exchange::LoggedIn;
use crate::actions::fields::Fields;
use crate::actions::login::{self, Logins};
use crate::actions::profile::{Finding, ProfileInput};
use crate::actions::{authorize, jwks, logout, open_data, phone, refresh, session};
use crate::identity::mutations::Mutations;
use crate::identity::{Call, Subject};
use crate::policy::route::Action;
use crate::refusal::{Reason, Refusal};
use crate::session::Caller;
use crate::wechat::app::App;
use crate::wechat::open_data::Kind;

/// Runs the action of the request's route; none where the request goes on to an upstream.
pub(super) async fn run(
    session: &mut ServerSession,
    ctx: &mut Context,
) -> Result<Option<Answer>, Refusal> {
    if ctx.action() == Action::Authorize {
        return Ok(Some(answer_gateway(session, ctx)));
    }
    let body = action_body::read(session, ctx).await;
    if body.is_err() {
        // Nobody can say where the next request would begin.
        session.set_keepalive(None);
    }
    let begun = Instant::now();
    let outcome = act(session, ctx, body?).await;
    ctx.action_took = Some(begun.elapsed());
    outcome
}

/// The body is not read: it is the upstream's.
fn answer_gateway(session: &ServerSession, ctx: &Context) -> Answer {
    let state = &ctx.state;
    let (identity, rules) = (&state.identity, &state.header_rules);
    let subject = ctx.live.as_ref().map(Subject::from);
    let client = &session.req_header().headers;
    let call = Call {
        request_id: &ctx.request_id,
        audience: None,
        clock: &state.clock,
        assertion: &ctx.assertion,
    };
    let tokens_at = &ctx.tokens_at;
    let changed = Mutations::new(identity, rules, client, tokens_at, subject.as_ref(), &call);
    authorize::authorize(identity, &changed)
}

async fn act(
    session: &ServerSession,
    ctx: &mut Context,
    body: Bytes,
) -> Result<Option<Answer>, Refusal> {
    let state = ctx.state.clone();
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
            return Ok(found_out(ctx, &fields, ("open_data", &opened)));
        }
        Action::Phone => {
            let fields = Fields::read(query, headers, &body)?;
            let (app, live) = (app(&state, ctx)?, live(ctx)?);
            let found = state.phones.phone(&app, &live.session, &fields).await?;
            return Ok(found_out(ctx, &fields, ("phone_info", &found)));
        }
        Action::Logout => {
            let fields = Fields::read(query, headers, &body)?;
            logout::logout(&state.sessions, &state.logins, live(ctx)?, &fields).await
        }
        Action::Profile => {
            check_profile(&state, ctx, query, headers, body).await?;
            return Ok(None);
        }
        Action::Jwks => jwks::jwks(state.identity.assertions()),
        Action::Refresh => refresh::refresh(&state.sessions, &state.logins, live(ctx)?).await,
        Action::Session => session::session(&state.sessions, live(ctx)?),
        action => {
            let note = format!("the action {} is not available yet", action.name());
            Err(Refusal::new(Reason::UpstreamUnavailable, note))
        }
    };
    answer.map(Some)
}

/// The fields that an action with an upstream takes out of the request, and puts what it found out
/// into a JSON body; none where the request goes on as it came.
pub(super) fn taken(action: Action) -> Option<&'static [&'static str]> {
    match action {
        Action::Login => Some(&login::FIELDS),
        Action::OpenData => Some(&open_data::FIELDS),
        Action::Phone => Some(&phone::FIELDS),
        _ => None,
    }
}

/// Logs in, and asks the route's upstream about it where there is one.
async fn log_in(
    state: &State,
    ctx: &mut Context,
    fields: &Fields,
) -> Result<Option<Answer>, Refusal> {
    let Some(route) = ctx.route.clone() else { return Err(Reason::NoRoute.into()) };
    let login = state.logins.log_in(fields, &route.apps, ctx.client).await;
    match login {
        Ok(logged_in) if ctx.upstream.is_some() => {
            ctx.live = Some(state.sessions.authenticate(logged_in.token()).await?);
            let tokens: Vec<_> = ctx.tokens_in_query().collect();
            let body = state.logins.for_upstream(fields, &logged_in, &tokens)?;
            ctx.replacement =
                Some(Replacement::json(body, taken(Action::Login).unwrap_or_default()));
            let cookie = state.logins.cookie(&logged_in);
            let token_at = route.token_at.clone();
            ctx.login = Some(LoginUnderWay::new(logged_in, cookie, token_at));
            Ok(None)
        }
        login => {
            let login = match login {
                Ok(logged_in) => state.logins.note_standing(&logged_in).await.map(|()| logged_in),
                refused => refused,
            };
            let userinfo = match &login {
                Ok(logged_in) if fields.is_wafer() => {
                    userinfo(state, fields, logged_in).await.ok().flatten()
                }
                _ => None,
            };
            if let (Err(refusal), true) = (&login, fields.is_wafer()) {
                // It goes out as an answer in Wafer's own form.
                respond::report(ctx, refusal);
            }
            state.logins.answer(fields, login, userinfo).map(Some)
        }
    }
}

/// What a Wafer client has sent sealed with its login. It was often made with the key before, which the
/// gateway never had: then the login stands without it.
async fn userinfo(
    state: &State,
    fields: &Fields,
    logged_in: &LoggedIn,
) -> Result<Option<Box<RawValue>>, Refusal> {
    let Some(sealed) = open_data::sealed(fields)? else { return Ok(None) };
    let live = state.sessions.authenticate(logged_in.token()).await?;
    Ok(state.opener.open_sealed(&live.session, &sealed, Kind::Any).await.ok())
}

/// What an action found out: the answer, or a part of the body that goes to the route's upstream.
fn found_out(ctx: &mut Context, fields: &Fields, found: (&str, &RawValue)) -> Option<Answer> {
    let taken = taken(ctx.action()).unwrap_or_default();
    if ctx.upstream.is_none() {
        return Some(Answer::json_text(found.1.get().to_owned()));
    }
    let not_own: Vec<&str> = ctx.tokens_in_query().chain(taken.iter().copied()).collect();
    let body = fields.for_upstream(&not_own, &[found]);
    ctx.replacement = Some(Replacement::json(body, taken));
    None
}

/// Has the nickname and the avatar checked; the body then goes on as it came.
async fn check_profile(
    state: &State,
    ctx: &mut Context,
    query: Option<&str>,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<(), Refusal> {
    let Some(route) = ctx.route.clone() else { return Err(Reason::NoRoute.into()) };
    let app = app(state, ctx)?;
    let user = &live(ctx)?.session.user;
    let profile = ProfileInput::parse(query, headers, &body, &route.profile).await?;
    let verdict = state.profiles.check(&profile, user, &app, &route.profile).await?;
    if let (Some(Finding::Later), Some(avatar)) = (verdict.avatar, &profile.avatar) {
        let name = avatar.file_name().unwrap_or_default().to_owned();
        let (user, profiles) = (user.clone(), state.profiles.clone());
        ctx.avatar_later = Some(AvatarLater { name, user, app, route, profiles });
    }
    ctx.replacement = Some(Replacement::unchanged(body));
    Ok(())
}

/// The app that the session is of.
fn app(state: &State, ctx: &Context) -> Result<Arc<App>, Refusal> {
    let app = state.apps.get(live(ctx)?.app).cloned();
    app.ok_or_else(|| Refusal::from(Reason::TokenInvalid))
}

fn live(ctx: &Context) -> Result<&Caller, Refusal> {
    ctx.live.as_ref().ok_or_else(|| Reason::TokenMissing.into())
}
