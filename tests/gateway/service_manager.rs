//! Under systemd, whose part the test plays: what it is told, and sockets that it passes.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net as unix;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::time::{ClockId, clock_gettime};
use tokio::net::{TcpStream, UnixDatagram};

use crate::raw::{PATIENCE, Wire};
use crate::support::config::Config;
use crate::support::process::{Process, command_with_socket, output, run_to_end};
use crate::upstream::{Gate, Reply, Upstream};

const GET: &str = "GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n";

/// The end of the notification socket that systemd holds.
struct Manager(UnixDatagram);

impl Manager {
    /// At a path in this folder.
    fn at(path: &std::path::Path) -> Self {
        Self(UnixDatagram::bind(path).unwrap())
    }

    /// At a name that is in no file system.
    fn named(name: &str) -> Self {
        let address = unix::SocketAddr::from_abstract_name(name).unwrap();
        let socket = unix::UnixDatagram::bind_addr(&address).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self(UnixDatagram::from_std(socket).unwrap())
    }

    /// What is said next, as fields.
    async fn hears(&self) -> Vec<(String, String)> {
        let mut buffer = [0; 4096];
        let length = tokio::time::timeout(PATIENCE, self.0.recv(&mut buffer)).await;
        let length = length.expect("something is said").unwrap();
        let text = std::str::from_utf8(&buffer[..length]).unwrap();
        let field = |line: &str| line.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned()));
        text.lines().map(|line| field(line).expect(line)).collect()
    }

    /// What is said next, without what `systemctl status` shows.
    async fn hears_of_state(&self) -> Vec<(String, String)> {
        loop {
            let fields = self.hears().await;
            if fields.iter().any(|(name, _)| name != "STATUS") {
                return fields;
            }
        }
    }
}

fn field(fields: &[(String, String)], name: &str) -> String {
    let found = fields.iter().find(|(it, _)| it == name);
    found.unwrap_or_else(|| panic!("{name} in {fields:?}")).1.clone()
}

fn microseconds() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
}

fn config(listen: &str, upstream: &Upstream) -> Config {
    let times = "lame_duck = \"0s\"\ndrain = \"20s\"";
    let config = Config::default().table("server", &format!("listen = [\"{listen}\"]\n{times}"));
    config.variable("WECHAT", "http://127.0.0.1:1").variable("UPSTREAM", upstream.url())
}

#[tokio::test]
async fn it_says_when_it_is_ready_reloads_and_stops() {
    let (folder, upstream) = (tempfile::tempdir().unwrap(), Upstream::start().await);
    let path = folder.path().join("notify");
    let name = format!("wxgate-test-{}", std::process::id());
    for (manager, at) in [
        (Manager::at(&path), path.display().to_string()),
        (Manager::named(&name), format!("@{name}")),
    ] {
        let config = config("127.0.0.1:0", &upstream).variable("NOTIFY_SOCKET", at);
        let mut process = Process::start(&config).await;
        let ready = manager.hears().await;
        assert_eq!(field(&ready, "READY"), "1");
        assert_eq!(field(&ready, "STATUS"), format!("listening on {}", process.address));
        // It is no promise: what it says it listens on takes requests.
        assert_eq!(Wire::ask(process.address, GET).await.status, 200);

        let before = microseconds();
        process.signal("HUP");
        let reloading = manager.hears_of_state().await;
        assert_eq!(field(&reloading, "RELOADING"), "1");
        let at: i64 = field(&reloading, "MONOTONIC_USEC").parse().unwrap();
        assert!((before..=microseconds()).contains(&at), "{before} {at}");
        let ready = manager.hears_of_state().await;
        assert_eq!(field(&ready, "READY"), "1");
        assert_eq!(field(&ready, "STATUS"), "configuration 1 is in effect");

        process.signal("TERM");
        let stopping = manager.hears_of_state().await;
        assert_eq!(field(&stopping, "STOPPING"), "1");
        // The drain of 20 s, and what comes after it.
        assert_eq!(field(&stopping, "EXTEND_TIMEOUT_USEC"), "25000000");
        assert_eq!(process.ended().await.code(), Some(0));
    }
}

#[tokio::test]
async fn a_reload_that_fails_ends_too_and_says_why() {
    let (folder, upstream) = (tempfile::tempdir().unwrap(), Upstream::start().await);
    let path = folder.path().join("notify");
    let manager = Manager::at(&path);
    let config = config("127.0.0.1:0", &upstream);
    let process = Process::start(&config.variable("NOTIFY_SOCKET", path.to_str().unwrap())).await;
    assert_eq!(field(&manager.hears().await, "READY"), "1");
    process.write("gateway.toml", "listen =");
    process.signal("HUP");
    // The file may be found changed before the signal is.
    assert_eq!(field(&manager.hears_of_state().await, "RELOADING"), "1");
    let ready = manager.hears_of_state().await;
    assert_eq!(field(&ready, "READY"), "1");
    let status = field(&ready, "STATUS");
    assert!(status.starts_with("configuration 1 stays in effect: "), "{status}");
}

#[tokio::test]
async fn it_is_not_ready_where_it_cannot_listen() {
    let (folder, upstream) = (tempfile::tempdir().unwrap(), Upstream::start().await);
    let path = folder.path().join("notify");
    let manager = Manager::at(&path);
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap();
    let config = config(&format!("127.0.0.1:0\", \"{taken}"), &upstream);
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, config.text()).unwrap();
    let config = config.variable("NOTIFY_SOCKET", path.to_str().unwrap());
    let ended = run_to_end(&file, &config).await;
    assert_eq!(ended.exit_code, Some(69), "{}", ended.stderr);
    assert!(manager.0.try_recv(&mut [0; 64]).is_err(), "nothing was said");
}

/// As with `wxgate.socket`, whose socket is systemd's and outlives the gateway.
#[tokio::test]
async fn connections_made_during_a_restart_wait_and_none_is_refused() {
    let upstream = Upstream::start().await;
    let config = config("systemd:http", &upstream);
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let mut first = Process::with_socket(&config, &socket, &["http"]).await;
    assert_eq!(first.address, address);
    assert_eq!(Wire::ask(address, GET).await.status, 200);

    // One is under way when the restart begins, and ends in order.
    let gate = Gate::closed();
    upstream.on("/public/slow", Reply::ok("at last").once(&gate));
    let mut slow = Wire::connect(address).await;
    slow.send("GET /public/slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    upstream.until(|seen| seen.iter().any(|it| it.target() == "/public/slow")).await;
    first.signal("TERM");
    first.until_logged("no new connections").await;
    let during: Vec<_> = (0..40).map(|_| tokio::spawn(Wire::ask(address, GET))).collect();
    gate.open();
    assert_eq!(slow.answer().await.text(), "at last");
    assert_eq!(first.ended().await.code(), Some(0));
    let between: Vec<_> = (0..40).map(|_| tokio::spawn(Wire::ask(address, GET))).collect();
    // All of them are connected, to nobody yet.
    let waiting = connect_all(address, 40).await;

    let second = Process::with_socket(&config, &socket, &["http"]).await;
    for answer in during.into_iter().chain(between) {
        assert_eq!(answer.await.unwrap().status, 200);
    }
    for stream in waiting {
        let mut wire = Wire::over(stream);
        wire.send(GET).await;
        assert_eq!(wire.answer().await.status, 200);
    }
    assert_eq!(second.address, address);
}

/// Clients who never cease to come, each request on a connection of its own.
#[tokio::test]
async fn no_request_fails_over_restarts_under_load() {
    let upstream = Upstream::start().await;
    let config = config("systemd:http", &upstream);
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let mut process = Process::with_socket(&config, &socket, &["http"]).await;
    let stop = Arc::<AtomicBool>::default();
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let stop = stop.clone();
            tokio::spawn(async move {
                let mut served = 0_usize;
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(Wire::ask(address, GET).await.status, 200);
                    served += 1;
                }
                served
            })
        })
        .collect();
    for _ in 0..3 {
        let told = upstream.requests().len();
        upstream.until(|seen| seen.len() > told + 200).await;
        process.signal("TERM");
        assert_eq!(process.ended().await.code(), Some(0));
        process = Process::with_socket(&config, &socket, &["http"]).await;
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        assert!(client.await.unwrap() > 0);
    }
}

async fn connect_all(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        streams.push(TcpStream::connect(address).await.unwrap());
    }
    streams
}

#[tokio::test]
async fn a_socket_that_nobody_listens_on_is_said() {
    let upstream = Upstream::start().await;
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = config("systemd:http", &upstream);
    let mut process = Process::with_socket(&config, &socket, &["http", "spare"]).await;
    process.until_logged("the socket spare was passed and nobody listens on it").await;
}

#[tokio::test]
async fn a_socket_that_cannot_be_listened_on_is_refused_with_what_to_do() {
    let (folder, upstream) = (tempfile::tempdir().unwrap(), Upstream::start().await);
    let config = config("systemd:http", &upstream);
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, config.text()).unwrap();

    let ended = run_to_end(&file, &config).await;
    assert_eq!(ended.exit_code, Some(69));
    let expected = "cannot listen on systemd:http: no socket of this name was passed";
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connection = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let path = unix::UnixListener::bind(folder.path().join("socket")).unwrap();
    let cases: [(OwnedFd, &str, &str); 3] = [
        (listener.into(), "web", "FileDescriptorName=http"),
        (connection.into(), "http", "Accept=no"),
        (path.into(), "http", "an address and a port"),
    ];
    for (socket, name, expected) in cases {
        let ended = output(command_with_socket(&file, &config, socket, &[name])).await;
        assert_eq!(ended.exit_code, Some(69), "{}", ended.stderr);
        assert!(ended.stderr.contains(expected), "{expected}: {}", ended.stderr);
    }
}

/// What was passed to somebody else is not the gateway's.
#[tokio::test]
async fn sockets_of_another_process_are_left_alone() {
    let (folder, upstream) = (tempfile::tempdir().unwrap(), Upstream::start().await);
    let config = config("systemd:http", &upstream);
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, config.text()).unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = command_with_socket(&file, &config, socket, &["http"]);
    command.env("OTHER_PID", "1");
    let ended = output(command).await;
    assert!(ended.stderr.contains("no socket of this name was passed"), "{}", ended.stderr);
}
