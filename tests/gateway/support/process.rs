//! The real binary, with everything that it writes.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tempfile::TempDir;

use super::config::Config;
use super::eventually;

const BINARY: &str = env!("CARGO_BIN_EXE_wxgate");

/// `wxgate run`; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// Its configuration.
    pub(crate) file: PathBuf,
    folder: TempDir,
}

/// A run that came to its end by itself.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit_code: Option<i32>,
    pub(crate) stderr: String,
}

impl Process {
    /// Starts it and waits until it listens.
    pub(crate) async fn start(config: &Config) -> Self {
        Self::with_log(config, "trace", Stdio::piped()).await
    }

    /// One that does not write more than it has to say.
    pub(crate) async fn quiet(config: &Config) -> Self {
        Self::with_log(config, "info", Stdio::piped()).await
    }

    /// One with this for its standard output.
    pub(crate) async fn writing_to(config: &Config, stdout: Stdio) -> Self {
        Self::with_log(config, "trace", stdout).await
    }

    async fn with_log(config: &Config, level: &str, stdout: Stdio) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.toml");
        std::fs::write(&path, config.text()).unwrap();
        Self::spawn(folder, path, config, Some(level), stdout).await
    }

    /// One with a file that is there, in this folder.
    pub(crate) async fn start_in(folder: TempDir, path: PathBuf, config: &Config) -> Self {
        Self::spawn(folder, path, config, Some("trace"), Stdio::piped()).await
    }

    /// The same, whose log is as its file says.
    pub(crate) async fn start_plainly_in(folder: TempDir, path: PathBuf, config: &Config) -> Self {
        Self::spawn(folder, path, config, None, Stdio::piped()).await
    }

    async fn spawn(
        folder: TempDir,
        path: PathBuf,
        config: &Config,
        level: Option<&str>,
        stdout: Stdio,
    ) -> Self {
        let mut command = command(&path, config);
        command.envs(level.map(|level| ("RUST_LOG", level))).stdout(stdout);
        Self::run(command, folder, path).await
    }

    /// One that gets a socket as systemd passes it, under these names.
    pub(crate) async fn with_socket(config: &Config, socket: &TcpListener, names: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.toml");
        std::fs::write(&path, config.text()).unwrap();
        let mut command = command_with_socket(&path, config, socket.try_clone().unwrap(), names);
        command.stdout(Stdio::piped());
        Self::run(command, folder, path).await
    }

    async fn run(mut command: Command, folder: TempDir, path: PathBuf) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::<Mutex<String>>::default();
        let mut readers = vec![capture(child.stderr.take().unwrap(), &log)];
        readers.extend(child.stdout.take().map(|stdout| capture(stdout, &log)));
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let (address, admin) = (unknown, unknown);
        let mut process = Self { child, log, readers, address, admin, file: path, folder };
        process.until_logged("admin on ").await;
        process.address = process.after("listening on ");
        process.admin = process.after("admin on ");
        process
    }

    /// Everything that it has written so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) async fn until_logged(&mut self, text: &str) {
        eventually(&format!("{text:?} is in the log"), async || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("it ended with {status}:\n{}", self.log());
            }
            self.log().contains(text)
        })
        .await;
    }

    /// Where Envoy asks it.
    pub(crate) fn ext_authz(&self) -> SocketAddr {
        self.after("ext_authz on ")
    }

    /// The address that stands after these words of its log.
    fn after(&self, words: &str) -> SocketAddr {
        let log = self.log();
        let (_, rest) = log.split_once(words).unwrap();
        let address: String =
            rest.chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':')).collect();
        address.parse().unwrap_or_else(|error| panic!("{error}: {address}"))
    }

    /// The most bytes of memory that it has held so far.
    pub(crate) fn peak_memory(&self) -> usize {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Writes a file beside its configuration, in one step as everybody should.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let draft = self.folder.path().join(".draft");
        std::fs::write(&draft, text).unwrap();
        std::fs::rename(draft, self.folder.path().join(name)).unwrap();
    }

    /// The memory that it has, in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until it has ended; everything that it wrote is in the log then.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the process ends", async || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        status.unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the gateway where it ends by itself at once.
pub(crate) async fn run_to_end(path: &Path, config: &Config) -> Ended {
    let mut command = command(path, config);
    command.stdin(Stdio::null());
    output(command).await
}

/// Runs what ends by itself at once.
pub(crate) async fn output(command: Command) -> Ended {
    let output = tokio::process::Command::from(command).kill_on_drop(true).output();
    let output = tokio::time::timeout(crate::raw::PATIENCE, output).await.expect("it ends");
    let output = output.unwrap();
    assert!(output.stdout.is_empty(), "{output:?}");
    Ended { exit_code: output.status.code(), stderr: String::from_utf8(output.stderr).unwrap() }
}

/// The gateway with a socket as descriptor 3, and again as the next one for each further name. Its process
/// id is the shell's.
pub(crate) fn command_with_socket(
    path: &Path,
    config: &Config,
    socket: impl Into<OwnedFd>,
    names: &[&str],
) -> Command {
    let descriptors: String = (3..).take(names.len()).map(|it| format!(" {it}<&0")).collect();
    let script = format!("LISTEN_PID=${{OTHER_PID-$$}} exec \"$@\"{descriptors} </dev/null");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &script, "sh", BINARY, "run", "--config"]).arg(path);
    command.env_clear().envs(&config.variables).stdin(Stdio::from(socket.into()));
    command.env("LISTEN_FDS", names.len().to_string()).env("LISTEN_FDNAMES", names.join(":"));
    command
}

/// Nothing of the tester's own environment goes in.
fn command(path: &Path, config: &Config) -> Command {
    let mut command = Command::new(BINARY);
    command.args(["run", "--config"]).arg(path).env_clear().envs(&config.variables);
    command
}

fn capture(from: impl Read + Send + 'static, log: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let log = log.clone();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(from);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            log.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}
