//! Real Redis servers for tests, on ports that are free and in directories of their own. They end with
//! the value that stands for them.

#![allow(dead_code, reason = "each test uses a part of it")]

#[path = "redis/certificates.rs"]
pub(crate) mod certificates;
#[path = "redis/groups.rs"]
pub(crate) mod groups;
#[path = "redis/program.rs"]
pub(crate) mod program;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, IntoConnectionInfo};
use tempfile::TempDir;

use self::certificates::Certificates;

/// How long anything that must happen may take on a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// One server.
pub(crate) struct Server {
    process: Option<Child>,
    directory: TempDir,
    port: u16,
    args: Vec<String>,
    certificates: Option<Arc<Certificates>>,
    login: Option<(String, String)>,
    sentinel: bool,
    program: PathBuf,
}

impl Server {
    /// A plain one.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// A plain one of another program.
    pub(crate) async fn of(program: PathBuf) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self::start_in(directory, Vec::new(), None, None, false, program).await
    }

    /// One with these arguments.
    pub(crate) async fn with(args: &[&str]) -> Self {
        Self::start_as(args, None, None).await
    }

    /// One that lets in only who has the password.
    pub(crate) async fn with_password(password: &str) -> Self {
        Self::with_login(&[], Some(password)).await
    }

    /// One that speaks only TLS, and with those who show a certificate.
    pub(crate) async fn with_tls() -> Self {
        Self::with_certificates(&[], Arc::new(Certificates::new())).await
    }

    /// One with these arguments, for those who have the password if there is one.
    pub(crate) async fn with_login(args: &[&str], password: Option<&str>) -> Self {
        let Some(password) = password else { return Self::with(args).await };
        let login = ("default".to_owned(), password.to_owned());
        let args = [args, &["--requirepass", password, "--masterauth", password]].concat();
        Self::start_as(&args, None, Some(login)).await
    }

    /// A sentinel of this configuration, which may ask for a password, or speak only TLS.
    pub(crate) async fn sentinel(
        config: &str,
        password: Option<&str>,
        certificates: Option<Arc<Certificates>>,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("sentinel.conf"), config).unwrap();
        let login = password.map(|password| ("default".to_owned(), password.to_owned()));
        Self::start_in(directory, Vec::new(), certificates, login, true, program::redis()).await
    }

    /// One with these arguments that speaks only TLS.
    pub(crate) async fn with_certificates(args: &[&str], certificates: Arc<Certificates>) -> Self {
        Self::start_as(args, Some(certificates), None).await
    }

    async fn start_as(
        args: &[&str],
        certificates: Option<Arc<Certificates>>,
        login: Option<(String, String)>,
    ) -> Self {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let directory = tempfile::tempdir().unwrap();
        Self::start_in(directory, args, certificates, login, false, program::redis()).await
    }

    async fn start_in(
        directory: TempDir,
        args: Vec<String>,
        certificates: Option<Arc<Certificates>>,
        login: Option<(String, String)>,
        sentinel: bool,
        program: PathBuf,
    ) -> Self {
        let mut server = Self {
            process: None,
            directory,
            port: 0,
            args,
            certificates,
            login,
            sentinel,
            program,
        };
        // A port that was free may be taken by the time the server binds it.
        for _ in 0..5 {
            server.port = free_port();
            server.spawn();
            if server.is_up().await {
                return server;
            }
        }
        panic!("redis-server does not start; its log: {}", server.log());
    }

    fn spawn(&mut self) {
        let directory = self.directory.path();
        let mut command = Command::new(&self.program);
        if self.sentinel {
            command.arg(directory.join("sentinel.conf"));
        }
        let port = self.port.to_string();
        match &self.certificates {
            None => command.args(["--port", &port]),
            Some(certificates) => {
                command.args(["--port", "0", "--tls-port", &port]).args(certificates.redis_args())
            }
        };
        if self.sentinel {
            command.arg("--sentinel");
        } else {
            command.args(["--save", "", "--appendonly", "no"]);
        }
        command
            .args(["--bind", "127.0.0.1", "--daemonize", "no"])
            .arg("--dir")
            .arg(directory)
            .arg("--unixsocket")
            .arg(self.socket())
            .arg("--logfile")
            .arg(directory.join("log"))
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().expect(
            "these tests need the program redis-server (Debian: apt install redis-server redis-tools)",
        );
        self.process = Some(child);
    }

    /// Whether it answers, or has ended instead.
    async fn is_up(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self.process.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some()) {
                return false;
            }
            if let Ok(mut connection) = self.try_connect().await {
                let answer: Result<String, _> =
                    redis::cmd("PING").query_async(&mut connection).await;
                match answer {
                    Ok(_) => return true,
                    Err(error) if error.to_string().contains("LOADING") => return true,
                    Err(_) => {}
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        false
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.certificates.is_some() { "rediss" } else { "redis" };
        format!("{scheme}://localhost:{}", self.port)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    pub(crate) fn certificates(&self) -> &Certificates {
        self.certificates.as_ref().unwrap()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Ends it at once, as a power cut does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.process.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again, and does not wait until it answers.
    pub(crate) fn begin_restart(&mut self) {
        self.kill();
        self.spawn();
    }

    /// Starts it again where it was.
    pub(crate) async fn restart(&mut self) {
        self.begin_restart();
        assert!(self.is_up().await, "redis-server does not come back: {}", self.log());
    }

    /// Stops it without ending it: its connections stay, and nobody answers.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.process.as_ref().unwrap().id().to_string();
        let done = Command::new("kill").args(["-s", signal, &id]).status().unwrap();
        assert!(done.success());
    }

    /// A connection of the test's own, past everything that is tested.
    pub(crate) async fn connection(&self) -> MultiplexedConnection {
        self.try_connect().await.unwrap()
    }

    /// One command on a connection of its own.
    pub(crate) async fn command<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        // A server that changes its role resets its connections.
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            let answer = match self.try_connect().await {
                Ok(mut connection) => command.query_async(&mut connection).await,
                Err(error) => Err(error),
            };
            match answer {
                Err(error) if error.is_io_error() && Instant::now() < until => {
                    tokio::task::yield_now().await;
                }
                answer => return answer.unwrap(),
            }
        }
    }

    async fn try_connect(&self) -> redis::RedisResult<MultiplexedConnection> {
        let address = redis::ConnectionAddr::Unix(self.socket());
        let mut session = redis::RedisConnectionInfo::default();
        if let Some((user, password)) = &self.login {
            session = session.set_username(user).set_password(password);
        }
        let info = address.into_connection_info()?.set_redis_settings(session);
        redis::Client::open(info)?.get_multiplexed_async_connection().await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Asks again and again until the answer is yes, and says how long it took.
pub(crate) async fn eventually(
    what: &str,
    limit: Duration,
    mut ask: impl AsyncFnMut() -> bool,
) -> Duration {
    let start = Instant::now();
    loop {
        if ask().await {
            return start.elapsed();
        }
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
