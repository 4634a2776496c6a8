//! One attack, tried in every situation, and what must hold after it.

use crate::http2_wire::{Field, Http2Wire, Outcome};
use crate::raw::Wire;
use crate::support::gateway::Gateway;
use crate::upstream::Seen;

/// Stands for `{}` in an attack: who the attacker would like to be.
pub(crate) const FORGED: &str = "oFORGEDFORGEDFORGEDFORGED";
/// Where the attacker says that he comes from.
pub(crate) const FORGED_ADDRESS: &str = "6.6.6.6";

/// A kind of route, and who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation {
    pub(crate) path: &'static str,
    with_token: bool,
    /// What an ordinary GET of it comes to.
    pub(crate) status: u16,
    arrives: Arrives,
}

/// What the service behind the gateway is to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrives {
    /// Nothing.
    Not,
    /// A request of nobody.
    OfNobody,
    /// A request of the user whose token it is.
    OfTheUser,
}

/// Routes that need a token, that are public, that the gateway answers itself, and none.
pub(crate) const SITUATIONS: [Situation; 7] = [
    Situation { path: "/api/x", with_token: true, status: 200, arrives: Arrives::OfTheUser },
    Situation { path: "/api/x", with_token: false, status: 401, arrives: Arrives::Not },
    Situation { path: "/public/x", with_token: true, status: 200, arrives: Arrives::OfNobody },
    Situation { path: "/public/x", with_token: false, status: 200, arrives: Arrives::OfNobody },
    Situation { path: "/session", with_token: true, status: 200, arrives: Arrives::Not },
    Situation { path: "/session", with_token: false, status: 401, arrives: Arrives::Not },
    Situation { path: "/unknown", with_token: true, status: 404, arrives: Arrives::Not },
];

/// What is sent, in the terms of HTTP/1.1; over HTTP/2 the same fields are sent as they are.
#[derive(Clone, Debug)]
pub(crate) struct Attack<'a> {
    pub(crate) method: &'a str,
    /// The target; `{}` is the path of the situation.
    pub(crate) target: &'a str,
    pub(crate) version: &'a str,
    /// The line of the Host, with its end; over HTTP/2 the authority.
    pub(crate) host: &'a str,
    /// Further lines of the head; `{}` is [`FORGED`].
    pub(crate) lines: String,
    /// What follows the head.
    pub(crate) body: &'a str,
    /// Fields after the body; over HTTP/1.1 the body is then one chunk.
    pub(crate) trailers: &'a str,
}

/// How an attack may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Refused with one of these, and nothing arrives. Over HTTP/1.1 the connection closes.
    Refused(&'static [u16]),
    /// As if nothing of it were there.
    Unnoticed,
    /// Either of them: 400, or as if it were not there.
    RefusedOrUnnoticed,
}

/// One request is refused, or is what it would be without the attack.
pub(crate) const BAD_REQUEST: End = End::Refused(&[400]);

impl<'a> Attack<'a> {
    /// A GET of every path with these lines in its head.
    pub(crate) fn with(lines: &str) -> Self {
        let (method, target, version, host) = ("GET", "{}", "HTTP/1.1", "Host: a\r\n");
        let lines = lines.replace("{}", FORGED);
        Self { method, target, version, host, lines, body: "", trailers: "" }
    }

    /// A GET of these targets.
    pub(crate) fn on(target: &'a str) -> Self {
        Self { target, ..Self::with("") }
    }

    pub(crate) fn method(self, method: &'a str) -> Self {
        Self { method, ..self }
    }

    pub(crate) fn version(self, version: &'a str) -> Self {
        Self { version, ..self }
    }

    pub(crate) fn host(self, host: &'a str) -> Self {
        Self { host, ..self }
    }

    pub(crate) fn body(self, body: &'a str) -> Self {
        Self { body, ..self }
    }

    pub(crate) fn trailers(self, trailers: &'a str) -> Self {
        Self { trailers, ..self }
    }

    /// The bytes over HTTP/1.1.
    fn wire(&self, situation: &Situation, token: &str) -> String {
        let Self { method, version, host, body, .. } = self;
        let target = self.target.replace("{}", situation.path);
        let mut head = format!("{method} {target} {version}\r\n{host}");
        if situation.with_token {
            head += &format!("Authorization: Bearer {token}\r\n");
        }
        if !self.lines.is_empty() {
            head += &format!("{}\r\n", self.lines);
        }
        if self.trailers.is_empty() {
            return format!("{head}\r\n{body}");
        }
        let (length, trailers) = (body.len(), self.trailers.replace("{}", FORGED));
        format!(
            "{head}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n{trailers}\r\n\r\n"
        )
    }

    /// The fields over HTTP/2: each line is one, whatever is in it.
    fn fields(&self, situation: &Situation, token: &str) -> Vec<Field> {
        let target = self.target.replace("{}", situation.path);
        let mut fields =
            vec![field(":method", self.method), field(":scheme", "http"), field(":path", &target)];
        for line in self.host.split_terminator("\r\n") {
            fields.push(field(
                ":authority",
                line.split_once(':').map_or("", |(_, host)| host.trim()),
            ));
        }
        if situation.with_token {
            fields.push(field("authorization", &format!("Bearer {token}")));
        }
        fields.extend(lines_as_fields(&self.lines));
        fields
    }
}

fn field(name: &str, value: &str) -> Field {
    (name.to_owned(), value.to_owned())
}

fn lines_as_fields(lines: &str) -> Vec<Field> {
    let of_line = |line: &str| {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        field(&name.to_ascii_lowercase(), value.trim_matches([' ', '\t']))
    };
    lines.split("\r\n").filter(|line| !line.is_empty()).map(of_line).collect()
}

/// A gateway, and a user of it whose requests must stay what they are.
pub(crate) struct Attacked {
    pub(crate) gateway: Gateway,
    pub(crate) token: String,
    openid: String,
}

impl Attacked {
    pub(crate) async fn start() -> Self {
        Self::over(Gateway::start().await).await
    }

    pub(crate) async fn over(gateway: Gateway) -> Self {
        let token = gateway.log_in("alice").await;
        let openid = gateway.wechat.openid("alice");
        Self { gateway, token, openid }
    }

    /// Tries it in every situation, over both protocols.
    pub(crate) async fn withstands(&self, attack: &Attack<'_>, end: End) {
        self.withstands_over_http1(attack, end).await;
        self.withstands_over_http2(attack, end).await;
    }

    pub(crate) async fn withstands_over_http1(&self, attack: &Attack<'_>, end: End) {
        for situation in &SITUATIONS {
            let sent = attack.wire(situation, &self.token);
            let before = self.gateway.upstream.requests().len();
            let mut wire = self.gateway.wire().await;
            let _ = wire.try_send(&sent).await;
            let answer = wire.next_answer(attack.method == "HEAD").await;
            let outcome = match answer {
                None => Outcome::Closed,
                Some(answer) => Outcome::Answer { status: answer.status, body: answer.body },
            };
            self.judge(situation, end, &outcome, before, &sent);
            let refused = matches!(&outcome, Outcome::Answer { status: 400, .. });
            self.goes_on_over_http1(wire, refused, &sent).await;
        }
    }

    pub(crate) async fn withstands_over_http2(&self, attack: &Attack<'_>, end: End) {
        for situation in &SITUATIONS {
            let sent = attack.fields(situation, &self.token);
            let described = format!("{:?} over HTTP/2 in {situation:?}", attack);
            let before = self.gateway.upstream.requests().len();
            let mut wire = Http2Wire::connect(self.gateway.address).await;
            let has_body = !attack.body.is_empty();
            let has_trailers = !attack.trailers.is_empty();
            let id = wire.begin(&sent, !has_body && !has_trailers).await;
            if has_body {
                wire.data(id, attack.body.as_bytes(), !has_trailers).await;
            }
            if has_trailers {
                let trailers = attack.trailers.replace("{}", FORGED);
                wire.fields(id, &lines_as_fields(&trailers), true).await;
            }
            let outcome = wire.outcome(id).await;
            self.judge(situation, end, &outcome, before, &described);
            self.goes_on_over_http2(wire, &described).await;
        }
    }

    /// What the attack itself came to, for its client and at the service.
    fn judge(&self, situation: &Situation, end: End, outcome: &Outcome, before: usize, sent: &str) {
        let seen = self.gateway.upstream.requests().split_off(before);
        assert!(seen.len() <= 1, "{sent:?} came as {} requests: {seen:#?}", seen.len());
        let refusals = match end {
            End::Refused(statuses) => statuses,
            End::RefusedOrUnnoticed => &[400],
            End::Unnoticed => &[],
        };
        let is_refused = match outcome {
            Outcome::Answer { status, .. } => refusals.contains(status),
            // Over HTTP/2 the library resets what is malformed (RFC 9113, 8.1.1).
            Outcome::Refused | Outcome::Closed => !refusals.is_empty(),
        };
        let is_ordinary =
            matches!(outcome, Outcome::Answer { status, .. } if *status == situation.status);
        let may_be_ordinary = !matches!(end, End::Refused(_));
        assert!(is_refused || (is_ordinary && may_be_ordinary), "{sent:?} came to {outcome:?}");
        if let Outcome::Answer { body, .. } = outcome {
            assert!(!String::from_utf8_lossy(body).contains(FORGED), "{sent:?}: {outcome:?}");
        }
        if is_ordinary && may_be_ordinary {
            let arrived = usize::from(situation.arrives != Arrives::Not);
            assert_eq!(seen.len(), arrived, "{sent:?} in {situation:?}: {seen:#?}");
        } else {
            // What breaks off in its body has sent its head.
            assert!(seen.iter().all(|seen| !seen.whole), "{sent:?} arrived: {seen:#?}");
        }
        for seen in &seen {
            self.assert_true(seen, situation.arrives == Arrives::OfTheUser, sent);
        }
    }

    /// That a request says of its client what is true, once, and nothing else.
    fn assert_true(&self, seen: &Seen, is_of_the_user: bool, sent: &str) {
        let what = format!("{sent:?} arrived as\n{}", seen.head);
        for text in [FORGED, FORGED_ADDRESS, &self.token] {
            assert!(!seen.holds(text), "{text}: {what}");
        }
        let folded = |name: &str| name.to_ascii_lowercase().replace(['_', '.'], "-");
        let names = seen.lines().map(|(name, _)| folded(name));
        let mut identity: Vec<_> = names.filter(|name| name.starts_with("x-wx-")).collect();
        identity.sort();
        if is_of_the_user {
            let expected = ["x-wx-appid", "x-wx-call-id", "x-wx-openid", "x-wx-source"];
            assert_eq!(identity, expected, "{what}");
            assert_eq!(seen.header("x-wx-openid"), Some(self.openid.as_str()), "{what}");
        } else {
            assert_eq!(identity, [""; 0], "{what}");
        }
        assert_eq!(seen.read_as("x-forwarded-for"), ["127.0.0.1"], "{what}");
        assert_eq!(seen.read_as("x-real-ip"), ["127.0.0.1"], "{what}");
        assert_eq!(seen.read_as("x-forwarded-proto"), ["http"], "{what}");
        assert_eq!(seen.read_as("x-request-id").len(), 1, "{what}");
        assert_eq!(seen.read_as("host").len(), 1, "{what}");
        let framings = ["content-length", "transfer-encoding"].map(|name| seen.read_as(name).len());
        assert!(framings[0] + framings[1] <= 1, "{what}");
        assert!(seen.head.starts_with(&format!("{} /", seen.method())), "{what}");
        assert!(!seen.head.replace("\r\n", "").contains(['\r', '\n', '\0']), "{what}");
    }

    /// An ordinary request on the same connection, where it goes on, and one on a new one.
    async fn goes_on_over_http1(&self, mut wire: Wire, refused: bool, sent: &str) {
        let before = self.gateway.upstream.requests().len();
        let next = format!(
            "GET /api/next HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
            self.token
        );
        let same = match wire.try_send(&next).await {
            Ok(()) => wire.next_answer(false).await,
            Err(_) => None,
        };
        let goes_on = usize::from(same.is_some());
        if let Some(same) = same {
            assert!(!refused, "{sent:?}: the connection goes on after {same:?}");
            assert_eq!(same.status, 200, "{sent:?}: {same:?}");
        }
        assert_eq!(Wire::ask(self.gateway.address, &next).await.status, 200, "after {sent:?}");
        self.assert_ordinary(before, goes_on + 1, sent);
    }

    async fn goes_on_over_http2(&self, mut wire: Http2Wire, sent: &str) {
        let before = self.gateway.upstream.requests().len();
        let user = SITUATIONS[0];
        let next = Attack::on("/api/next").fields(&user, &self.token);
        let id = wire.begin(&next, true).await;
        let same = wire.outcome(id).await;
        let goes_on = match &same {
            Outcome::Closed => 0,
            Outcome::Answer { status: 200, .. } => 1,
            other => panic!("{sent}: then {other:?}"),
        };
        let mut new = Http2Wire::connect(self.gateway.address).await;
        let id = new.begin(&next, true).await;
        let outcome = new.outcome(id).await;
        assert!(matches!(outcome, Outcome::Answer { status: 200, .. }), "{sent}: {outcome:?}");
        self.assert_ordinary(before, goes_on + 1, sent);
    }

    /// That so many requests of the user came, and nothing else but the head of an attack that was broken
    /// off.
    fn assert_ordinary(&self, before: usize, count: usize, sent: &str) {
        let seen = self.gateway.upstream.requests().split_off(before);
        let (ordinary, late): (Vec<_>, Vec<_>) =
            seen.into_iter().partition(|seen| seen.target() == "/api/next");
        assert_eq!(ordinary.len(), count, "after {sent:?}: {ordinary:#?}");
        for seen in &ordinary {
            assert_eq!(seen.method(), "GET", "after {sent:?}");
            self.assert_true(seen, true, sent);
        }
        let broken_off = |seen: &Seen| !seen.whole && !seen.holds(FORGED);
        assert!(late.len() <= 1 && late.iter().all(broken_off), "after {sent:?}: {late:#?}");
    }
}
