//! What a gateway's /metrics say.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::raw::{Answer, Wire};

/// One scrape: the value of each series, by its name with its labels.
#[derive(Debug)]
pub(crate) struct Scrape(pub(crate) BTreeMap<String, f64>);

impl Scrape {
    pub(crate) async fn of(admin: SocketAddr) -> Self {
        let answer = scrape(admin, "*/*").await;
        let line = |line: &str| {
            let (series, value) = line.rsplit_once(' ').expect("a sample");
            (series.to_owned(), value.parse().expect("a number"))
        };
        let text = answer.text();
        Self(text.lines().filter(|line| !line.starts_with('#')).map(line).collect())
    }

    /// The value of one series; it has to be there.
    pub(crate) fn get(&self, series: &str) -> f64 {
        let found = self.0.get(series);
        *found.unwrap_or_else(|| panic!("{series} is not in {:#?}", self.0))
    }

    pub(crate) fn has(&self, series: &str) -> bool {
        self.0.contains_key(series)
    }
}

pub(crate) async fn scrape(admin: SocketAddr, accept: &str) -> Answer {
    let request = format!("GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\n\r\n");
    Wire::ask(admin, request).await
}
