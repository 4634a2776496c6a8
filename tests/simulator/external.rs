//! Client libraries that others wrote, against the simulator: they log in, fetch a token and a phone
//! number, and open encryptedData with their own code.
//!
//! Their package managers install them in a temporary folder. Where that is not possible, the tests
//! fail; `WXGATE_TESTS_SKIP_EXTERNAL=1` lets them pass without having tested anything.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::support::{APPID, SECRET, Wechat};

#[tokio::test]
async fn node_easywechat_gets_along() {
    let folder = folder_with("easywechat");
    let install = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"];
    if !installed(&folder, &install).await {
        return;
    }
    let wechat = Wechat::start().await;
    let got = run(&wechat, &folder, &["node", "login.js"]).await;
    assert_session(&wechat, &got).await;
}

#[tokio::test]
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

/// A temporary copy of the scripts in `tests/external`.
fn folder_with(scripts: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/external").join(scripts);
    for entry in std::fs::read_dir(source).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

/// Whether the library is there; false only where the tester has allowed it to be missing.
async fn installed(folder: &TempDir, install: &[&str]) -> bool {
    let failure = match command(folder, install).output().await {
        Ok(output) if output.status.success() => return true,
        Ok(output) => shown(&output),
        Err(error) => format!("{} does not run: {error}", install[0]),
    };
    let what =
        format!("cannot install the client library with `{}`:\n{failure}", install.join(" "));
    if std::env::var_os("WXGATE_TESTS_SKIP_EXTERNAL").is_some_and(|value| value == "1") {
        eprintln!("\n!!!! NOT TESTED against an independent client: {what}\n");
        return false;
    }
    panic!(
        "{what}\nInstall {} and give it a registry, or set WXGATE_TESTS_SKIP_EXTERNAL=1 to go on \
         without this test.",
        install[0]
    );
}

/// Runs a script against the simulator; what it prints last is its result.
async fn run(wechat: &Wechat, folder: &TempDir, script: &[&str]) -> Value {
    let mut command = command(folder, script);
    command.env("WECHAT_URL", wechat.simulator.base_url());
    command.env("APPID", APPID).env("SECRET", SECRET);
    // The simulator is on this machine: no proxy leads to it.
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(name);
    }
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    let stdout = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(stdout.lines().last().unwrap_or_default())
        .unwrap_or_else(|error| panic!("{error} in {}", shown(&output)))
}

fn command(folder: &TempDir, words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(folder.path()).kill_on_drop(true);
    command
}

fn shown(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}
