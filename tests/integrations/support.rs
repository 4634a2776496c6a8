//! The wxgate of these tests: that of `docs/integrations/gateway.toml`.

#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "../gateway/support/config.rs"]
pub(crate) mod config;
#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "../gateway/support/gateway.rs"]
pub(crate) mod gateway;
#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "../gateway/support/request.rs"]
pub(crate) mod request;
#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "../gateway/support/wechat.rs"]
pub(crate) mod wechat;

use std::time::{Duration, Instant};

use wxgate::clock::Clock;

use self::gateway::Gateway;
use self::wechat::Wechat;
use crate::raw::PATIENCE;

/// The file as it stands there, with free ports, the simulator, the service of the test and assertions.
pub(crate) async fn documented() -> Gateway {
    changed(|text| text).await
}

/// The same with `/session` a path of the service's, which so shows what wxgate believes of the requests that
/// the other gateway hands on to it.
pub(crate) async fn with_a_path_that_shows_what_is_believed() -> Gateway {
    let session = "path = \"/session\"\naction = \"session\"";
    let shown = "path = \"/session\"\nupstream = \"shop\"\nauth = \"none\"";
    changed(|text| replaced(&text, session, shown)).await
}

/// The same with something changed in the file.
pub(crate) async fn changed(change: impl FnOnce(String) -> String) -> Gateway {
    let text = std::fs::read_to_string("docs/integrations/gateway.toml").unwrap();
    let text = replaced(&text, "wx4f4bc4dec97d474b", wechat::APPID);
    let text = replaced(&text, "127.0.0.1:8080", "127.0.0.1:0");
    let text = replaced(&text, "127.0.0.1:9191", "127.0.0.1:0");
    let text = replaced(&text, "http://127.0.0.1:3000", "${UPSTREAM}");
    let text = format!(
        "{text}\n[identity.assertion]\naudience = \"shop\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[wechat]\nbase_url = \"${{WECHAT}}\"\n"
    );
    let clock = Clock::movable();
    let wechat = Wechat::start(clock.clone()).await;
    Gateway::of_file(&change(text), clock, wechat).await
}

/// A text in which this stands, with something else in its place.
pub(crate) fn replaced(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "{old:?} is not in\n{text}");
    text.replace(old, new)
}

/// Asks again and again until the answer is yes.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "it never came to this: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
