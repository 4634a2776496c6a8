//! Whose a request is, and whether he may make it now: what is decided once its route is known. The data
//! plane asks, and so does whoever answers for another gateway.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use http::request::Parts;

use crate::policy::rate::{Per, RateLimit, refused};
use crate::policy::route::{Auth, Route};
use crate::refusal::{Reason, Refusal};
use crate::session::bearer::{self, Bearer};
use crate::session::{Caller, NotAuthenticated, Sessions, TokenSource};

/// What is asked for who makes a request.
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    /// Where a token may stand.
    pub token_from: &'a [TokenSource],
    /// Who is logged in.
    pub sessions: &'a Sessions,
}

/// What was found out of a request, also where it is refused.
#[derive(Debug, Default)]
pub struct Known {
    /// Who makes it; nobody on a route that does not ask.
    pub caller: Option<Caller>,
    /// Where tokens stand, so that they can be taken out: several only where nobody looked at them.
    pub tokens_at: Vec<TokenSource>,
    /// What became of the token, on a route that looks for one.
    pub token: Option<Authentication>,
    /// How long that took to find out.
    pub took: Option<Duration>,
}

/// What became of a token, or of none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// There is a session.
    Authenticated,
    /// There was no token, and the route does not insist.
    Anonymous,
    /// There was no token where there had to be one.
    Missing,
    /// There was more than one, or something else in its place.
    Malformed,
    /// No token of ours, or its session has ended.
    Invalid,
    /// A good one of an app that the route does not serve.
    OtherApp,
    /// The store could not be asked.
    Unavailable,
}

impl Authentication {
    /// Their names, in their order.
    pub const LABELS: [&'static str; 7] = [
        "authenticated",
        "anonymous",
        "missing",
        "malformed",
        "invalid",
        "other_app",
        "unavailable",
    ];
}

impl Access<'_> {
    /// Lets a request of a route in, or refuses it. Where the route's rate counts addresses it comes
    /// before the token is looked at, so that it holds those too who try out tokens.
    ///
    /// # Errors
    ///
    /// Why it is refused; what is known of it by then is there all the same.
    pub async fn admit(
        &self,
        route: &Route,
        head: &Parts,
        client: IpAddr,
        known: &mut Known,
    ) -> Result<(), Refusal> {
        let per_address = |rate: &RateLimit| rate.per == Per::Ip;
        if let Some(rate) = route.rate.filter(per_address) {
            self.take(route, rate, client, None).await?;
        }
        self.authenticate(route, head, known).await?;
        if let Some(rate) = route.rate.filter(|rate| !per_address(rate)) {
            self.take(route, rate, client, known.caller.as_ref()).await?;
        }
        Ok(())
    }

    /// Finds out who makes a request, as far as its route asks.
    ///
    /// # Errors
    ///
    /// Why nobody may make it so.
    pub async fn authenticate(
        &self,
        route: &Route,
        head: &Parts,
        known: &mut Known,
    ) -> Result<(), Refusal> {
        let (sources, query) = (self.token_from, head.uri.query());
        if route.authentication() == Auth::None {
            // Not looked at, but they are not the upstream's either.
            let is_ours = |token: &str| self.sessions.is_like_a_token(token);
            known.tokens_at = bearer::places(sources, &head.headers, query, is_ours);
            return Ok(());
        }
        let begun = Instant::now();
        let outcome = self.find(route, head, known).await;
        known.took = Some(begun.elapsed());
        outcome
    }

    async fn find(&self, route: &Route, head: &Parts, known: &mut Known) -> Result<(), Refusal> {
        let found = bearer::find(self.token_from, &head.headers, head.uri.query());
        let found = found.map_err(|error| {
            known.token = Some(Authentication::Malformed);
            Refusal::new(Reason::BadRequest, error.to_string())
        })?;
        let Some(Bearer { token, source }) = found else {
            if route.authentication() == Auth::Required {
                known.token = Some(Authentication::Missing);
                return Err(Reason::TokenMissing.into());
            }
            known.token = Some(Authentication::Anonymous);
            return Ok(());
        };
        let caller = self.sessions.authenticate(&token).await.inspect_err(|error| {
            known.token = Some(match error {
                NotAuthenticated::Invalid => Authentication::Invalid,
                NotAuthenticated::Unavailable(_) => Authentication::Unavailable,
            });
        })?;
        if !route.apps.contains(&caller.app) {
            known.token = Some(Authentication::OtherApp);
            let note = "the token is of an app of other routes";
            return Err(Refusal::new(Reason::TokenInvalid, note));
        }
        known.token = Some(Authentication::Authenticated);
        known.tokens_at = vec![source.clone()];
        known.caller = Some(caller);
        Ok(())
    }

    async fn take(
        &self,
        route: &Route,
        rate: RateLimit,
        client: IpAddr,
        caller: Option<&Caller>,
    ) -> Result<(), Refusal> {
        let key = rate.key(route, client, caller.map(|caller| &caller.session.user));
        let taken = self.sessions.store().take(&key, &rate.quota).await;
        taken.map_err(|exceeded| refused(exceeded, "the route's rate is used up"))
    }
}
