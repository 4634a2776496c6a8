//! A program of others, run with a file of the documentation.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::raw::PATIENCE;

/// How often another port is tried where somebody was quicker.
const TRIES: usize = 5;

/// A program that runs; it is killed when this is dropped.
pub(crate) struct Program {
    child: Child,
    output: Arc<Mutex<String>>,
    pub(crate) address: SocketAddr,
    _folder: TempDir,
}

/// Where a program is: on the PATH, or where daemons are.
pub(crate) fn find(name: &str) -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/local/sbin";
    let found = path.split(':').map(|folder| Path::new(folder).join(name));
    found.into_iter().find(|path| path.is_file()).map(|path| path.display().to_string())
}

/// Says that a program is not there, so that nobody takes its tests for passed.
pub(crate) fn skipped(name: &str, how: &str) {
    eprintln!("NOT TESTED: there is no {name}; {how}");
}

impl Program {
    /// Starts what `command` makes for a free port in a new folder, and waits until somebody listens there.
    pub(crate) fn start(command: impl Fn(SocketAddr, &Path) -> Command) -> Self {
        for _ in 0..TRIES {
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let folder = tempfile::tempdir().unwrap();
            let mut command = command(address, folder.path());
            let command =
                command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap_or_else(|error| panic!("{error}: {command:?}"));
            let output = Arc::<Mutex<String>>::default();
            capture(child.stdout.take().unwrap(), &output);
            capture(child.stderr.take().unwrap(), &output);
            let mut program = Self { child, output, address, _folder: folder };
            if program.listens() {
                return program;
            }
            let said = program.said();
            assert!(said.to_lowercase().contains("address already in use"), "{said}");
        }
        panic!("no port is free");
    }

    /// What it has written so far.
    pub(crate) fn said(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// Waits until somebody listens; false where the program has ended.
    fn listens(&mut self) -> bool {
        let begun = Instant::now();
        loop {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            if std::net::TcpStream::connect(self.address).is_ok() {
                return true;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not listen: {}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn capture(mut from: impl Read + Send + 'static, output: &Arc<Mutex<String>>) {
    let output = output.clone();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            output.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    });
}
