//! What holds in front of every service, whichever gateway stands there and asks wxgate.

use std::net::SocketAddr;

use crate::raw::{Answer, Wire};
use crate::support::gateway::Gateway;
use crate::upstream::Seen;

const FORGED: &str = "oFORGEDFORGEDFORGEDFORGED";

/// Ways to say who one is, each a part of a head.
const SPOOFS: [&str; 10] = [
    "X-WX-OPENID: {}\r\n",
    "x-wx-openid: {}\r\nX-Wx-Openid: {}\r\n",
    "x_wx_openid: {}\r\n",
    "X-WX_OPENID: {}\r\n",
    "X.WX.OPENID: {}\r\n",
    "X-WX-UNIONID: {}\r\nX-WX-SOURCE: wx_client\r\n",
    "X-WX-FROM-OPENID: {}\r\n",
    "X-WX-Assertion: {}\r\nx_wx_assertion: {}\r\n",
    "Connection: close, X-WX-OPENID\r\nX-WX-OPENID: {}\r\n",
    "Connection: X-WX-OPENID, X-WX-SOURCE, X-WX-APPID\r\n",
];

/// Ways to say where a request came from, and what else it asks for than its first line. Each says 4bf92f.
const ORIGINS: &str = "Forwarded: for=4bf92f;host=4bf92f;proto=https\r\n\
    X-Forwarded-For: 6.6.6.6\r\n\
    X-Forwarded-Host: 4bf92f.example\r\n\
    X-Forwarded-Proto: https\r\n\
    X-Forwarded-Prefix: /4bf92f\r\n\
    X-Real-IP: 6.6.6.6\r\n\
    X-Request-Id: 4bf92f\r\n\
    traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\
    tracestate: a=4bf92f\r\n\
    X-HTTP-Method: 4bf92f\r\n\
    X-HTTP-Method-Override: 4bf92f\r\n\
    X-Method-Override: 4bf92f\r\n\
    X-Original-URL: /4bf92f\r\n\
    X-Rewrite-URL: /4bf92f\r\n";

/// Paths that somebody could read as another one: nginx, or the service behind it.
const DETOURS: [&str; 24] = [
    "/public/../api/x",
    "/public/%2e%2e/api/x",
    "/public/%2E%2E/api/x",
    "/public/..%2fapi/x",
    "/public/.%2e/api/x",
    "/public/..;/api/x",
    "/public//../api/x",
    "/public/x/../../api/x",
    "/public/%252e%252e/api/x",
    "/public/..\\api/x",
    "//public/../api/x",
    "/public/..%5capi/x",
    "/public/..%5Capi/x",
    "/public/..%3b/api/x",
    "/public/..;x=1/api/x",
    "/api/../public/x",
    "/api/%2e%2e/public/x",
    "/api/.%2E/public/x",
    "/api/..%2fpublic/x",
    "/api/%2e%2e%2fpublic/x",
    "/api/x/..%2f..%2fpublic/x",
    "/api/..;/public/x",
    "/api/..%5cpublic/x",
    "/api/%252e%252e/public/x",
];

/// A gateway that asks wxgate, before a service.
pub(crate) struct Front {
    pub(crate) gateway: Gateway,
    pub(crate) address: SocketAddr,
}

impl Front {
    /// The answer to the head of a GET, which is closed with its end.
    async fn get(&self, path: &str, lines: &str) -> Option<Answer> {
        let mut wire = Wire::connect(self.address).await;
        wire.send(format!("GET {path} HTTP/1.1\r\nHost: shop.example.com\r\n{lines}\r\n")).await;
        wire.next_answer(false).await
    }

    /// What arrived of the request that `send` makes: none, or one.
    async fn arrived(&self, send: impl Future<Output = Option<Answer>>) -> (u16, Option<Seen>) {
        let before = self.gateway.upstream.requests().len();
        let status = send.await.map_or(0, |answer| answer.status);
        let mut seen = self.gateway.upstream.requests().split_off(before);
        assert!(seen.len() <= 1, "{seen:#?}");
        (status, seen.pop())
    }

    fn bearer(token: &str) -> String {
        format!("Authorization: Bearer {token}\r\n")
    }

    /// A user is let through with his identity, once; nobody else is.
    pub(crate) async fn tells_users_apart(&self) {
        let token = self.gateway.log_in("alice").await;
        let (status, seen) =
            self.arrived(self.get("/api/orders?page=1", &Self::bearer(&token))).await;
        let seen = seen.unwrap_or_else(|| panic!("nothing arrived: {status}"));
        assert_eq!((status, seen.target()), (200, "/api/orders?page=1"));
        self.assert_identity(&seen, true, &token);

        for (lines, what) in [
            (String::new(), "no token"),
            (Self::bearer("a.b.c"), "no token of ours"),
            (Self::bearer(&token) + &Self::bearer(&token), "two tokens"),
            ("Authorization: Basic YTpi\r\n".to_owned(), "another scheme"),
        ] {
            let answer = self.get("/api/orders", &lines).await.expect(what);
            assert!(matches!(answer.status, 400 | 401), "{what}: {answer:?}");
            if answer.status == 401 {
                let kind = answer.header("content-type");
                assert_eq!(kind, Some("application/problem+json"), "{what}");
            }
        }
        let logout = format!(
            "POST /logout HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n{}\r\n",
            Self::bearer(&token)
        );
        assert_eq!(Wire::ask(self.address, logout).await.status, 204, "through this gateway");
        let answer = self.get("/api/orders", &Self::bearer(&token)).await.unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (401, "token_invalid"));
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert_eq!(self.gateway.upstream.requests().len(), 1, "nothing of them arrived");
    }

    /// A body reaches the service whole, and nothing of it is a request.
    pub(crate) async fn passes_bodies_on(&self) {
        let token = self.gateway.log_in("alice").await;
        let inner = "GET /public/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
        for (framing, body) in [
            (format!("Content-Length: {}", inner.len()), inner.to_owned()),
            (
                "Transfer-Encoding: chunked".to_owned(),
                format!("{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len()),
            ),
        ] {
            let before = self.gateway.upstream.requests().len();
            let request = format!(
                "POST /api/x HTTP/1.1\r\nHost: a\r\n{}{framing}\r\n\r\n{body}",
                Self::bearer(&token)
            );
            assert_eq!(Wire::ask(self.address, request).await.status, 200, "{framing}");
            let seen = self.gateway.upstream.requests().split_off(before);
            assert_eq!(seen.len(), 1, "{framing}: {seen:#?}");
            assert_eq!((seen[0].body.as_slice(), seen[0].whole), (inner.as_bytes(), true));
        }
        // The connections that questions go over are in order.
        for _ in 0..3 {
            let answer = self.get("/api/x", &Self::bearer(&token)).await.unwrap();
            assert_eq!(answer.status, 200);
        }
    }

    /// Nobody says himself who he is.
    pub(crate) async fn believes_no_client(&self) {
        let token = self.gateway.log_in("alice").await;
        for spoof in SPOOFS {
            let spoof = spoof.replace("{}", FORGED);
            for (path, with_token) in [("/api/x", true), ("/public/x", false), ("/api/x", false)] {
                let lines = if with_token { Self::bearer(&token) } else { String::new() } + &spoof;
                let (status, seen) = self.arrived(self.get(path, &lines)).await;
                let what = format!("{path} {lines:?}: {status}");
                match (seen, path) {
                    (Some(seen), _) if with_token || path == "/public/x" => {
                        assert_eq!(status, 200, "{what}");
                        self.assert_identity(&seen, with_token, &token);
                    }
                    (Some(seen), _) => panic!("{what} arrived: {seen:#?}"),
                    // Refusing all of it is right, too.
                    (None, "/public/x") => assert_eq!(status, 400, "{what}"),
                    (None, _) if with_token => assert_eq!(status, 400, "{what}"),
                    (None, _) => assert!(matches!(status, 400 | 401), "{what}"),
                }
            }
        }
    }

    /// Of where a request came from and what it asks for, the service and wxgate hear what is true.
    pub(crate) async fn says_itself_where_a_request_came_from(&self) {
        let token = self.gateway.log_in("alice").await;
        let origins = Self::bearer(&token) + ORIGINS;
        // The last one comes from wxgate, which says what it was told.
        for path in ["/api/x", "/public/x", "/session"] {
            let (status, seen) = self.arrived(self.get(path, &origins)).await;
            let seen = seen.unwrap_or_else(|| panic!("nothing arrived of {path}: {status}"));
            assert!(!seen.holds("4bf92f"), "{path}: {}", seen.head);
            for name in ["x-forwarded-for", "x-real-ip"] {
                assert!(!seen.read_as(name).concat().contains("6.6.6.6"), "{path}: {}", seen.head);
            }
            assert_ne!(seen.header("x-forwarded-proto"), Some("https"), "{path}: {}", seen.head);
        }
    }

    /// What is open to everybody needs no token, and what arrives there is nobody's.
    pub(crate) async fn leaves_public_paths_open(&self) {
        let (status, seen) = self.arrived(self.get("/public/x?y=1", "")).await;
        let seen = seen.unwrap_or_else(|| panic!("nothing arrived: {status}"));
        assert_eq!((status, seen.target()), (200, "/public/x?y=1"));
        self.assert_identity(&seen, false, FORGED);
    }

    /// No spelling of a path leads past the question.
    pub(crate) async fn is_passed_by_no_detour(&self) {
        for path in DETOURS {
            let (status, seen) = self.arrived(self.get(path, "")).await;
            match seen {
                None => assert!((400..500).contains(&status), "{path}: {status}"),
                Some(seen) => {
                    let target = seen.target();
                    let is_odd =
                        ["..", "//", "%", ";", "\\"].iter().any(|odd| target.contains(odd));
                    let is_public = target.starts_with("/public/") && !is_odd;
                    assert!(is_public, "{path} arrived as {target} with {status}");
                }
            }
        }
    }

    /// Without wxgate nobody passes.
    pub(crate) async fn closes_without_wxgate(self) {
        let token = self.gateway.log_in("alice").await;
        let Self { gateway, address } = self;
        let upstream = gateway.upstream;
        gateway.app.stop(false).await;
        for lines in [Self::bearer(&token), String::new()] {
            let mut wire = Wire::connect(address).await;
            let head = format!("GET /api/x HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
            wire.send(head).await;
            let answer = wire.next_answer(false).await.expect("an answer");
            assert!(matches!(answer.status, 500..=504), "{answer:?}");
        }
        assert!(upstream.requests().is_empty());
    }

    /// That a request says of its client what is true, in no second spelling.
    fn assert_identity(&self, seen: &Seen, is_of_the_user: bool, token: &str) {
        let what = &seen.head;
        assert!(!seen.holds(FORGED) && !seen.holds(token), "{what}");
        let folded = |name: &str| name.to_ascii_lowercase().replace(['_', '.'], "-");
        let names = seen.lines().map(|(name, _)| folded(name));
        let mut identity: Vec<_> = names.filter(|name| name.starts_with("x-wx-")).collect();
        identity.sort();
        if is_of_the_user {
            let expected =
                ["x-wx-appid", "x-wx-assertion", "x-wx-call-id", "x-wx-openid", "x-wx-source"];
            assert_eq!(identity, expected, "{what}");
            let openid = self.gateway.wechat.openid("alice");
            assert_eq!(seen.header("x-wx-openid"), Some(openid.as_str()), "{what}");
        } else {
            assert_eq!(identity, [""; 0], "{what}");
        }
    }
}
