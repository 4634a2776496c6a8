//! What is no profile.

use serde_json::json;

use super::{AVATAR, BOUNDARY, IMAGE_CHECK, NICK_NAME, TEXT_CHECK, config, form, jpeg, png, send};
use crate::support::gateway::Gateway;
use crate::support::open_data::assert_refused;

fn assert_nobody_was_asked(gateway: &Gateway) {
    assert_eq!(gateway.wechat.calls(TEXT_CHECK).len(), 0, "WeChat was asked");
    assert_eq!(gateway.wechat.calls(IMAGE_CHECK).len(), 0, "WeChat was asked");
    assert_eq!(gateway.upstream.connections(), 0);
}

#[tokio::test]
async fn a_form_that_is_no_profile_is_a_400_and_nobody_is_asked() {
    let gateway = Gateway::with(config("")).await;
    let token = gateway.log_in("alice").await;
    let image = jpeg();
    let long = "x".repeat(129);
    let gif = b"GIF89a\x10\0\x10\0\0\0\0\0\0\0\0\0".as_slice();
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>".as_slice();
    for (what, parts) in [
        ("neither", vec![(r#"name="own""#, b"1".as_slice())]),
        ("no parts", vec![]),
        ("an empty nickname", vec![(NICK_NAME, b"".as_slice())]),
        ("an empty avatar", vec![(AVATAR, b"".as_slice())]),
        ("nickname twice", vec![(NICK_NAME, b"a"), (NICK_NAME, b"a")]),
        ("avatar twice", vec![(AVATAR, &image), (AVATAR, &image)]),
        ("an avatar that is no file", vec![(r#"name="avatar""#, image.as_slice())]),
        ("a nickname that is a file", vec![(r#"name="nickName"; filename="a""#, b"a")]),
        ("a name that resembles", vec![(NICK_NAME, b"a"), (r#"name="nickname""#, b"risky")]),
        ("an array", vec![(NICK_NAME, b"a"), (r#"name="nickName[]""#, b"risky")]),
        ("a long nickname", vec![(NICK_NAME, long.as_bytes())]),
        ("a control character", vec![(NICK_NAME, b"a\nb")]),
        ("no UTF-8", vec![(NICK_NAME, b"\xff\xfe")]),
        ("a GIF", vec![(AVATAR, gif)]),
        ("an SVG that is called png", vec![(r#"name="avatar"; filename="a.png""#, svg)]),
        ("no image", vec![(AVATAR, b"just text")]),
    ] {
        let answer = send(&gateway, &token, form(&parts)).await;
        assert_refused(&answer, 400, "bad_request", what);
    }
    assert_nobody_was_asked(&gateway);
}

#[tokio::test]
async fn a_nickname_that_is_no_text_doubled_or_in_another_kind_of_body_is_refused() {
    let gateway = Gateway::with(config("")).await;
    let token = gateway.log_in("alice").await;
    let text = |content_type: &str, body: &str| {
        gateway.post("/profile").header("content-type", content_type).body(body.to_owned())
    };
    let json = |body: &str| text("application/json", body);
    for (what, request) in [
        ("nothing", gateway.get("/profile")),
        ("a number", json(r#"{"nickName":1}"#)),
        ("null", json(r#"{"nickName":null}"#)),
        ("an array", json(r#"{"nickName":["a"]}"#)),
        ("twice", json(r#"{"nickName":"a","nickName":"a"}"#)),
        ("escaped twice", json(r#"{"nickName":"a","nick\u004eame":"risky"}"#)),
        ("two places", gateway.post("/profile?nickName=b").json(&json!({ "nickName": "a" }))),
        ("an avatar in JSON", json(r#"{"nickName":"a","avatar":"aGk="}"#)),
        ("a second name", json(r#"{"nickName":"a","NICKNAME":"risky"}"#)),
        ("half a JSON", json(r#"{"nickName":"a"#)),
        ("no boundary", text("multipart/form-data", "--a\r\n")),
    ] {
        assert_refused(&request.token(&token).await, 400, "bad_request", what);
    }
    for (what, request) in [
        ("text", text("text/plain", "nickName=a")),
        ("an image", text("image/png", "x")),
        ("compressed", json(r#"{"nickName":"a"}"#).header("content-encoding", "gzip")),
    ] {
        assert_refused(&request.token(&token).await, 415, "unsupported_media_type", what);
    }
    let no_token = json(r#"{"nickName":"a"}"#).await;
    assert_refused(&no_token, 401, "token_missing", "no token");
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let twice = gateway.post("/profile?nickName=risky").token(&token);
    let twice = twice.header("content-type", &content_type).body(form(&[(NICK_NAME, b"a")])).await;
    assert_refused(&twice, 400, "bad_request", "in the query beside a form");
    assert_nobody_was_asked(&gateway);
}

#[tokio::test]
async fn an_avatar_or_a_body_beyond_the_routes_limits_is_a_413() {
    let rules = r#", avatar_size = "1KiB", body_size = "4KiB""#;
    let gateway = Gateway::with(config(rules)).await;
    let token = gateway.log_in("alice").await;
    let own = vec![b'x'; 4 << 10];
    for (what, body) in [
        ("the avatar", form(&[(AVATAR, &png(132, 132, 1025))])),
        ("the body", form(&[(AVATAR, &png(132, 132, 1024)), (r#"name="own""#, &own)])),
    ] {
        assert_refused(&send(&gateway, &token, body).await, 413, "body_too_large", what);
    }
    assert_nobody_was_asked(&gateway);
    let body = form(&[(AVATAR, &png(132, 132, 1024))]);
    assert_eq!(send(&gateway, &token, body).await.status, 200);

    let gateway = Gateway::with(config("")).await;
    let token = gateway.log_in("alice").await;
    let body = form(&[(AVATAR, &png(132, 132, (1 << 20) + 1))]);
    let answer = send(&gateway, &token, body).await;
    assert_refused(&answer, 413, "body_too_large", "a byte beyond 1 MiB");
    assert_nobody_was_asked(&gateway);
}
