//! The command line as a person uses it: the real binary, what it writes, and how it ends.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "helpers of tests stand outside of them"
)]

#[path = "../support/certificates.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod certificates;
mod check;
mod dev;
mod doctor;
mod ends;
mod explain;
mod keys;
#[path = "../support/packages.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod packages;
#[path = "../support/redis.rs"]
mod redis_server;
mod schema;
mod sessions;
mod shells;
mod token;
mod top;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_wxgate");

/// A file that works, and that nothing is to be said of.
const SHOP: &str = r#"
[apps.shop]
appid = "wx0123456789abcdef"
secret = "${WX_SECRET}"

[upstreams.shop]
servers = ["http://127.0.0.1:3000"]

[[routes]]
path = "/wxLogin"
action = "login"

[[routes]]
path = "/api/**"
upstream = "shop"
"#;

/// A run that came to its end.
#[derive(Debug)]
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ended {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A folder with files.
struct Folder(TempDir);

impl Folder {
    fn with(file: &str, text: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write(file, text);
        folder
    }

    fn write(&self, file: &str, text: &str) -> PathBuf {
        let path = self.path().join(file);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs `wxgate` in it; nothing of the tester's own environment goes in.
    fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, &[], "")
    }

    fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)], stdin: &str) -> Ended {
        let mut child = Command::new(BINARY)
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("WX_SECRET", "0123456789abcdef0123456789abcdef")
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Whoever does not read it may have ended.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ended {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs `wxgate` beside this `gateway.toml`.
fn wxgate(configuration: &str, arguments: &[&str]) -> Ended {
    Folder::with("gateway.toml", configuration).run(arguments)
}
