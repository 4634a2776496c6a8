//! WeChat: whether it can be reached, knows the apps, and has the same time.

use super::finding::Finding;
use crate::clock::Clock;
use crate::config::Settings;
use crate::wechat::app::App;
use crate::wechat::client::{Client, Failed, Mode};

/// Below it are the seconds that are cut off, and the way there.
const CLOCK_TOLERANCE: u64 = 5;

pub(super) async fn examine(settings: &Settings) -> Vec<Finding> {
    let client = match Client::new(settings.wechat.clone()) {
        Ok(client) => client,
        Err(error) => {
            return vec![Finding::error("wechat_unavailable", "[wechat]", error.to_string(), "")];
        }
    };
    let mut findings = clock(&client, settings).await;
    for app in &settings.apps {
        findings.push(credentials(&client, app).await);
    }
    findings
}

async fn clock(client: &Client, settings: &Settings) -> Vec<Finding> {
    let about = format!("[wechat] {}", settings.wechat.base_url);
    let Some(theirs) = client.date().await else { return Vec::new() };
    let apart = theirs.abs_diff(Clock::system().now());
    if apart <= CLOCK_TOLERANCE {
        return vec![Finding::good("wechat_clock", &about, "has this machine's time")];
    }
    let what = format!("its clock and this machine's are {apart} s apart");
    let help = "synchronise this machine's (NTP): the age of opened data and the life of tokens depend on it";
    vec![Finding::error("wechat_clock", &about, what, help)]
}

/// stable_token without force gives the token that is in use: nobody loses one.
async fn credentials(client: &Client, app: &App) -> Finding {
    let about = format!("[apps.{}]", app.name);
    match client.stable_token(app, Mode::Normal).await {
        Ok(_) => Finding::good("wechat", &about, "WeChat knows its appid, secret and address"),
        Err(failed) => Finding::error(id(&failed), &about, failed.refusal.to_string(), ""),
    }
}

/// By what has to be done.
fn id(failed: &Failed) -> &'static str {
    match failed.refusal.wechat_errcode {
        None => "wechat_unavailable",
        Some(40001 | 40125) => "wechat_secret",
        Some(40002 | 40013 | 41002) => "wechat_appid",
        Some(40164 | 89503 | 89506 | 89507) => "wechat_whitelist",
        Some(_) => "wechat_refuses",
    }
}
