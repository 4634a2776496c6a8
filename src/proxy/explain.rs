//! What would be done with a request, told by the code that does it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use pingora_http::RequestHeader;

use super::outgoing::{self, Outgoing};
use super::{hop_by_hop, peer, run_action};
use crate::clock::Clock;
use crate::identity::forwarded::TrustedProxies;
use crate::identity::trace_context::{Trace, Traces};
use crate::identity::{Call, HeaderRules, Identity, Subject};
use crate::policy::admission::{self, host_name};
use crate::policy::limits::Limits;
use crate::policy::path;
use crate::policy::route::{Auth, Fit, Route, Table};
use crate::refusal::{Reason, Refusal};
use crate::session::bearer;
use crate::session::token::Tokens;
use crate::session::{TokenSource, bearer::Bearer};
use crate::upstream;

/// The parts of a configuration that decide on a request before anything is asked of anybody.
#[derive(Debug)]
#[allow(missing_docs, reason = "they are those of the state")]
pub struct Rules {
    pub routes: Table,
    pub upstreams: Vec<upstream::Settings>,
    pub appids: Vec<String>,
    pub limits: Limits,
    pub header_rules: HeaderRules,
    pub identity: Identity,
    pub claims: Vec<String>,
    pub trusted_proxies: TrustedProxies,
    pub traces: Traces,
    pub token_from: Vec<TokenSource>,
    pub tokens: Tokens,
}

/// A request that nobody has sent.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, with a query or without.
    pub target: &'a str,
    /// The headers, Host among them.
    pub headers: &'a [(HeaderName, HeaderValue)],
    /// The address that it comes from.
    pub peer: IpAddr,
    /// Seconds since 1970.
    pub now: u64,
}

/// What would be done with it.
#[derive(Debug)]
pub struct Explanation {
    /// The path that is matched; none where it can be read in two ways.
    pub path: Option<String>,
    /// Every route with this path in some spelling, the most specific first.
    pub considered: Vec<(Arc<Route>, Fit)>,
    /// What is done, or why nothing is.
    pub outcome: Result<Decision, Refusal>,
}

/// What is done with a request that has a route.
#[derive(Debug)]
pub struct Decision {
    /// The route.
    pub route: Arc<Route>,
    /// What there is of a token.
    pub token: Token,
    /// The largest body in bytes.
    pub body_limit: u64,
    /// What the upstream gets, where there is one.
    pub forwarded: Option<Forwarded>,
    /// Whether it is a browser's question about a request of the route, which the gateway answers.
    pub preflight: bool,
}

/// What there is of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// None is looked for.
    Ignored,
    /// There is none.
    Missing,
    /// There is one, with a good signature, of the app at this position.
    Signed(TokenSource, usize),
}

/// What an upstream gets.
#[derive(Debug)]
pub struct Forwarded {
    /// The position of the upstream in the settings.
    pub upstream: usize,
    /// Whether an action puts a body of its own in the place of the client's.
    pub own_body: bool,
    /// The path and the query.
    pub target: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The client's headers that it does not get, and why.
    pub removed: Vec<(HeaderName, &'static str)>,
    /// To set up a connection.
    pub connect_timeout: Duration,
    /// To the first byte of the answer, and between bytes.
    pub timeout: Duration,
}

impl Rules {
    /// What would be done with the request.
    pub fn explain(&self, question: &Question<'_>) -> Explanation {
        let request = match request(question) {
            Ok(request) => request,
            Err(refusal) => {
                return Explanation { path: None, considered: Vec::new(), outcome: Err(refusal) };
            }
        };
        let head: &Parts = request.as_ref();
        let raw_path = request.raw_path().split(|byte| *byte == b'?').next().unwrap_or_default();
        let path = path::canonical(raw_path).ok();
        let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let considered = |path| self.routes.considered(path, host_name(host), &head.method);
        Explanation {
            considered: path.as_deref().map(considered).unwrap_or_default(),
            outcome: self.decide(&request, head, question),
            path: path.map(String::from),
        }
    }

    fn decide(
        &self,
        request: &RequestHeader,
        head: &Parts,
        question: &Question<'_>,
    ) -> Result<Decision, Refusal> {
        let target = request.raw_path();
        let admitted = admission::admit(head, target, &self.limits, &self.routes)?;
        let route = admitted.route.clone();
        if admitted.preflight {
            let token = Token::Ignored;
            let body_limit = admitted.body_limit;
            return Ok(Decision { route, token, body_limit, forwarded: None, preflight: true });
        }
        admission::check_declared_body(head, &route, admitted.body_limit)?;
        let (token, tokens_at) = self.authenticate(head, &route, question.now)?;
        let forwarded = route.upstream.and_then(|position| {
            let path = admitted.sent_path.as_deref();
            self.forward((position, self.upstreams.get(position)?), request, path, &route, {
                let app = match token {
                    Token::Signed(_, app) => Some(app),
                    _ => route.apps.first().copied(),
                };
                (tokens_at.as_slice(), app, question.peer)
            })
        });
        let body_limit = admitted.body_limit;
        Ok(Decision { token, body_limit, forwarded, route, preflight: false })
    }

    /// The part of authentication that asks nobody: the place of the token and its signature.
    fn authenticate(
        &self,
        head: &Parts,
        route: &Route,
        now: u64,
    ) -> Result<(Token, Vec<TokenSource>), Refusal> {
        let (sources, query) = (&self.token_from, head.uri.query());
        if route.authentication() == Auth::None {
            let is_ours = |token: &str| self.tokens.is_like_ours(token);
            return Ok((Token::Ignored, bearer::places(sources, &head.headers, query, is_ours)));
        }
        let found = bearer::find(sources, &head.headers, query);
        let found = found.map_err(|error| Refusal::new(Reason::BadRequest, error.to_string()))?;
        let Some(Bearer { token, source }) = found else {
            return Ok((Token::Missing, Vec::new()));
        };
        let bad = |note| Refusal::new(Reason::TokenInvalid, note);
        let claims = self.tokens.verify(&token, now).map_err(|_| {
            bad("it is no token that these keys have signed, or its time is over; \
                 see `wxgate token inspect`")
        })?;
        let app = self.appids.iter().position(|appid| *appid == claims.aud);
        let app = app.filter(|app| route.apps.contains(app));
        let app = app.ok_or_else(|| bad("the token is of an app of other routes"))?;
        Ok((Token::Signed(source.clone(), app), vec![source.clone()]))
    }

    fn forward(
        &self,
        (position, settings): (usize, &upstream::Settings),
        request: &RequestHeader,
        path: Option<&str>,
        route: &Route,
        (tokens_at, app, peer): (&[TokenSource], Option<usize>, IpAddr),
    ) -> Option<Forwarded> {
        let client: &HeaderMap = &request.headers;
        let taken = run_action::taken(route.action);
        let of_query = tokens_at.iter().filter_map(|source| match source {
            TokenSource::Query(name) if !self.identity.forwards_token() => Some(name.as_str()),
            _ => None,
        });
        let parameters = of_query.chain(taken.unwrap_or_default().iter().copied());
        let target = outgoing::target(request.raw_path(), path, parameters);
        let target = target.unwrap_or_else(|| request.raw_path().to_vec());

        let origin = self.trusted_proxies.origin(Some(peer), false, text(client, &HOST), client);
        let authority = settings.servers.first().and_then(upstream::Server::authority);
        let authority = authority.and_then(|authority| HeaderValue::try_from(authority).ok());
        let request_id = HeaderValue::from_static("<request id>");
        let claims = self.claims.iter().map(|name| (name.clone(), format!("<claim {name}>")));
        let claims: BTreeMap<_, _> = claims.collect();
        let (openid, unionid) =
            (HeaderValue::from_static("<openid>"), HeaderValue::from_static("<unionid, if any>"));
        // After a login the upstream is told who it is.
        let known = route.authentication() != Auth::None || taken.is_some();
        let subject = app.filter(|_| known).map(|app| Subject {
            openid: &openid,
            unionid: Some(&unionid),
            app,
            claims: &claims,
        });
        let assertion = OnceLock::new();
        if let Some(assertions) = self.identity.assertions() {
            // Whoever verifies a signed one would take it for good.
            let _ = assertion.set(assertions.in_words(&settings.name));
        }
        let trace = Trace::of(self.traces, origin.believed());
        let mut headers = client.clone();
        // Where it names what nobody may, the request is refused.
        let _ = hop_by_hop::take_off_request(&mut headers);
        Outgoing {
            rules: &self.header_rules,
            identity: &self.identity,
            passed: &settings.pass_headers,
            tokens_at,
            host: authority.as_ref().filter(|_| !settings.preserve_host),
            changes: Some(&route.request_headers),
            client: self.trusted_proxies.client(&origin),
            origin,
            call: Call {
                request_id: &request_id,
                audience: Some(&settings.name),
                clock: &Clock::system(),
                assertion: &assertion,
            },
            trace: trace.as_ref(),
            subject,
        }
        .write(&mut headers);
        let (connect_timeout, timeout) = peer::timeouts(Some(route), settings);
        Some(Forwarded {
            upstream: position,
            own_body: taken.is_some(),
            target: String::from_utf8_lossy(&target).into_owned(),
            removed: self.removed(client, &headers, settings, tokens_at),
            headers,
            connect_timeout,
            timeout,
        })
    }

    /// The client's headers of which the upstream gets nothing, or something else, with the reason.
    fn removed(
        &self,
        client: &HeaderMap,
        sent: &HeaderMap,
        settings: &upstream::Settings,
        tokens_at: &[TokenSource],
    ) -> Vec<(HeaderName, &'static str)> {
        let same = |name: &&HeaderName| !client.get_all(*name).iter().eq(sent.get_all(*name));
        let reason = |name: &HeaderName| {
            let plain = name.as_str();
            let holds_token = tokens_at.iter().any(|source| match source {
                TokenSource::Authorization => plain == "authorization",
                TokenSource::Header(header) => header == name,
                TokenSource::Cookie(_) => plain == "cookie",
                TokenSource::Query(_) => false,
            });
            if hop_by_hop::is_of_request(client, name) {
                "it is for this connection only"
            } else if plain.contains(['_', '.']) && self.header_rules.removes(name, &[]) {
                "many servers read `_` and `.` as `-`, and the upstream does not list it"
            } else if self.header_rules.removes(name, &settings.pass_headers) {
                "only the gateway may say it"
            } else if holds_token {
                "it holds the token"
            } else {
                "the route or the upstream has it changed"
            }
        };
        client.keys().filter(same).map(|name| (name.clone(), reason(name))).collect()
    }
}

fn request(question: &Question<'_>) -> Result<RequestHeader, Refusal> {
    let malformed = || Refusal::new(Reason::BadRequest, "the request line cannot be read");
    let method = Method::from_bytes(question.method.as_bytes()).map_err(|_| malformed())?;
    let mut request =
        RequestHeader::build(method, question.target.as_bytes(), None).map_err(|_| malformed())?;
    request.set_version(Version::HTTP_11);
    for (name, value) in question.headers {
        request.append_header(name, value).map_err(|_| malformed())?;
    }
    Ok(request)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
