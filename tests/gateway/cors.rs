//! CORS: pages of browsers (H5) on a route that has it. The gateway answers for the whole route.

use reqwest::Method;

use crate::raw::{Answer, Wire};
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::request::Request;
use crate::upstream::Reply;

const PAGE: &str = "https://h5.example.com";
const EVIL: &str = "https://h5.example.com.evil.example";

fn config() -> Config {
    let cors = format!(r#"cors = {{ origins = ["{PAGE}", "http://localhost:5173"] }}"#);
    Config::default()
        .route(&format!(r#"path = "/h5/**", upstream = "shop", {cors}"#))
        .route(&format!(r#"path = "/h5Login", action = "login", {cors}"#))
        .route(&format!(r#"path = "/h5Post", methods = ["POST"], upstream = "shop", {cors}"#))
        .route(r#"path = "/h5/plain", upstream = "shop""#)
}

fn preflight(gateway: &Gateway, path: &str, origin: &str, method: &str) -> Request {
    gateway
        .request(Method::OPTIONS, path)
        .header("origin", origin)
        .header("access-control-request-method", method)
}

fn cors_of(answer: &Answer) -> Vec<(&str, &str)> {
    let headers = answer.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut found: Vec<_> = headers
        .filter(|(name, _)| name.starts_with("access-control-") || *name == "vary")
        .collect();
    found.sort_unstable();
    found
}

const READ: &str = "retry-after, x-request-id, x-session-token";

#[tokio::test]
async fn a_preflight_is_answered_by_the_gateway_without_a_token() {
    let gateway = Gateway::with(config()).await;
    let answer = preflight(&gateway, "/h5/x", PAGE, "PUT")
        .header("access-control-request-headers", "authorization,content-type")
        .await;
    assert_eq!((answer.status, answer.body.as_slice()), (204, &b""[..]));
    let vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
    assert_eq!(
        cors_of(&answer),
        [
            ("access-control-allow-headers", "authorization, content-type, x-wx-skey"),
            ("access-control-allow-methods", "PUT"),
            ("access-control-allow-origin", PAGE),
            ("access-control-max-age", "600"),
            ("vary", vary),
        ]
    );
    assert!(answer.header("x-request-id").is_some());
    assert_eq!(gateway.upstream.connections(), 0);
}

#[tokio::test]
async fn a_page_of_another_origin_gets_no_word() {
    let gateway = Gateway::with(config()).await;
    let token = gateway.log_in("alice").await;
    for origin in [EVIL, "null", "https://h5.example.com:8443", "http://h5.example.com"] {
        let answer = preflight(&gateway, "/h5/x", origin, "GET").await;
        assert_eq!(answer.status, 204);
        assert_eq!(cors_of(&answer).len(), 1, "only Vary: {answer:?}");
        let answer = gateway.get("/h5/x").token(&token).header("origin", origin).await;
        assert_eq!(answer.status, 200, "CORS keeps pages from reading, it is no access control");
        assert_eq!(cors_of(&answer), [("vary", "Origin")], "{origin}");
    }
}

/// HDR-08: OPTIONS skips no authentication.
#[tokio::test]
async fn hdr_08_an_options_that_is_no_preflight_is_a_request_like_others() {
    let gateway = Gateway::with(config()).await;
    let options = |path: &str| gateway.request(Method::OPTIONS, path);
    let method = "access-control-request-method";
    for request in [
        options("/h5/x"),
        options("/h5/x").header("origin", PAGE),
        options("/h5/x").header(method, "GET"),
        options("/h5/x").header("origin", PAGE).header(method, "FETCH"),
        options("/h5/x").header("origin", PAGE).header(method, "GET").header(method, "POST"),
        options("/h5/x").header("origin", PAGE).header("origin", PAGE).header(method, "GET"),
        // Routes without it.
        preflight(&gateway, "/api/x", PAGE, "GET"),
        preflight(&gateway, "/h5/plain", PAGE, "GET"),
    ] {
        let answer = request.await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "token_missing"));
    }
    assert_eq!(gateway.upstream.connections(), 0);
    let token = gateway.log_in("alice").await;
    assert_eq!(options("/h5/x").header("origin", PAGE).token(&token).await.status, 200);
    assert_eq!(gateway.upstream.last().method(), "OPTIONS");
    // A preflight opens nothing to the request that follows it on the connection.
    let head = format!("Host: a\r\nOrigin: {PAGE}\r\n");
    let mut wire: Wire = gateway.wire().await;
    let asked =
        format!("OPTIONS /h5/x HTTP/1.1\r\n{head}Access-Control-Request-Method: GET\r\n\r\n");
    wire.send(asked).await;
    assert_eq!(wire.answer_to_head().await.status, 204);
    wire.send(format!("GET /h5/x HTTP/1.1\r\n{head}\r\n")).await;
    assert_eq!(wire.answer().await.status, 401);
}

/// The route is that of the method and path which the page wants.
#[tokio::test]
async fn a_preflight_belongs_to_the_route_of_what_it_asks_about() {
    let gateway = Gateway::with(config()).await;
    let answer = preflight(&gateway, "/h5Post", PAGE, "POST").await;
    assert_eq!(answer.header("access-control-allow-methods"), Some("POST"));
    let answer = preflight(&gateway, "/h5Post", PAGE, "DELETE").await;
    assert_eq!((answer.status, cors_of(&answer).len()), (405, 0));
    let answer = preflight(&gateway, "/nowhere", PAGE, "GET").await;
    assert_eq!((answer.status, cors_of(&answer).len()), (404, 0));
    let ambiguous = preflight(&gateway, "/h5/..%2fx", PAGE, "GET").await;
    assert_eq!(ambiguous.status, 400);
}

#[tokio::test]
async fn a_page_may_read_the_answer_of_an_upstream_whatever_that_says_of_it() {
    let gateway = Gateway::with(config()).await;
    let own = "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nVary: Accept-Encoding\r\n\
               Access-Control-Allow-Credentials: true\r\nAccess-Control-Expose-Headers: x-secret\r\n";
    gateway.upstream.on("/h5/x", Reply::with_head(own, "hello"));
    let token = gateway.log_in("alice").await;
    for request in [gateway.get("/h5/x"), gateway.request_by_http2(Method::GET, "/h5/x")] {
        let answer = request.token(&token).header("origin", PAGE).await;
        assert_eq!(
            cors_of(&answer),
            [
                ("access-control-allow-origin", PAGE),
                ("access-control-expose-headers", READ),
                ("vary", "Accept-Encoding"),
                ("vary", "Origin"),
            ]
        );
    }
    // Elsewhere it is the upstream's own matter.
    gateway.upstream.on("/api/x", Reply::with_head(own, "hello"));
    let answer = gateway.get("/api/x").token(&token).header("origin", PAGE).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn a_page_may_read_what_the_gateway_answers_errors_included() {
    let gateway = Gateway::with(config()).await;
    let readable = |answer: &Answer| {
        answer.header("access-control-allow-origin") == Some(PAGE)
            && answer.header("access-control-expose-headers") == Some(READ)
            && answer.header("vary") == Some("Origin")
    };
    let code = gateway.wechat.code("alice");
    let login = gateway.get(&format!("/h5Login?code={code}")).header("origin", PAGE).await;
    assert_eq!((login.status, readable(&login)), (200, true), "{login:?}");
    let token = login.json()["token"].as_str().unwrap().to_owned();
    let wrong = gateway.get("/h5Login?code=0nothing").header("origin", PAGE).await;
    assert_eq!((wrong.status, readable(&wrong)), (401, true), "{wrong:?}");
    let missing = gateway.get("/h5/x").header("origin", PAGE).await;
    assert_eq!((missing.status, readable(&missing)), (401, true), "{missing:?}");
    gateway.upstream.on("/h5/broken", Reply::hang_up());
    let broken = gateway.post("/h5/broken").token(&token).header("origin", PAGE).await;
    assert_eq!((broken.status, readable(&broken)), (502, true), "{broken:?}");
    // No route, no word.
    let unknown = gateway.get("/nowhere").header("origin", PAGE).await;
    assert_eq!((unknown.status, cors_of(&unknown).len()), (404, 0));
    let api = gateway.get("/api/x").header("origin", PAGE).await;
    assert_eq!((api.status, cors_of(&api).len()), (401, 0));
}

#[tokio::test]
async fn what_is_configured_is_said() {
    let own = r#"headers = ["X-Env"], expose = ["X-Total"], credentials = true, max_age = "1h""#;
    let route = |path: &str, cors: &str| {
        format!(r#"path = "{path}", upstream = "shop", auth = "none", cors = {{ {cors} }}"#)
    };
    let config = Config::default()
        .route(&route("/own", &format!(r#"origins = ["{PAGE}"], {own}"#)))
        .route(&route("/any", r#"origins = ["*"]"#));
    let gateway = Gateway::with(config).await;
    let answer = preflight(&gateway, "/own", PAGE, "GET").await;
    let headers = "authorization, content-type, x-wx-skey, x-env";
    for (name, value) in
        [("allow-credentials", "true"), ("allow-headers", headers), ("max-age", "3600")]
    {
        assert_eq!(answer.header(&format!("access-control-{name}")), Some(value));
    }
    let answer = gateway.get("/own").header("origin", PAGE).await;
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    let exposed = format!("{READ}, x-total");
    assert_eq!(answer.header("access-control-expose-headers"), Some(&*exposed));

    let answer = gateway.get("/any").header("origin", EVIL).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("vary"), None, "it is the same for everybody");
    assert_eq!(answer.header("access-control-allow-credentials"), None);
}
