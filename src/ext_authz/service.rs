//! `envoy.service.auth.v3.Authorization`, its one call, by tonic.

use std::convert::Infallible;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::header::AUTHORIZATION;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::server::{Grpc, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tracing::warn;

use super::call::until_written;
use super::checks::Checks;
use super::messages::{CheckRequest, CheckResponse};
use crate::lifecycle::in_flight::InFlight;
use crate::secret::Secret;
use crate::telemetry::seldom::Seldom;

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";
/// Heads are bounded by `[limits]`; a body in it is not read.
const LARGEST_MESSAGE: usize = 1 << 20;
/// From the first byte of a call to its answer: who stalls is not waited for.
pub(super) const LONGEST_CALL: Duration = Duration::from_secs(30);

type Future<T> = Pin<Box<dyn std::future::Future<Output = T> + Send>>;

/// The service, for any number of connections.
#[derive(Clone, Debug)]
pub(super) struct Authorization(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    checks: Checks,
    /// What the process ends after.
    requests: InFlight,
    /// What a call must show, if anything.
    token: Arc<ArcSwapOption<Secret>>,
    strangers: Seldom,
}

impl Authorization {
    pub(super) fn new(
        checks: Checks,
        requests: InFlight,
        token: Arc<ArcSwapOption<Secret>>,
    ) -> Self {
        Self(Arc::new(Inner { checks, requests, token, strangers: Seldom::default() }))
    }

    fn shows_token(&self, call: &http::HeaderMap) -> bool {
        let Some(token) = self.0.token.load_full() else { return true };
        let shown = call.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let shown = shown.and_then(|value| value.split_once(' '));
        let fits = |(scheme, shown): (&str, &str)| {
            scheme.eq_ignore_ascii_case("bearer") && token.matches(shown.trim())
        };
        let known = shown.is_some_and(fits);
        if !known && self.0.strangers.may_speak() {
            warn!(
                "[ext_authz]: a check without its token was refused; let Envoy send it as \
                 initial_metadata: authorization: Bearer …"
            );
        }
        known
    }
}

impl Service<http::Request<Body>> for Authorization {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Future<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let refused = match request.uri().path() {
            CHECK if self.shows_token(request.headers()) => None,
            CHECK => Some(Status::unauthenticated("the token of [ext_authz] is missing")),
            _ => Some(Status::unimplemented("only Authorization/Check of envoy.service.auth.v3")),
        };
        if let Some(refused) = refused {
            return Box::pin(ready(Ok(refused.into_http())));
        }
        let (service, call) = (self.clone(), self.0.requests.enter());
        Box::pin(async move {
            let mut grpc =
                Grpc::new(ProstCodec::default()).max_decoding_message_size(LARGEST_MESSAGE);
            Ok(until_written(grpc.unary(Check(service), request).await, call))
        })
    }
}

struct Check(Authorization);

impl UnaryService<CheckRequest> for Check {
    type Response = CheckResponse;
    type Future = Future<Result<Response<CheckResponse>, Status>>;

    fn call(&mut self, request: Request<CheckRequest>) -> Self::Future {
        let service = self.0.clone();
        Box::pin(async move {
            let (call, _, check) = request.into_parts();
            let answer = service.0.checks.check(check, call.as_ref()).await;
            Ok(Response::new(answer))
        })
    }
}
