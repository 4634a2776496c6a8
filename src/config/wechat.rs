//! `[wechat]`.

use std::time::Duration;

use http::Uri;

use super::problem::Complaint;
use super::section::Section;
use super::url::Origin;
use super::value::Form;
use crate::wechat::client::Settings;

const BASE_URL: Form = Form { noun: "URL of WeChat", help: r#"write "https://api.weixin.qq.com""# };
const PROXY: Form = Form {
    noun: "URL of a forward proxy",
    help: r#"write "http://egress:3128" or "socks5://egress:1080""#,
};

pub(super) fn read(wechat: &mut Section<'_>) -> Settings {
    let base = wechat.key("base_url").parsed(&BASE_URL, base_url);
    let fallback = wechat.key("fallback_url").parsed(&BASE_URL, base_url);
    // Who names another WeChat, a simulator say, does not mean the real one as a way out.
    let default_fallback = match base.is_given() {
        true => None,
        false => Some(Uri::from_static("https://api2.weixin.qq.com")),
    };
    Settings {
        base_url: base.optional().unwrap_or_else(|| Uri::from_static("https://api.weixin.qq.com")),
        fallback_url: fallback.optional().or(default_fallback),
        connect_timeout: wechat.key("connect_timeout").timeout().or(Duration::from_secs(1)),
        timeout: wechat.key("timeout").timeout().or(Duration::from_secs(3)),
        proxy: wechat.key("proxy").parsed(&PROXY, proxy).optional(),
    }
}

/// Calls carry the AppSecret, so that plain http stays on this machine.
fn base_url(text: &str) -> Result<Uri, Complaint> {
    let origin = Origin::parse(text, &BASE_URL)?;
    match origin.scheme.as_str() {
        "https" => Ok(origin.uri),
        "http" if origin.is_loopback() => Ok(origin.uri),
        "http" => Err(Complaint::new("would send the AppSecret in the clear")
            .help("write https; http is for 127.0.0.1, ::1 and localhost")),
        _ => Err(BASE_URL.missed()),
    }
}

fn proxy(text: &str) -> Result<Uri, Complaint> {
    let origin = Origin::parse_with_user(text, &PROXY)?;
    match origin.scheme.as_str() {
        "http" | "https" | "socks5" | "socks5h" => Ok(origin.uri),
        _ => Err(PROXY.missed()),
    }
}
