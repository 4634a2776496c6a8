//! The `rate` of a route. Where it counts addresses it comes before the token is looked at, so that it
//! holds those too who try out tokens.

use super::Context;
use crate::policy::rate::{Per, RateLimit, refused};
use crate::policy::route::Route;
use crate::refusal::Refusal;

/// Counts a request of which nothing but its address is known.
pub(super) async fn before_authentication(ctx: &Context, route: &Route) -> Result<(), Refusal> {
    match route.rate {
        Some(rate) if rate.per == Per::Ip => take(ctx, route, rate).await,
        _ => Ok(()),
    }
}

/// Counts a request of which it is known whose it is.
pub(super) async fn after_authentication(ctx: &Context, route: &Route) -> Result<(), Refusal> {
    match route.rate {
        Some(rate) if rate.per != Per::Ip => take(ctx, route, rate).await,
        _ => Ok(()),
    }
}

async fn take(ctx: &Context, route: &Route, rate: RateLimit) -> Result<(), Refusal> {
    let user = ctx.live.as_ref().map(|live| &live.session.user);
    let key = rate.key(route, ctx.client, user);
    let taken = ctx.state.sessions.store().take(&key, &rate.quota).await;
    taken.map_err(|exceeded| refused(exceeded, "the route's rate is used up"))
}
