//! The log follows the configuration.

use super::House;
use crate::support::config::Config;
use crate::support::eventually;

/// A refusal, which is told at `debug` only.
const REFUSED: &str = "wxgate::proxy::respond";

fn log(settings: &str) -> Config {
    Config::default().table("log", settings)
}

impl House {
    /// Puts these settings of the log in effect.
    async fn logs(&self, settings: &str, generation: u64) {
        self.write(&self.config.clone().table("log", settings));
        self.until_generation(generation).await;
    }
}

#[tokio::test]
async fn the_access_log_is_turned_on_and_off_by_a_reload() {
    let mut house = House::open_plainly(log("access = false")).await;
    for (turn, access) in [(2, true), (3, false), (4, true)] {
        house.get(&format!("/public/before-{turn}")).await;
        house.logs(&format!("access = {access}"), turn).await;
    }
    house.get("/public/last").await;
    // Lines are written in their order.
    house.process.until_logged("\"path\":\"/public/last\"").await;
    let log = house.process.log();
    assert!(log.contains("/public/before-3"), "it was on then: {log}");
    assert!(!log.contains("/public/before-2") && !log.contains("/public/before-4"), "{log}");
}

#[tokio::test]
async fn the_level_follows_a_reload() {
    let house = House::open_plainly(log("level = \"info\"")).await;
    house.get("/nowhere").await;
    house.logs("level = \"debug\"", 2).await;
    assert!(!house.process.log().contains(REFUSED), "{}", house.process.log());
    eventually("a refusal is in the log", async || {
        house.get("/nowhere").await;
        house.process.log().contains(REFUSED)
    })
    .await;
}

#[tokio::test]
async fn the_level_of_rust_log_goes_before_the_files_also_in_a_reload() {
    // It starts with RUST_LOG=trace.
    let mut house = House::open(log("level = \"info\"")).await;
    house.logs("level = \"error\"", 2).await;
    house.process.until_logged("[log] level is error in the configuration now; RUST_LOG").await;
    house.process.until_logged("configuration reloaded, generation 2: [log] changed").await;
    house.get("/nowhere").await;
    house.process.until_logged(REFUSED).await;
}

#[tokio::test]
async fn the_format_of_both_streams_follows_a_reload() {
    let mut house = House::open_plainly(log("format = \"json\"")).await;
    house.logs("format = \"text\"", 2).await;
    house.process.until_logged(" INFO configuration reloaded, generation 2").await;
    house.get("/public/x").await;
    house.process.until_logged(" GET     /public/").await;
    house.logs("format = \"json\"", 3).await;
    house.process.until_logged("\"message\":\"configuration reloaded, generation 3").await;
    house.get("/public/x").await;
    house.process.until_logged("\"message\":\"request\"").await;
}
