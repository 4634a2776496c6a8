//! `profile`: the nickname and the avatar that a user fills in, checked before the upstream has them.

mod checked;
mod forwarded;
mod input;

use crate::raw::Answer;
use crate::support::config::Config;
use crate::support::gateway::Gateway;

const TEXT_CHECK: &str = "msg_sec_check";
const IMAGE_CHECK: &str = "img_sec_check";
const LATER_CHECK: &str = "media_check_async";
const BOUNDARY: &str = "----WebKitFormBoundaryABC123";

/// The standard routes with `/profile`, and this in its route.
fn config(route: &str) -> Config {
    let route = format!(r#"path = "/profile", action = "profile", upstream = "shop"{route}"#);
    Config::default().route(&route)
}

/// A part of a form: what its Content-Disposition says after `form-data; `, and its bytes.
type Part<'a> = (&'a str, &'a [u8]);

const NICK_NAME: &str = r#"name="nickName""#;
const AVATAR: &str = r#"name="avatar"; filename="tmp_1.jpg""#;

/// A form as wx.uploadFile writes it.
fn form(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (disposition, bytes) in parts {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n");
        body.extend([head.as_bytes(), bytes, b"\r\n"].concat());
    }
    body.extend(format!("--{BOUNDARY}--\r\n").into_bytes());
    body
}

async fn send(gateway: &Gateway, token: &str, body: Vec<u8>) -> Answer {
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let request = gateway.post("/profile?page=1").token(token);
    request.header("content-type", &content_type).body(body).await
}

/// The beginning of a PNG of this size in pixels, with so many bytes.
fn png(width: u32, height: u32, length: usize) -> Vec<u8> {
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let mut bytes =
        [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &size, b"\x08\x06\0\0\0"].concat();
    let noise = (0..length.saturating_sub(bytes.len())).map(|at| (at * 31 % 251) as u8);
    bytes.extend(noise.collect::<Vec<_>>());
    bytes
}

fn jpeg() -> Vec<u8> {
    b"\xff\xd8\xff\xe0\0\x04\0\0\xff\xc0\0\x0b\x08\0\x64\0\x84\x01\0".to_vec()
}

fn webp() -> Vec<u8> {
    b"RIFF\x20\0\0\0WEBPVP8 \x14\0\0\0\0\0\0\x9d\x01\x2a\x84\0\x64\0".to_vec()
}
