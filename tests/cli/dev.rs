//! `wxgate dev`: a gateway that runs, with a simulator beside it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use crate::BINARY;

/// It, until this is dropped.
pub(crate) struct Dev {
    child: Child,
    pub(crate) gateway: String,
    pub(crate) simulator: String,
    pub(crate) admin: String,
}

impl Dev {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let any = "127.0.0.1:0";
        let mut child = Command::new(BINARY)
            .args(["dev", "--listen", any, "--simulator", any, "--admin", any])
            .args(arguments)
            .env("WX_SECRET", "0123456789abcdef0123456789abcdef")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address_after = |words: &str| {
            let line = lines.by_ref().map(Result::unwrap).find(|line| line.contains(words));
            let line = line.expect("dev says where it is");
            let address = line.split_once("http://").unwrap().1;
            address.split(['/', ' ']).next().unwrap().to_owned()
        };
        let (gateway, simulator) = (address_after("the gateway"), address_after("the simulator"));
        let admin = address_after("health");
        // Nobody reads on; what is written then may not fail.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, gateway, simulator, admin }
    }

    pub(crate) fn get(address: &str, target: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: {address}\r\n{headers}Connection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
