//! Another configuration while the gateway runs.

mod asked;
mod files;
mod in_effect;
mod load;
mod log;
mod refused;

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::raw::{Answer, Wire};
use crate::support::config::Config;
use crate::support::eventually;
use crate::support::process::Process;
use crate::support::wechat::Wechat;
use crate::upstream::Upstream;

/// The real binary, with the WeChat that it asks and the service behind it.
struct House {
    process: Process,
    upstream: Upstream,
    wechat: Wechat,
    config: Config,
}

impl House {
    async fn open(config: Config) -> Self {
        Self::open_with(config, &[]).await
    }

    /// With these files beside the configuration.
    async fn open_with(config: Config, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Self::open_in(folder, config, Process::start_in).await
    }

    /// Without `RUST_LOG`: the log is as the configuration says.
    async fn open_plainly(config: Config) -> Self {
        Self::open_in(tempfile::tempdir().unwrap(), config, Process::start_plainly_in).await
    }

    async fn open_in(
        folder: TempDir,
        config: Config,
        start: impl AsyncFnOnce(TempDir, PathBuf, &Config) -> Process,
    ) -> Self {
        let (upstream, wechat) =
            (Upstream::start().await, Wechat::start(wxgate::clock::Clock::movable()).await);
        let config = config.variable("WECHAT", wechat.url()).variable("UPSTREAM", upstream.url());
        let path = folder.path().join("gateway.toml");
        std::fs::write(&path, config.text()).unwrap();
        let process = start(folder, path, &config).await;
        Self { process, upstream, wechat, config }
    }

    /// Writes another configuration, whose holes are filled as they were.
    fn write(&self, config: &Config) {
        self.process.write("gateway.toml", &config.text());
    }

    /// What became of the configuration, as readiness tells it.
    async fn record(&self) -> Value {
        let request = "GET /readyz?verbose HTTP/1.1\r\nHost: a\r\n\r\n";
        let answer = Wire::ask(self.process.admin, request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["configuration"].clone()
    }

    async fn until_generation(&self, generation: u64) {
        self.until("generation", generation).await;
    }

    async fn until(&self, count: &str, number: u64) {
        eventually(&format!("{count} is {number}"), async || self.record().await[count] == number)
            .await;
    }

    /// Waits until a configuration is kept out for another reason than this one; gives the reason.
    async fn until_refused(&self, before: Option<&String>) -> String {
        let mut reason = String::new();
        eventually("another configuration is kept out", async || {
            let last = self.record().await["last"].clone();
            reason = last["detail"].as_str().unwrap_or_default().to_owned();
            last["outcome"] == "failed" && before != Some(&reason)
        })
        .await;
        reason
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(path, "").await
    }

    async fn get_with(&self, path: &str, token: &str) -> Answer {
        self.ask(path, &format!("Authorization: Bearer {token}\r\n")).await
    }

    async fn ask(&self, path: &str, headers: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
        Wire::ask(self.process.address, request).await
    }

    async fn log_in(&self, user: &str) -> Answer {
        self.get(&format!("/wxLogin?code={}", self.wechat.code(user))).await
    }

    async fn token(&self, user: &str) -> String {
        let answer = self.log_in(user).await;
        let token = answer.json()["token"].as_str().map(str::to_owned);
        token.unwrap_or_else(|| panic!("a token: {answer:?}"))
    }
}
