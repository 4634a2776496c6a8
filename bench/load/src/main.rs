//! Sends requests over HTTP/1.1 and prints how long the answers took, as one line of JSON.
//!
//! With `--count` each connection sends its next request when it has its answer, as fast as the server can. With
//! `--rate` requests come at their own times, whatever the server does, and the time of each counts from when it was
//! due: a request that had to wait for a connection has waited. Otherwise a server that stalls would be asked less
//! while it does, and its worst moments would be in no percentile ("coordinated omission").
//!
//! Before the first request that counts it prints `ready` and waits for a line, and after its report for another: what
//! it costs to open connections and to close them can be told from what the requests cost.

mod arguments;
mod arrivals;
mod connection;
mod run;

use std::process::ExitCode;

use arguments::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse(std::env::args().skip(1));
    match arguments.and_then(|arguments| run::run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-load: {error}");
            ExitCode::FAILURE
        }
    }
}
