//! Client libraries that others wrote, against the simulator: they log in, fetch a token and a phone
//! number, and open encryptedData with their own code.

use serde_json::Value;
use tempfile::TempDir;

use crate::packages::{self, NPM_INSTALL, folder_with, installed};
use crate::support::{APPID, SECRET, Wechat};

#[tokio::test]
async fn node_easywechat_gets_along() {
    let folder = folder_with("easywechat");
    if !installed(&folder, &NPM_INSTALL).await {
        return;
    }
    let wechat = Wechat::start().await;
    let got = run(&wechat, &folder, &["node", "login.js"]).await;
    assert_session(&wechat, &got).await;
}

/// A JDK and Maven are too much to install for one test; `.ci/run` runs it where they are.
#[tokio::test]
#[ignore = "needs a JDK and Maven"]
async fn wxjava_gets_along() {
    let folder = folder_with("wxjava");
    let install =
        ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=libraries"];
    if !installed(&folder, &install).await {
        return;
    }
    let wechat = Wechat::start().await;
    let got = run(&wechat, &folder, &["java", "-cp", "libraries/*", "Login.java"]).await;
    assert_session(&wechat, &got).await;
    assert_eq!(got["signed"], true);
}

/// What each script has to have got.
async fn assert_session(wechat: &Wechat, got: &Value) {
    let world = wechat.world();
    let number = world.user("alice").phone_number;
    assert_eq!(got["openid"], world.openid(APPID, "alice"));
    assert_eq!(got["session_key"], world.session_key(APPID, "alice").unwrap());
    assert_eq!((&got["opened_phone"], &got["phone"]), (&number.as_str().into(), &number.into()));
    assert_eq!(got["opened_appid"], APPID);
    assert_eq!(got["token"], wechat.token().await);
    assert!(got["replay"].as_str().unwrap().contains("40163"), "{got}");
}

/// Runs a script against the simulator.
async fn run(wechat: &Wechat, folder: &TempDir, script: &[&str]) -> Value {
    let url = wechat.simulator.base_url();
    let variables = [("WECHAT_URL", url.as_str()), ("APPID", APPID), ("SECRET", SECRET)];
    packages::run(folder, script, &variables).await
}
