//! The command line.

use std::net::SocketAddr;
use std::time::Duration;

const USAGE: &str = "usage: bench-load ADDRESS --requests FILE [--connections N] (--count N | --rate N --seconds N)
FILE: one request a line, its path and, after a tab, its token. They are sent in turn, and again from the beginning";

pub struct Arguments {
    pub address: SocketAddr,
    /// Each request as it is sent.
    pub requests: Vec<Vec<u8>>,
    pub connections: usize,
    pub pace: Pace,
}

#[derive(Clone, Copy)]
pub enum Pace {
    /// So many requests, each as soon as its connection is free.
    Count(u64),
    /// So many requests a second, for so long.
    Rate(f64, Duration),
}

impl Arguments {
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let address = arguments.next().and_then(|text| text.parse().ok()).ok_or(USAGE)?;
        let (mut file, mut connections, mut count, mut rate, mut seconds) =
            (None, 50, None, None, 5.0);
        while let (Some(name), Some(value)) = (arguments.next(), arguments.next()) {
            let number = || value.parse::<f64>().ok().filter(|number| *number > 0.0).ok_or(USAGE);
            match name.as_str() {
                "--requests" => file = Some(value),
                "--connections" => connections = number()? as usize,
                "--count" => count = Some(number()? as u64),
                "--rate" => rate = Some(number()?),
                "--seconds" => seconds = number()?,
                _ => return Err(USAGE.into()),
            }
        }
        let pace = match (count, rate) {
            (Some(count), None) => Pace::Count(count),
            (None, Some(rate)) => Pace::Rate(rate, Duration::from_secs_f64(seconds)),
            _ => return Err(USAGE.into()),
        };
        let file = file.ok_or(USAGE)?;
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
        let requests: Vec<_> = text.lines().map(request).collect();
        if requests.is_empty() {
            return Err(format!("{file}: no requests"));
        }
        Ok(Self { address, requests, connections, pace })
    }
}

fn request(line: &str) -> Vec<u8> {
    let (path, token) =
        line.split_once('\t').map_or((line, None), |(path, token)| (path, Some(token)));
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{token}\r\n").into_bytes()
}
