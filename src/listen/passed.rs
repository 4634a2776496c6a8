//! Sockets that the service manager has opened and passes on: sd_listen_fds(3). They outlive this
//! process, so that clients who connect while one gateway ends and the next one starts wait for it.

use std::fmt;
use std::net::TcpListener;
use std::sync::OnceLock;

use listenfd::ListenFd;
use parking_lot::Mutex;
use rustix::net::sockopt::socket_acceptconn;

/// A socket has a name, `FileDescriptorName=` of its unit; several may have the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketName(String);

/// What is wrong with sockets that a listener names.
#[derive(Debug, thiserror::Error)]
pub enum NotPassed {
    /// There is none of this name.
    #[error(
        "no socket of this name was passed ({}); give the socket unit FileDescriptorName={name}, and start it",
        described(.others)
    )]
    Unknown {
        /// The name.
        name: SocketName,
        /// Those that were passed and that no listener has taken yet.
        others: Vec<String>,
    },
    /// It cannot be listened on.
    #[error("{0}; it has to be a ListenStream= with an address and a port, with Accept=no")]
    Unfit(String),
}

/// Descriptors are the process's, and so is this; none where nobody passed any.
static PASSED: OnceLock<Mutex<Passed>> = OnceLock::new();

struct Passed {
    sockets: ListenFd,
    /// In the order of the descriptors; none where one is taken.
    names: Vec<Option<String>>,
}

/// Takes over what was passed to this process. To be called before it has threads: the variables that
/// tell of them are taken away, so that nobody else thinks that he is meant.
pub fn take_over() {
    // They do not survive the sockets' `from_env`, all names but theirs.
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let sockets = ListenFd::from_env();
    let mut given = names.split(':').filter(|name| !name.is_empty()).map(str::to_owned);
    // What sd_listen_fds_with_names(3) calls those without one.
    let names = (0..sockets.len()).map(|_| Some(given.next().unwrap_or_else(|| "unknown".into())));
    let names = names.collect();
    // Whoever calls it again takes over nothing: the sockets are taken.
    let _ = PASSED.set(Mutex::new(Passed { sockets, names }));
}

/// The sockets of this name, for one listener.
pub(super) fn take(name: &SocketName) -> Result<Vec<TcpListener>, NotPassed> {
    let none = || NotPassed::Unknown { name: name.clone(), others: Vec::new() };
    let mut passed = PASSED.get().ok_or_else(none)?.lock();
    let mut taken = Vec::new();
    for index in 0..passed.names.len() {
        if passed.names.get(index).is_some_and(|it| it.as_deref() == Some(&name.0)) {
            taken.push(passed.take(index)?);
        }
    }
    match taken.is_empty() {
        true => Err(NotPassed::Unknown { name: name.clone(), others: passed.left() }),
        false => Ok(taken),
    }
}

/// The names of those that no listener has taken.
pub(super) fn left() -> Vec<String> {
    PASSED.get().map(|passed| passed.lock().left()).unwrap_or_default()
}

impl Passed {
    fn take(&mut self, index: usize) -> Result<TcpListener, NotPassed> {
        let unfit = |error: std::io::Error| NotPassed::Unfit(error.to_string());
        let socket = self.sockets.take_tcp_listener(index).map_err(unfit)?;
        if let Some(name) = self.names.get_mut(index) {
            *name = None;
        }
        let socket = socket.ok_or_else(|| NotPassed::Unfit("it is gone".to_owned()))?;
        match socket_acceptconn(&socket) {
            Ok(true) => Ok(socket),
            Ok(false) => Err(NotPassed::Unfit("the socket is a connection".to_owned())),
            Err(error) => Err(unfit(error.into())),
        }
    }

    fn left(&self) -> Vec<String> {
        self.names.iter().flatten().cloned().collect()
    }
}

impl SocketName {
    /// Reads a name as systemd would take it: 255 printable characters at most, no colon.
    pub fn parse(text: &str) -> Option<Self> {
        let is_valid = |c: char| c.is_ascii_graphic() && c != ':';
        let fits = (1..=255).contains(&text.len()) && text.chars().all(is_valid);
        fits.then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for SocketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn described(names: &[String]) -> String {
    match names.is_empty() {
        true => "there is no other either".to_owned(),
        false => format!("there are {}", names.join(", ")),
    }
}
