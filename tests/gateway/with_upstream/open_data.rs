//! `phone` and `open-data` with an upstream.

use serde_json::{Value, json};
use wxgate::simulator::Payload;

use super::{body, json_reply};
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::open_data::{assert_refused, encoded, sealed_fields};
use crate::support::wechat::APPID;
use crate::upstream::{Reply, Upstream};

#[tokio::test]
async fn the_upstream_of_phone_gets_the_clients_fields_and_the_phone_info_and_answers() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    gateway.upstream.on("/bindPhone", json_reply(r#"{"bound":true}"#));
    let token = gateway.log_in("alice").await;
    let code = gateway.wechat.phone_code("alice");
    let own = r#""shop":7,"n":1.50e3,"big":12345678901234567890123,"text":"\u5c0f 程序","#;
    let request = gateway.post("/bindPhone?page=2&a=%2B").token(&token);
    let request =
        request.header("x-wx-openid", "oFORGED").header("content-type", "application/json");
    let answer = request.body(format!(r#"{{{own}"code":"{code}"}}"#)).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"bound":true}"#));
    let seen = gateway.upstream.only();
    assert_eq!(body(&seen)["phone_info"]["purePhoneNumber"], gateway.wechat.phone_number("alice"));
    let text = String::from_utf8(seen.body.clone()).unwrap();
    let begin = format!(r#"{{{own}"page":"2","a":"+","phone_info":{{"phoneNumber":"#);
    assert!(text.starts_with(&begin), "{text}");
    assert_eq!(seen.target(), "/bindPhone?page=2&a=%2B");
    assert_eq!(seen.read_as("x-wx-openid"), [gateway.wechat.openid("alice")]);
    assert_eq!(seen.header("x-wx-appid"), Some(APPID));
    assert_eq!(seen.header("x-wx-call-id"), answer.header("x-request-id"));
    assert!(!seen.holds(&code) && !seen.holds(&token), "{}", seen.head);
}

#[tokio::test]
async fn a_get_arrives_as_a_post_without_what_the_gateway_took() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    for (path, name, payload) in
        [("/bindPhone", "phone_info", Payload::Phone), ("/import", "open_data", Payload::UserInfo)]
    {
        let data = gateway.wechat.sealed("alice", &payload);
        let fields = [
            ("page", "1"),
            ("encryptedData", data.encrypted_data.as_str()),
            ("iv", data.iv.as_str()),
            ("x", "é"),
        ];
        let answer = gateway.get(&format!("{path}?{}", encoded(&fields))).token(&token).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "hello from the upstream"));
        let seen = gateway.upstream.last();
        assert_eq!(seen.target(), format!("{path}?page=1&x=%C3%A9"));
        let body = body(&seen);
        let names: Vec<_> = body.as_object().unwrap().keys().collect();
        assert_eq!(names, ["page", "x", name]);
        assert_eq!(body[name]["watermark"]["appid"], APPID);
        for taken in [&data.encrypted_data, &data.iv, "encryptedData", "\"iv\""] {
            assert!(!seen.holds(taken), "{taken} in {}", seen.head);
        }
    }
}

#[tokio::test]
async fn the_upstream_of_open_data_gets_it_as_wechat_wrote_it() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let inner = r#""step":12345678901234567890123456789,"n":1.0e1,"s":"\/\u5c0f""#;
    let data = gateway.wechat.sealed("alice", &Payload::Json(format!("{{{inner}}}")));
    let mut fields = sealed_fields(&data);
    fields["mine"] = json!([1, { "a": null }]);
    assert_eq!(gateway.post("/import").token(&token).json(&fields).await.status, 200);
    let seen = gateway.upstream.only();
    let text = String::from_utf8(seen.body.clone()).unwrap();
    let begin = format!(r#"{{"mine":[1,{{"a":null}}],"open_data":{{{inner},"watermark":"#);
    assert!(text.starts_with(&begin), "{text}");

    let data = gateway.wechat.sealed("alice", &Payload::UserInfo);
    let fields = json!({ "rawData": data.raw_data, "signature": data.signature, "a": "1" });
    assert_eq!(gateway.post("/import").token(&token).json(&fields).await.status, 200);
    let seen = body(&gateway.upstream.last());
    assert_eq!((&seen["a"], &seen["open_data"]["nickName"]), (&json!("1"), &json!("alice")));
    assert_eq!(seen.as_object().unwrap().len(), 2, "{seen}");
}

#[tokio::test]
async fn a_client_cannot_put_in_what_the_gateway_says() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let forged = "phone_info=13800000000&phone%5Finfo=&a=1";
    let code = gateway.wechat.phone_code("alice");
    let answer = gateway.get(&format!("/bindPhone?code={code}&{forged}")).token(&token).await;
    assert_refused(&answer, 400, "bad_request", "phone_info twice");

    let code = gateway.wechat.phone_code("alice");
    let request = gateway.post("/bindPhone?phone_info=13800000000").token(&token);
    assert_eq!(request.form(&format!("code={code}&open_data=1")).await.status, 200);
    let seen = gateway.upstream.only();
    assert!(body(&seen)["phone_info"].is_object());
    assert!(!seen.holds("13800000000"), "{}", seen.head);
    assert_eq!(seen.body.windows(10).filter(|text| text == b"phone_info").count(), 1);
}

#[tokio::test]
async fn a_token_in_the_query_is_not_in_the_body_for_the_upstream() {
    let config = Config::with_open_data()
        .route(r#"path = "/enter", action = "login", upstream = "shop""#)
        .key("session", r#"token_from = ["authorization", "query:t"]"#);
    let gateway = Gateway::with(config).await;
    let token = gateway.log_in("alice").await;
    let code = gateway.wechat.phone_code("alice");
    let answer = gateway.get(&format!("/bindPhone?a=1&t={token}&code={code}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = gateway.upstream.last();
    assert!(!seen.holds(&token), "{} {}", seen.head, String::from_utf8_lossy(&seen.body));
    assert_eq!(body(&seen)["a"], "1");
    // A login ignores the token that comes with it, and so it is not the upstream's either.
    let code = gateway.wechat.code("alice");
    assert_eq!(gateway.get(&format!("/enter?code={code}&t={token}")).await.status, 200);
    let seen = gateway.upstream.last();
    assert!(!seen.holds(&token), "{} {}", seen.head, String::from_utf8_lossy(&seen.body));
    let code = gateway.wechat.code("alice");
    assert_eq!(gateway.get(&format!("/enter?code={code}")).token(&token).await.status, 200);
    let seen = gateway.upstream.last();
    assert!(!seen.holds(&token), "{}", seen.head);
}

#[tokio::test]
async fn refused_codes_never_reach_the_upstream() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let bobs = gateway.wechat.phone_code("bob");
    for code in [gateway.wechat.code("alice"), bobs, "0".repeat(64)] {
        assert_eq!(gateway.get(&format!("/bindPhone?code={code}")).token(&token).await.status, 400);
    }
    let good = gateway.wechat.phone_code("alice");
    assert_eq!(gateway.get(&format!("/bindPhone?code={good}")).await.status, 401);
    assert_eq!(gateway.upstream.requests().len(), 0);
}

#[tokio::test]
async fn what_the_upstream_answers_passes_through_and_its_failure_is_told() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let ask = async || {
        let code = gateway.wechat.phone_code("alice");
        gateway.get(&format!("/bindPhone?code={code}")).token(&token).await
    };
    let taken = "HTTP/1.1 409 Conflict\r\nContent-Type: text/plain\r\nX-Own: 1\r\n";
    gateway.upstream.on("/bindPhone", Reply::with_head(taken, "taken"));
    let answer = ask().await;
    assert_eq!((answer.status, answer.text().as_str()), (409, "taken"));
    assert_eq!(answer.header("x-own"), Some("1"));
    gateway.upstream.on("/bindPhone", Reply::hang_up());
    assert_refused(&ask().await, 502, "upstream_error", "hung up");
}

#[tokio::test]
async fn a_post_that_was_a_get_is_never_sent_twice() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    for (round, spoilt) in [Reply::hang_up(), Reply::reset()].into_iter().enumerate() {
        // The connection is one that has worked before: there a GET is sent again.
        assert_eq!(gateway.get("/api/x").token(&token).await.status, 200);
        let before = gateway.upstream.requests().len();
        gateway.upstream.on("/bindPhone", spoilt);
        let code = gateway.wechat.phone_code("alice");
        let answer = gateway.get(&format!("/bindPhone?code={code}")).token(&token).await;
        assert_refused(&answer, 502, "upstream_error", &round.to_string());
        let seen = gateway.upstream.requests();
        assert_eq!(seen.len(), before + 1, "sent again: {seen:#?}");
        assert_eq!(seen[before].connection, seen[before - 1].connection, "it was not reused");
    }
}

#[tokio::test]
async fn where_one_server_is_down_the_whole_body_goes_to_the_next() {
    // Bound and not listening: connections are refused, and nobody else gets the port.
    let closed = tokio::net::TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let servers =
        format!("servers = [\"http://{}\", \"${{UPSTREAM}}\"]", closed.local_addr().unwrap());
    let gateway = Gateway::with(Config::with_open_data().table("upstreams.shop", &servers)).await;
    let token = gateway.log_in("alice").await;
    for number in 1..=4 {
        let code = gateway.wechat.phone_code("alice");
        let fields = json!({ "code": code, "long": "x".repeat(60 << 10), "number": number });
        let answer = gateway.post("/bindPhone").token(&token).json(&fields).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let seen: Value = body(&gateway.upstream.last());
        assert_eq!(
            (&seen["number"], seen["long"].as_str().unwrap().len()),
            (&json!(number), 60 << 10)
        );
    }
    assert_eq!(gateway.upstream.requests().len(), 4);
}

#[tokio::test]
async fn a_chunked_body_and_one_by_http2_arrive_as_one_json() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let _other = Upstream::start().await;
    let fields = |size: usize| {
        let code = gateway.wechat.phone_code("alice");
        json!({ "code": code, "long": "x".repeat(size) }).to_string()
    };
    for size in [0, 1000, 50 << 10] {
        let text = fields(size);
        let mut wire = gateway.wire().await;
        let head = "POST /bindPhone HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
        wire.send(format!(
            "{head}Transfer-Encoding: chunked\r\nAuthorization: Bearer {token}\r\n\r\n"
        ))
        .await;
        for part in text.as_bytes().chunks(4000) {
            let part = String::from_utf8_lossy(part);
            wire.send(format!("{:x}\r\n{part}\r\n", part.len())).await;
        }
        wire.send("0\r\n\r\n").await;
        assert_eq!(wire.answer().await.status, 200);
        assert_eq!(body(&gateway.upstream.last())["long"].as_str().unwrap().len(), size);
        // The connection goes on where it should.
        wire.send(format!(
            "GET /api/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n"
        ))
        .await;
        assert_eq!(wire.answer().await.status, 200);

        let request = gateway.request_by_http2(reqwest::Method::POST, "/bindPhone").token(&token);
        let request = request.header("content-type", "application/json").body(fields(size));
        assert_eq!(request.await.status, 200);
        assert_eq!(body(&gateway.upstream.last())["long"].as_str().unwrap().len(), size);
    }
}
