//! What the process says of a configuration that does not work.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::process::{Ended, run_to_end};

struct File {
    path: PathBuf,
    _folder: TempDir,
}

fn file(text: &str) -> File {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    std::fs::write(&path, text).unwrap();
    File { path, _folder: folder }
}

/// What the process says of this text, without the folder of the file.
async fn said_of(text: &str, variables: &[(&str, &str)]) -> Ended {
    let file = file(text);
    let with = |config: Config, (name, value): &(&str, &str)| config.variable(name, *value);
    let config = variables.iter().fold(Config::default(), with);
    let mut ended = run_to_end(&file.path, &config).await;
    let folder = format!("{}/", file.path.parent().unwrap().display());
    ended.stderr = ended.stderr.replace(&folder, "");
    ended
}

#[tokio::test]
async fn every_problem_is_said_in_one_go_with_its_place_and_exit_code_78() {
    let text = r#"
[server]
lisen = ["127.0.0.1:0"]
h2c = "yes"

[apps.shop]
appid = "wx0123456789abcdef"
secret = "${NOT_SET}"

[upstreams.shop]
servers = ["http://127.0.0.1:3000"]
timeout = "soon"

[[routes]]
path = "/api/**"
upstream = "shop"

[[routes]]
path = "/api/**"
upstream = "shop"

[[routes]]
path = "/x"
upstream = "shp"

[[routes]]
path = "/y"
action = "push"
upstream = "shop"
"#;
    let ended = said_of(text, &[]).await;
    assert_eq!(ended.exit_code, Some(78), "{ended:?}");
    let lines: Vec<_> = ended.stderr.lines().collect();
    for (place, words) in [
        ("gateway.toml:3:1:", vec!["lisen", "did you mean \"listen\"?"]),
        ("gateway.toml:4:7:", vec!["h2c"]),
        ("gateway.toml:8:", vec!["NOT_SET"]),
        ("gateway.toml:12:11:", vec!["timeout"]),
        ("gateway.toml:19:", vec!["line 15", "both win"]),
        ("gateway.toml:24:12:", vec!["shp", "did you mean \"shop\"?"]),
        ("gateway.toml:28:10:", vec!["not available yet"]),
    ] {
        let line = lines.iter().find(|line| line.starts_with(place));
        let line = line.unwrap_or_else(|| panic!("nothing at {place}:\n{}", ended.stderr));
        for word in words {
            assert!(line.contains(word), "{word:?} is not in: {line}");
        }
    }
    assert_eq!(lines.len(), 7, "{}", ended.stderr);
}

#[tokio::test]
async fn no_problem_holds_a_secret() {
    let text = r#"
[apps.shop]
appid = "${APP_SECRET}"
secret = "${APP_SECRET}"

[apps.other]
appid = "wx0123456789abcdef"
secret_file = "${APP_SECRET}"

[session]
signing_keys = ["${SHORT_KEY}", "plainly-written-key"]

[store]
encryption_keys = ["${SHORT_KEY}"]
password = "${PASSWORD}"

[[routes]]
path = "/wxLogin"
action = "login"
"#;
    let secrets = [
        ("APP_SECRET", "5ec4e75ec4e75ec4e75ec4e75ec4e75e"),
        ("SHORT_KEY", "c2hvcnQta2V5"),
        ("PASSWORD", "pa55w0rd-of-redis"),
    ];
    let ended = said_of(text, &secrets).await;
    assert_eq!(ended.exit_code, Some(78), "{ended:?}");
    assert!(ended.stderr.lines().count() >= 5, "{}", ended.stderr);
    let values = secrets.iter().map(|(_, value)| *value).chain(["plainly-written-key"]);
    for value in values {
        assert!(!ended.stderr.contains(value), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_a_78_and_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing.toml");
    let ended = run_to_end(&path, &Config::default()).await;
    assert_eq!(ended.exit_code, Some(78), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("missing.toml"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_text_that_is_no_toml_is_said_with_its_place() {
    let ended = said_of("[server]\nlisten = [\n", &[]).await;
    assert_eq!(ended.exit_code, Some(78), "{ended:?}");
    assert!(ended.stderr.starts_with("gateway.toml:"), "{}", ended.stderr);
}

#[tokio::test]
async fn jwt_04_a_short_signing_key_is_refused_before_anything_listens() {
    let config = Config::default().signing_keys(&["c2hvcnQta2V5LW9mLTI0LWJ5dGVz"]);
    let file = file(&config.text());
    let config = config.variable("WECHAT", "http://127.0.0.1:1");
    let config = config.variable("UPSTREAM", "http://127.0.0.1:1");
    let ended = run_to_end(&file.path, &config).await;
    assert_eq!(ended.exit_code, Some(78), "{ended:?}");
    assert!(ended.stderr.contains("32 bytes"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_secret_is_read_from_its_own_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, format!("{}\n", crate::support::wechat::SECRET)).unwrap();
    let app = format!("appid = \"wx0123456789abcdef\"\nsecret_file = \"{}\"", path.display());
    let gateway = Gateway::with(Config::default().table("apps.shop", &app)).await;
    gateway.log_in("alice").await;
}

#[tokio::test]
async fn a_variable_that_is_not_set_has_its_default() {
    let app =
        "appid = \"wx0123456789abcdef\"\nsecret = \"${UNSET:-0123456789abcdef0123456789abcdef}\"";
    let gateway = Gateway::with(Config::default().table("apps.shop", app)).await;
    gateway.log_in("alice").await;
}
