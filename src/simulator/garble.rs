//! Answers spoilt by a fault.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value};

use super::answer::Family;
use super::fault::{Cut, Effect, Garble};
use super::fault_body::FaultBody;
use super::listen::Peer;

/// The answer `body` after `effect`; `peer` is there where the connection is one of ours.
pub(super) fn respond(
    family: Family,
    body: &Value,
    effect: &Effect,
    peer: Option<&Peer>,
) -> Response {
    match effect {
        Effect::Errcode(..) | Effect::Nothing => family.respond(family.render(body)),
        Effect::Garble(garble) => spoil(family, body, *garble),
        Effect::Cut(Cut::InBody) => cut_in_body(family, body),
        Effect::Cut(Cut::BeforeAnswer) => match peer {
            Some(peer) => {
                peer.cut();
                family.respond(Body::empty())
            }
            // In a router on sockets of others, an early end of the body comes closest.
            None => cut_in_body(family, body),
        },
        Effect::HttpStatus(status) => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY);
            page(status)
        }
        Effect::Redirect(to) => {
            let mut response = page(StatusCode::FOUND);
            if let Ok(to) = HeaderValue::from_str(to) {
                response.headers_mut().insert(LOCATION, to);
            }
            response
        }
    }
}

/// A page like those of the proxies in front of WeChat.
pub(super) fn page(status: StatusCode) -> Response {
    let title = status.to_string();
    let html = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\
         \r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    );
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

fn spoil(family: Family, body: &Value, garble: Garble) -> Response {
    let text = || family.render(body);
    match garble {
        Garble::Empty => family.respond(Body::empty()),
        Garble::Endless => family.respond(Body::new(FaultBody::endless())),
        Garble::Gigabyte => {
            let mut response = family.respond(Body::new(FaultBody::gigabyte()));
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(1_000_000_000_u64));
            response
        }
        Garble::Gzip => {
            let mut response = family.respond(gzip(text().as_bytes()));
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            response
        }
        Garble::Html => page(StatusCode::OK),
        Garble::NoOpenid => {
            let mut body = body.clone();
            if let Some(members) = body.as_object_mut() {
                members.shift_remove("openid");
            }
            family.respond(family.render(&body))
        }
        Garble::OpenidControl => {
            family.respond(family.render(&with(body, "openid", "o\r\nX-WX-OPENID: root\0")))
        }
        Garble::OpenidHuge => {
            family.respond(family.render(&with(body, "openid", &"o".repeat(10_240))))
        }
        Garble::SessionKeyShort => {
            family.respond(family.render(&with(body, "session_key", "AAAAAAAAAAAAAAAAAAAA")))
        }
        Garble::Truncated => {
            let mut bytes = text().into_bytes();
            bytes.truncate(bytes.len() / 2);
            family.respond(bytes)
        }
        Garble::WrongTypes => family.respond(family.render(&wrong_types(body))),
    }
}

fn with(body: &Value, name: &str, value: &str) -> Value {
    let mut body = body.clone();
    if let Some(members) = body.as_object_mut() {
        members.insert(name.to_owned(), value.into());
    }
    body
}

fn wrong_types(value: &Value) -> Value {
    match value {
        Value::Null => Value::Bool(true),
        Value::Bool(_) => Value::Null,
        Value::Number(number) => Value::String(number.to_string()),
        Value::String(text) => Value::from(text.len()),
        Value::Array(values) => values.iter().map(wrong_types).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.clone(), wrong_types(value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
    }
}

fn cut_in_body(family: Family, body: &Value) -> Response {
    let text = Bytes::from(family.render(body));
    let length = text.len();
    let mut response = family.respond(Body::new(FaultBody::cut_after(text.slice(..length / 2))));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// The bytes in a gzip member of stored blocks (RFC 1952, RFC 1951 section 3.2.4).
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut member = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut blocks = bytes.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        member.push(u8::from(blocks.peek().is_none()));
        member.extend(length.to_le_bytes());
        member.extend((!length).to_le_bytes());
        member.extend(block);
    }
    member.extend(crc32(bytes).to_le_bytes());
    member.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    member
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_swapped() {
        let body = json!({ "errcode": 0, "openid": "o1", "list": ["a"], "on": true });
        let wrong = json!({ "errcode": "0", "openid": 2, "list": [1], "on": null });
        assert_eq!(wrong_types(&body), wrong);
    }

    #[test]
    fn crc_is_that_of_the_gzip_specification() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926, "the check value of CRC-32/ISO-HDLC");
    }
}
