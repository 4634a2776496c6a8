//! A configuration that does not work never takes effect.

use super::House;
use crate::support::config::Config;
use crate::support::jwt::KEY;

fn config() -> Config {
    Config::default().table("session", "signing_keys_file = \"s.key\"")
}

/// Alice is who she was, nobody else gets in, and the gateway is ready.
async fn goes_on(house: &House, token: &str) {
    assert_eq!(house.get_with("/api/x", token).await.status, 200);
    assert_eq!(house.upstream.last().header("x-wx-openid"), Some(&*house.wechat.openid("alice")));
    assert_eq!(house.get("/api/x").await.code(), "token_missing");
    assert_eq!(house.get_with("/api/x", "x.y.z").await.code(), "token_invalid");
    assert_eq!(house.record().await["generation"], 1);
}

/// CVE-2026-54762: a reload with an unset secret left the protected routes open.
#[tokio::test]
async fn ses_05_rel_07_a_bad_configuration_is_kept_out_and_the_last_good_one_stays() {
    let mut house = House::open_with(config(), &[("s.key", KEY)]).await;
    let token = house.token("alice").await;
    let good = house.config.text();
    let half = &good[..good.len() / 2];
    let bad = [
        ("half of a file", half.to_owned(), ":"),
        ("an empty file", String::new(), "no [apps.NAME] table"),
        ("an unset variable", good.replace("${SECRET}", "${SECRET_THAT_IS_NOT_SET}"), "secret"),
        ("an empty secret", good.replace("\"${SECRET}\"", "\"\""), "secret"),
        ("a missing key", good.replace("s.key", "none.key"), "none.key"),
        (
            "an empty list of keys",
            good.replace("signing_keys_file = \"s.key\"", "signing_keys = []"),
            "empty",
        ),
        ("an unknown key", good.clone() + "[identity]\nopen_id = \"x\"\n", "openid"),
        ("two routes that could both win", good.replace("/maybe", "/api"), "can both win"),
        ("no TOML at all", "\u{0}\u{1}".to_owned(), ":"),
    ];
    let mut said = Vec::new();
    for (what, text, reason) in &bad {
        house.process.write("gateway.toml", text);
        house.process.signal("HUP");
        let detail = house.until_refused(said.last()).await;
        assert!(detail.contains(reason), "{what}: {detail}");
        goes_on(&house, &token).await;
        said.push(detail);
    }
    let line = "configuration not reloaded, generation 1 stays in effect: ";
    house.process.until_logged(line).await;
    std::fs::remove_file(&house.process.file).unwrap();
    assert!(house.until_refused(said.last()).await.contains("cannot be read"));
    goes_on(&house, &token).await;
    // The good one is the one that is in effect already.
    house.process.write("gateway.toml", &good);
    house.process.until_logged("generation 1 as before: nothing changed").await;
    assert_eq!(house.record().await["last"]["outcome"], "unchanged");
}

#[tokio::test]
async fn ses_05_a_secret_file_that_is_gone_or_empty_or_half_written_changes_nothing() {
    let mut house = House::open_with(config(), &[("s.key", KEY)]).await;
    let token = house.token("alice").await;
    let mut said = None;
    for text in ["", "c2hvcnQ=", "-----BEGIN PRIVATE KEY-----\nMC4C"] {
        house.process.write("s.key", text);
        said = Some(house.until_refused(said.as_ref()).await);
        goes_on(&house, &token).await;
    }
    std::fs::remove_file(house.process.file.with_file_name("s.key")).unwrap();
    house.until_refused(said.as_ref()).await;
    goes_on(&house, &token).await;
    // It comes back as it was, and nobody has to be told.
    house.process.write("s.key", KEY);
    house.process.until_logged("generation 1 as before: nothing changed").await;
    goes_on(&house, &token).await;
}

#[tokio::test]
async fn what_stays_bad_is_said_once() {
    let mut house = House::open_with(config(), &[("s.key", KEY)]).await;
    let text = house.config.text().replace("/public/**", "no path");
    house.process.write("gateway.toml", &text);
    house.process.until_logged("configuration not reloaded").await;
    // The same once more: looked at, and not said.
    house.process.write("gateway.toml", &text);
    house.process.until_logged("the configuration was read again: Failed").await;
    assert_eq!(house.process.log().matches("configuration not reloaded").count(), 1);
    assert_eq!(house.record().await["failed"], 1);
    // Who asks is answered each time.
    house.process.signal("HUP");
    house.until("failed", 2).await;
}

#[tokio::test]
async fn a_file_that_was_missing_is_waited_for() {
    let house = House::open(Config::default()).await;
    house.write(&house.config.clone().table("session", "signing_keys_file = \"late.key\""));
    house.until("failed", 1).await;
    house.process.write("late.key", KEY);
    house.until_generation(2).await;
}
