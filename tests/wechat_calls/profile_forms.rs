//! What a profile request may look like: nothing that the upstream could read differently.

use std::slice;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use wxgate::actions::profile::ProfileInput;
use wxgate::policy::route::ProfileRules;
use wxgate::refusal::Reason;
use wxgate::wechat::client::ImageType;

use crate::support::png;

const MULTIPART: &str = "multipart/form-data; boundary=----WebKitFormBoundaryAaB03x";
const BOUNDARY: &str = "----WebKitFormBoundaryAaB03x";

async fn parse_as(
    content_type: &str,
    query: Option<&str>,
    body: impl Into<Bytes>,
) -> Result<ProfileInput, Reason> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
    let rules = ProfileRules { avatar_size: 2000, ..ProfileRules::default() };
    let parsed = ProfileInput::parse(query, &headers, &body.into(), &rules).await;
    parsed.map_err(|refusal| refusal.reason)
}

async fn parse(body: impl Into<Bytes>) -> Result<ProfileInput, Reason> {
    parse_as(MULTIPART, None, body).await
}

/// A part with these lines of headers.
fn part(headers: &str, content: &[u8]) -> Vec<u8> {
    [b"--", BOUNDARY.as_bytes(), b"\r\n", headers.as_bytes(), b"\r\n\r\n", content, b"\r\n"]
        .concat()
}

fn field(name: &str, content: &[u8]) -> Vec<u8> {
    part(&format!("Content-Disposition: form-data; name=\"{name}\""), content)
}

fn file(name: &str, content: &[u8]) -> Vec<u8> {
    let headers = format!(
        "Content-Disposition: form-data; name=\"{name}\"; filename=\"tmp.gif\"\r\n\
         Content-Type: image/gif"
    );
    part(&headers, content)
}

fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat(), format!("--{BOUNDARY}--\r\n").into_bytes()].concat()
}

#[tokio::test]
async fn nickname_and_avatar_are_read_beside_the_clients_own_parts() {
    let body = form(&[
        field("note", b"\r\n--\r\n"),
        field("nickName", "小明😀".as_bytes()),
        file("avatar", &png(132, 132)),
        file("cover", b"anything"),
        field("note", b"again"),
    ]);
    let input = parse(body).await.unwrap();
    assert_eq!(input.nick_name.as_deref(), Some("小明😀"));
    let avatar = input.avatar.unwrap();
    assert_eq!(avatar.image_type(), ImageType::Png, "whatever name and content type say");
    assert_eq!(avatar.file_name(), Some("tmp.gif"));
}

#[tokio::test]
async fn either_is_enough_and_neither_is_not() {
    let nick_name = parse(form(&[field("nickName", b"Ming")])).await.unwrap();
    assert!(nick_name.avatar.is_none());
    let avatar = parse(form(&[file("avatar", &png(1, 1)), field("nickName", b"")])).await.unwrap();
    assert!(avatar.nick_name.is_none(), "the empty nickname is none");
    for body in [form(&[]), form(&[field("note", b"x")]), form(&[field("nickName", b"")])] {
        assert_eq!(parse(body).await.err(), Some(Reason::BadRequest));
    }
}

#[tokio::test]
async fn a_nickname_alone_comes_as_json_form_or_query_too() {
    for (content_type, query, body) in [
        ("application/json", None, r#"{"nickName":"Ming","age":7}"#),
        ("application/x-www-form-urlencoded", None, "nickName=Ming"),
        ("application/json", Some("nickName=Ming"), ""),
    ] {
        let input = parse_as(content_type, query, body).await.unwrap();
        assert_eq!(input.nick_name.as_deref(), Some("Ming"));
    }
    for body in [
        r#"{"nickName":"a","nickName":"b"}"#,
        r#"{"nickName":"a","nickname":"b"}"#,
        r#"{"nickName":["a"]}"#,
        r#"{"nickName":7}"#,
        r#"{"nickName":""}"#,
        r#"{"nickName":"a","avatar":"https://example.com/a.png"}"#,
        "{}",
        "",
    ] {
        let parsed = parse_as("application/json", None, body).await;
        assert_eq!(parsed.err(), Some(Reason::BadRequest), "{body}");
    }
    let other = parse_as("text/plain", None, "nickName=Ming").await;
    assert_eq!(other.err(), Some(Reason::UnsupportedMediaType));
}

#[tokio::test]
async fn doubled_fields_and_names_that_resemble_them_are_refused() {
    let image = png(1, 1);
    for parts in [
        vec![field("nickName", b"a"), field("nickName", b"a")],
        vec![file("avatar", &image), file("avatar", &image)],
        vec![field("nickName", b"a"), field("nickname", b"b")],
        vec![field("nickName", b"a"), field("NICKNAME", b"b")],
        vec![field("nickName", b"a"), field("nickName[]", b"b")],
        vec![field("nickName", b"a"), field(" nickName", b"b")],
        vec![file("avatar", &image), file("avatar[0]", b"GIF89a")],
        vec![file("avatar", &image), file("Avatar", b"GIF89a")],
        vec![field("nickName", b"a"), field("_charset_", b"utf-7")],
    ] {
        let body = form(&parts);
        let shown = String::from_utf8_lossy(&body).into_owned();
        assert_eq!(parse(body).await.err(), Some(Reason::BadRequest), "{shown}");
    }
    let both = parse_as(MULTIPART, Some("nickName=b"), form(&[field("nickName", b"a")])).await;
    assert_eq!(both.err(), Some(Reason::BadRequest), "in the query as well");
}

#[tokio::test]
async fn a_field_of_the_wrong_kind_is_refused() {
    let gbk = "Content-Disposition: form-data; name=\"nickName\"\r\n\
               Content-Type: text/plain; charset=gbk";
    let base64 = "Content-Disposition: form-data; name=\"nickName\"\r\n\
                  Content-Transfer-Encoding: base64";
    for parts in [
        vec![file("nickName", b"a")],
        vec![field("avatar", &png(1, 1))],
        vec![file("avatar", b"")],
        vec![file("avatar", b"GIF89a\x01\0\x01\0\0\0\0\0")],
        vec![file("avatar", b"<svg/>")],
        vec![field("nickName", b"\xff\xfe")],
        vec![field("nickName", b"a\r\nb")],
        vec![field("nickName", &[b'a'; 129])],
        vec![field("nickName", &[b'a'; 5000])],
        vec![part(gbk, b"a")],
        vec![part(base64, b"YQ==")],
    ] {
        let body = form(&parts);
        let shown = String::from_utf8_lossy(&body).into_owned();
        assert_eq!(parse(body).await.err(), Some(Reason::BadRequest), "{shown}");
    }
    let utf8 = "Content-Disposition: form-data; name=\"nickName\"\r\n\
                Content-Type: text/plain; charset=\"UTF-8\"";
    assert!(parse(form(&[part(utf8, b"a")])).await.is_ok());
    assert!(parse(form(&[field("nickName", "字".repeat(128).as_bytes())])).await.is_ok());
}

#[tokio::test]
async fn an_avatar_beyond_the_routes_size_is_too_large() {
    let mut image = png(132, 132);
    image.resize(2000, 0);
    assert!(parse(form(&[file("avatar", &image)])).await.is_ok());
    image.push(0);
    assert_eq!(parse(form(&[file("avatar", &image)])).await.err(), Some(Reason::BodyTooLarge));
}

#[tokio::test]
async fn a_form_without_one_clear_boundary_is_refused() {
    let body = form(&[field("nickName", b"a")]);
    for content_type in [
        format!("multipart/form-data; boundary=\"{BOUNDARY}\""),
        format!("Multipart/Form-Data;charset=utf-8; BOUNDARY={BOUNDARY};"),
    ] {
        assert!(parse_as(&content_type, None, body.clone()).await.is_ok(), "{content_type}");
    }
    for content_type in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=other",
        "multipart/form-data; boundary=other; boundary=----WebKitFormBoundaryAaB03x",
        "multipart/form-data; boundary=----WebKitFormBoundaryAaB03x; boundary=other",
        "multipart/form-data; boundary=----WebKitFormBoundaryAaB03x; boundary*=utf-8''other",
        "multipart/form-data; boundary=----WebKitFormBoundaryAaB03",
    ] {
        let parsed = parse_as(content_type, None, body.clone()).await;
        assert_eq!(parsed.err(), Some(Reason::BadRequest), "{content_type}");
    }
    let long = format!("multipart/form-data; boundary={}", "a".repeat(71));
    assert_eq!(parse_as(&long, None, body).await.err(), Some(Reason::BadRequest));
}

#[tokio::test]
async fn two_content_types_or_a_content_encoding_are_refused() {
    let body = Bytes::from_static(br#"{"nickName":"a"}"#);
    let rules = ProfileRules::default();
    let mut headers = HeaderMap::new();
    headers.append(CONTENT_TYPE, "application/json".parse().unwrap());
    headers.append(CONTENT_TYPE, MULTIPART.parse().unwrap());
    let refusal = ProfileInput::parse(None, &headers, &body, &rules).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::BadRequest);
    headers.insert(CONTENT_TYPE, "application/json".parse().unwrap());
    headers.insert(CONTENT_ENCODING, "gzip".parse().unwrap());
    let refusal = ProfileInput::parse(None, &headers, &body, &rules).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::UnsupportedMediaType);
}

#[tokio::test]
async fn bytes_that_could_be_another_part_are_refused() {
    let hidden = field("nickName", b"hidden");
    let shown = field("nickName", b"shown");
    let (sound, end) = (form(slice::from_ref(&shown)), form(&[]));
    let bare_lines = String::from_utf8(hidden.clone()).unwrap().replace("\r\n", "\n");
    for body in [
        // Before the first delimiter, after the last, and with other line ends.
        [&hidden[2..], &sound].concat(),
        [sound.clone(), hidden.clone(), end].concat(),
        [b"preamble\r\n".to_vec(), sound.clone()].concat(),
        [sound, b"epilogue".to_vec()].concat(),
        form(&[field("note", bare_lines.as_bytes()), shown.clone()]),
        form(&[field("note", &[b"\r".as_slice(), &hidden].concat()), shown.clone()]),
        // A line that is a delimiter to some.
        String::from_utf8(form(&[field("note", b"x"), shown.clone()]))
            .unwrap()
            .replacen("AaB03x\r\n", "AaB03x\t\r\n", 1)
            .into_bytes(),
    ] {
        let shown = String::from_utf8_lossy(&body).into_owned();
        assert_eq!(parse(body).await.err(), Some(Reason::BadRequest), "{shown}");
    }
}

#[tokio::test]
async fn a_part_that_could_have_another_name_is_refused() {
    for headers in [
        "Content-Disposition: form-data; x=\" name=note\"; name=\"nickName\"",
        "Content-Disposition: form-data; name=\"note\"\r\n\
         Content-Disposition: form-data; name=\"nickName\"",
        "Content-Disposition: form-data; name=\"note\"\n\
         Content-Disposition: form-data; name=\"nickName\"",
        "Content-Disposition: form-data; name=\"note\"\n\nX: y",
        "Content-Disposition: form-data; name=\"note\"; name=\"nickName\"",
        "Content-Disposition: form-data; name=\"note\\\"; name=\"nickName\"",
        "Content-Disposition: form-data; filename=\"note\"",
        "Content-Disposition: attachment; name=\"note\"",
        "Content-Type: text/plain",
    ] {
        // Beside a sound nickname, so that nothing else is wrong.
        let body = form(&[field("nickName", b"shown"), part(headers, b"hidden")]);
        assert_eq!(parse(body).await.err(), Some(Reason::BadRequest), "{headers}");
    }
}

#[tokio::test]
async fn every_form_that_breaks_off_is_refused() {
    let body = form(&[field("nickName", b"Ming"), file("avatar", &png(1, 1))]);
    let whole = body.len() - "\r\n".len();
    for length in 0..whole {
        let parsed = parse(body[..length].to_vec()).await;
        assert_eq!(parsed.err(), Some(Reason::BadRequest), "{length} bytes");
    }
    assert!(parse(body[..whole].to_vec()).await.is_ok(), "the last line end may be missing");
}

#[tokio::test]
async fn huge_names_and_many_parts_are_refused_or_passed_over() {
    let huge = "n".repeat(1 << 20);
    let input = parse(form(&[field(&huge, b"x"), field("nickName", b"Ming")])).await.unwrap();
    assert_eq!(input.nick_name.as_deref(), Some("Ming"));
    let many: Vec<_> = (0..64).map(|n| field(&format!("f{n}"), b"x")).collect();
    let many = [many, vec![field("nickName", b"Ming")]].concat();
    assert_eq!(parse(form(&many)).await.err(), Some(Reason::BadRequest));
    let headers: String = (0..40).map(|n| format!("X-{n}: x\r\n")).collect();
    let headers = format!("{headers}Content-Disposition: form-data; name=\"nickName\"");
    assert_eq!(parse(form(&[part(&headers, b"a")])).await.err(), Some(Reason::BadRequest));
}

#[tokio::test]
async fn a_profile_does_not_show_in_a_log() {
    let body = form(&[field("nickName", b"Mingming"), file("avatar", &png(132, 132))]);
    let shown = format!("{:?}", parse(body).await.unwrap());
    assert!(!shown.contains("Mingming") && !shown.contains("IHDR"), "{shown}");
}
