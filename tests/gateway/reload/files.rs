//! What makes the gateway read its configuration again.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::House;
use crate::admin::ask;
use crate::raw::Wire;
use crate::support::config::Config;
use crate::support::jwt::{KEY, OTHER_KEY};
use crate::support::process::Process;
use crate::support::wechat::SECRET;

#[tokio::test]
async fn sighup_puts_the_file_in_effect_and_says_what_changed() {
    let mut house = House::open(Config::default()).await;
    assert_eq!(house.get("/new/x").await.status, 404);
    let more = r#"path = "/new/**", upstream = "shop", auth = "none""#;
    house.write(&house.config.clone().route(more).table("limits", "body_size = \"1KiB\""));
    house.process.signal("HUP");
    let line = "configuration reloaded, generation 2: 1 route new, [limits] changed";
    house.process.until_logged(line).await;
    assert_eq!(house.get("/new/x").await.status, 200);
    assert_eq!(house.record().await["generation"], 2);
    // Once more: nothing is different, which is an answer too.
    house.process.signal("HUP");
    house.process.until_logged("generation 2 as before: nothing changed").await;
}

#[tokio::test]
async fn the_admin_listener_reloads_when_asked_and_says_what_came_of_it() {
    let token = "a token for the admin listener";
    let config = Config::default().key("admin", "token = \"${ADMIN}\"").variable("ADMIN", token);
    let house = House::open(config).await;
    let reload = async || ask(house.process.admin, "POST", "/reload", Some(token), "").await;
    let more = r#"path = "/new/**", upstream = "shop", auth = "none""#;
    house.write(&house.config.clone().route(more));
    let answer = reload().await;
    // What changed may have been put in effect by then: the file is looked at each second.
    assert_eq!((answer.status, &answer.json()["reloaded"]), (200, &true.into()));
    assert_eq!(house.get("/new/x").await.status, 200);
    house.write(&house.config.clone().route("path = \"no path\""));
    let answer = reload().await;
    assert_eq!(answer.status, 422);
    assert!(
        answer.json()["error"].as_str().unwrap().contains("gateway.toml:"),
        "{}",
        answer.text()
    );
    assert_eq!(house.get("/new/x").await.status, 200);
}

#[tokio::test]
async fn a_file_that_changes_is_put_in_effect_by_itself() {
    let house = House::open(Config::default()).await;
    house.write(
        &house.config.clone().route(r#"path = "/new/**", upstream = "shop", auth = "none""#),
    );
    house.until_generation(2).await;
    assert_eq!(house.get("/new/x").await.status, 200);
    house.write(&house.config);
    house.until_generation(3).await;
    assert_eq!(house.get("/new/x").await.status, 404);
}

/// As the kubelet does it: a folder for each version, and a link that is replaced by a rename.
fn publish(folder: &Path, version: &str, config: &Config) {
    let data = folder.join(version);
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("gateway.toml"), config.text()).unwrap();
    symlink(version, folder.join("..data_tmp")).unwrap();
    std::fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
}

#[tokio::test]
async fn a_config_map_is_followed_three_times_over() {
    let house = House::open(Config::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let (root, file) = (folder.path().to_owned(), folder.path().join("gateway.toml"));
    publish(&root, "..2026_11_22_1", &house.config);
    symlink("..data/gateway.toml", &file).unwrap();
    let mounted = House {
        process: Process::start_in(folder, file, &house.config).await,
        ..House::open(Config::default()).await
    };
    for version in 2..5_u64 {
        let route = format!(r#"path = "/v{version}/**", upstream = "shop", auth = "none""#);
        publish(&root, &format!("..2026_11_22_{version}"), &house.config.clone().route(&route));
        std::fs::remove_dir_all(root.join(format!("..2026_11_22_{}", version - 1))).unwrap();
        mounted.until_generation(version).await;
        assert_eq!(mounted.get(&format!("/v{version}/x")).await.status, 200);
        assert_eq!(mounted.get(&format!("/v{}/x", version - 1)).await.status, 404);
    }
}

#[tokio::test]
async fn keys_in_a_file_are_rotated_by_writing_it() {
    let keys = "signing_keys_file = [\"first.key\", \"second.key\"]";
    let config = Config::default().table("session", keys);
    let mut house = House::open_with(config, &[("first.key", KEY), ("second.key", KEY)]).await;
    let old = house.token("alice").await;
    house.process.write("first.key", OTHER_KEY);
    house.until_generation(2).await;
    let new = house.token("alice").await;
    for token in [&old, &new] {
        assert_eq!(house.get_with("/api/x", token).await.status, 200);
    }
    // The old key goes, and with it what it signed, though it was verified here a moment ago.
    house.process.write("second.key", OTHER_KEY);
    house.until_generation(3).await;
    assert_eq!(house.get_with("/api/x", &old).await.status, 401);
    assert_eq!(house.get_with("/api/x", &new).await.status, 200);
    house.process.until_logged("generation 2: the signing keys changed").await;
    let log = house.process.log();
    assert!(!log.contains(KEY) && !log.contains(OTHER_KEY));
}

#[tokio::test]
async fn an_app_secret_in_a_file_is_used_from_the_next_login_on() {
    let app = format!("appid = \"{}\"\nsecret_file = \"wx.secret\"", crate::support::wechat::APPID);
    let config = Config::default().table("apps.shop", &app);
    let wrong = SECRET.replace('0', "f");
    let mut house = House::open_with(config, &[("wx.secret", &wrong)]).await;
    assert_eq!(house.log_in("alice").await.code(), "wechat_misconfigured");
    house.process.write("wx.secret", SECRET);
    house.until_generation(2).await;
    assert_eq!(house.log_in("alice").await.status, 200);
    house.process.until_logged("generation 2: app shop changed").await;
}

#[tokio::test]
async fn what_needs_a_restart_is_said_and_stays_as_it_was() {
    let mut house = House::open(Config::default()).await;
    let server = "listen = [\"127.0.0.1:1\"]\nworkers = 7\nh2c = false\nlame_duck = \"0s\"";
    let config = house.config.clone().table("server", server);
    let config = config.table("admin", "listen = \"127.0.0.1:2\"");
    let store = "url = \"redis://127.0.0.1:3\"\nencryption_keys = [\"${SEAL}\"]";
    let config = config.table("store", store).table("session", "signing_keys_file = \"s.key\"");
    let seal = "dGVzdC1vbmx5IGVuY3J5cHRpb24ga2V5IDMyIGJ5dGU=";
    house.process.write("s.key", KEY);
    house.process.write("gateway.toml", &config.text().replace("${SEAL}", seal));
    house.process.signal("HUP");
    let store = "[store] (all but encryption_keys)";
    let listen = "[server] listen, tls, proxy_protocol or h2c";
    let keys = [listen, "[server] workers", "[admin] listen", store];
    for key in keys {
        house.process.until_logged(&format!("{key} has changed")).await;
    }
    house.until_generation(2).await;
    let record = house.record().await;
    assert_eq!(record["last"]["needs_restart"].as_array().unwrap().len(), keys.len(), "{record}");
    // It listens where it did, keeps the sessions where they were, and goes on.
    let token = house.token("alice").await;
    assert_eq!(house.get_with("/api/x", &token).await.status, 200);
    let ready = Wire::ask(house.process.admin, "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(ready.status, 200);
}
