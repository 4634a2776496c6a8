//! What passed the check goes to the upstream as it came.

use super::{AVATAR, BOUNDARY, NICK_NAME, config, form, jpeg, png, send, webp};
use crate::support::gateway::Gateway;
use crate::support::open_data::assert_refused;
use crate::support::wechat::APPID;
use crate::upstream::{Reply, Seen};

fn assert_as_it_came(gateway: &Gateway, seen: &Seen, body: &[u8]) {
    assert!(seen.body == body, "{} of {} bytes:\n{}", seen.body.len(), body.len(), seen.head);
    assert_eq!((seen.method(), seen.target()), ("POST", "/profile?page=1"));
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    assert_eq!(seen.header("content-type"), Some(content_type.as_str()));
    assert_eq!(seen.header("content-length"), Some(body.len().to_string().as_str()));
    assert_eq!(seen.header("transfer-encoding"), None);
    assert_eq!(seen.read_as("x-wx-openid"), [gateway.wechat.openid("alice")]);
    assert_eq!(seen.header("x-wx-appid"), Some(APPID));
    assert!(seen.whole);
}

#[tokio::test]
async fn a_form_of_any_size_arrives_byte_for_byte_with_the_identity() {
    let gateway = Gateway::with(config("")).await;
    gateway
        .upstream
        .on("/profile", Reply::with_head("HTTP/1.1 201 Created\r\nX-Own: 1\r\n", "saved"));
    let token = gateway.log_in("alice").await;
    // Around the buffers on the way, and close to the largest avatar.
    for size in [100, 16 << 10, 64_000, 65_300, 65_536, 65_700, 200_000, 1 << 19, 1 << 20] {
        let image = png(132, 132, size);
        let own = b"the client's own \x00\xff".as_slice();
        let body = form(&[
            (r#"name="own""#, own),
            (NICK_NAME, "小程序".as_bytes()),
            (AVATAR, &image),
            (r#"name="file"; filename="x""#, own),
        ]);
        let answer = send(&gateway, &token, body.clone()).await;
        assert_eq!((answer.status, answer.text().as_str()), (201, "saved"), "{size}: {answer:?}");
        assert_eq!(answer.header("x-own"), Some("1"));
        assert_as_it_came(&gateway, &gateway.upstream.last(), &body);
    }
    assert_eq!(gateway.upstream.connections(), 1);
}

#[tokio::test]
async fn the_same_over_http_2() {
    let gateway = Gateway::with(config("")).await;
    let token = gateway.log_in("alice").await;
    for size in [100, 200_000, 1 << 20] {
        let body = form(&[(AVATAR, &png(132, 132, size))]);
        let request = gateway.request_by_http2(reqwest::Method::POST, "/profile?page=1");
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let request = request.token(&token).header("content-type", &content_type);
        assert_eq!(request.body(body.clone()).await.status, 200, "{size}");
        assert_as_it_came(&gateway, &gateway.upstream.last(), &body);
    }
}

#[tokio::test]
async fn png_jpeg_and_webp_pass_whatever_they_call_themselves() {
    let gateway = Gateway::with(config("")).await;
    let token = gateway.log_in("alice").await;
    for image in [png(132, 132, 300), jpeg(), webp()] {
        for name in ["a.png", "a.exe", "头像.webp", ""] {
            let disposition = format!(r#"name="avatar"; filename="{name}""#);
            let body = form(&[(&disposition, &image)]);
            let answer = send(&gateway, &token, body.clone()).await;
            assert_eq!(answer.status, 200, "{name}: {answer:?}");
            assert_as_it_came(&gateway, &gateway.upstream.last(), &body);
        }
    }
}

#[tokio::test]
async fn a_nickname_as_json_form_or_query_arrives_as_it_was_written() {
    let gateway = Gateway::with(config("")).await;
    let token = gateway.log_in("alice").await;
    let (json, form) = ("application/json", "application/x-www-form-urlencoded");
    for (content_type, path, body) in [
        (
            json,
            "/profile",
            r#"{ "nickName" : "\u5c0f", "n":1.50e3, "big":12345678901234567890123 }"#,
        ),
        (form, "/profile", "nickName=%E5%B0%8F+%E7%A8%8B&a=1"),
        (json, "/profile?nickName=alice", ""),
        (json, "/profile?nickName=alice", r#"{"nickName":"alice"}"#),
    ] {
        let request = gateway.post(path).token(&token).header("content-type", content_type);
        assert_eq!(request.body(body).await.status, 200, "{body}");
        let seen = gateway.upstream.last();
        assert_eq!(String::from_utf8_lossy(&seen.body), body);
        assert_eq!((seen.target(), seen.header("content-type")), (path, Some(content_type)));
        assert_eq!(seen.read_as("x-wx-openid"), [gateway.wechat.openid("alice")]);
        assert!(!seen.holds(&token));
    }
}

/// A body in chunks of this size, with its end.
fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let chunk = |part: &[u8]| [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat();
    let chunks: Vec<u8> = body.chunks(size).flat_map(chunk).collect();
    [chunks.as_slice(), b"0\r\nX-Sum: 1\r\n\r\n"].concat()
}

/// As a proxy in front may send what came to it with a length. However it is cut, and wherever its end is.
#[tokio::test]
async fn a_chunked_form_of_any_size_arrives_and_the_connection_goes_on() {
    let gateway = Gateway::with(config("")).await;
    let token = gateway.log_in("alice").await;
    let head = format!(
        "POST /profile?page=1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    for size in [300, 60_000, 65_300, 70_000, 500_000, 1 << 20] {
        let body = form(&[(AVATAR, &png(132, 132, size))]);
        for (chunk, written) in [(5000, 4000), (100_000, 1 << 20), (300_000, 5000)] {
            let wire_body = chunked(&body, chunk);
            for last in [0, 1, 2, 5, 21, 25] {
                let (begin, end) = wire_body.split_at(wire_body.len() - last);
                let mut wire = gateway.wire().await;
                wire.send(&head).await;
                for part in begin.chunks(written) {
                    wire.send(part).await;
                }
                wire.send(end).await;
                let answer = wire.answer().await;
                assert_eq!(answer.status, 200, "{size} {chunk} {last}: {answer:?}");
                assert_as_it_came(&gateway, &gateway.upstream.last(), &body);
                wire.send(format!("GET /api/x HTTP/1.1\r\nHost: a\r\nX-WX-Skey: {token}\r\n\r\n"))
                    .await;
                assert_eq!(wire.answer().await.status, 200, "the connection goes on");
            }
        }
    }
}

#[tokio::test]
async fn a_chunked_form_over_the_limit_of_the_route_is_a_413() {
    let gateway = Gateway::with(config("")).await;
    let token = gateway.log_in("alice").await;
    let body = form(&[(AVATAR, &png(132, 132, 11 << 20))]);
    let mut wire = gateway.wire().await;
    wire.send(format!(
        "POST /profile HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nTransfer-Encoding: chunked\r\n\r\n"
    ))
    .await;
    for part in chunked(&body, 50_000).chunks(50_000) {
        if wire.try_send(part).await.is_err() {
            break;
        }
    }
    let answer = wire.answer().await;
    assert_refused(&answer, 413, "body_too_large", "in chunks");
    assert_eq!(gateway.upstream.connections(), 0);
}

#[tokio::test]
async fn a_form_that_breaks_off_never_reaches_the_upstream() {
    let gateway = Gateway::with(config("")).await;
    let token = gateway.log_in("alice").await;
    let body = form(&[(AVATAR, &png(132, 132, 1000))]);
    let head = format!(
        "POST /profile HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let mut wire = gateway.wire().await;
    wire.send(&head).await;
    wire.send(&body[..500]).await;
    wire.hang_up();
    for cut in [body.len() - 3, body.len() - 20, 40] {
        let answer = send(&gateway, &token, body[..cut].to_vec()).await;
        assert_refused(&answer, 400, "bad_request", &cut.to_string());
    }
    assert_eq!(gateway.upstream.connections(), 0);
}
