//! Client libraries that others wrote, installed by their own package managers in a temporary folder.
//!
//! Where that is not possible, the tests fail; `WXGATE_TESTS_SKIP_EXTERNAL=1` lets them pass without
//! having tested anything.

use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// npm without what only a developer wants of it.
pub(crate) const NPM_INSTALL: [&str; 5] =
    ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"];

/// A temporary copy of the scripts in `tests/external`.
pub(crate) fn folder_with(scripts: &str) -> TempDir {
    copy_of(&format!("tests/external/{scripts}"))
}

/// A temporary copy of a folder of the repository, without the folders in it.
pub(crate) fn copy_of(path: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    for entry in std::fs::read_dir(source).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            continue;
        }
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

/// Whether the library is there; false only where the tester has allowed it to be missing.
pub(crate) async fn installed(folder: &TempDir, install: &[&str]) -> bool {
    let failure = match command(folder, install).output().await {
        Ok(output) if output.status.success() => return true,
        Ok(output) => shown(&output),
        Err(error) => format!("{} does not run: {error}", install[0]),
    };
    let what =
        format!("cannot install the client library with `{}`:\n{failure}", install.join(" "));
    missing(&what, install[0]);
    false
}

/// Fails; returns only where the tester has allowed it to be missing.
fn missing(what: &str, tool: &str) {
    if std::env::var_os("WXGATE_TESTS_SKIP_EXTERNAL").is_some_and(|value| value == "1") {
        eprintln!("\n!!!! NOT TESTED against a program of others: {what}\n");
        return;
    }
    panic!(
        "{what}\nInstall {tool} and give it a registry, or set WXGATE_TESTS_SKIP_EXTERNAL=1 to go on \
         without this test."
    );
}

/// Runs a script with these variables; what it prints last is its result.
pub(crate) async fn run(folder: &TempDir, script: &[&str], variables: &[(&str, &str)]) -> Value {
    let output = with(folder, script, variables).output().await.unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    let stdout = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(stdout.lines().last().unwrap_or_default())
        .unwrap_or_else(|error| panic!("{error} in {}", shown(&output)))
}

/// A script with these variables.
fn with(folder: &TempDir, script: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = command(folder, script);
    command.envs(variables.iter().copied());
    // What it talks to is on this machine: no proxy leads to it.
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(name);
    }
    command
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

/// Starts a script that goes on, with its output piped; none where the tester has allowed its
/// interpreter to be missing. It is killed when it is dropped.
pub(crate) fn start(folder: &TempDir, script: &[&str]) -> Option<Child> {
    start_with(folder, script, &[])
}

/// The same with these variables.
pub(crate) fn start_with(
    folder: &TempDir,
    script: &[&str],
    variables: &[(&str, &str)],
) -> Option<Child> {
    match with(folder, script, variables).stdout(Stdio::piped()).spawn() {
        Ok(child) => Some(child),
        Err(error) => {
            missing(&format!("{} does not run: {error}", script[0]), script[0]);
            None
        }
    }
}
