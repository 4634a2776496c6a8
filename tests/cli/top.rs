//! `wxgate top`: one picture as text, and a terminal that is given back.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::dev::Dev;
use crate::{BINARY, SHOP, wxgate};

#[test]
fn once_writes_one_picture_of_what_happens() {
    let dev = Dev::start();
    Dev::get(&dev.gateway, "/static/x", "");
    Dev::get(&dev.gateway, "/api/x", "");
    let url = format!("http://{}", dev.admin);
    let ended = wxgate(SHOP, &["top", "--once", "--interval", "100ms", "--admin", &url]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let first = ended.stdout.lines().next().unwrap();
    assert!(first.starts_with("wxgate 0.") && first.contains("  READY  up "), "{}", ended.stdout);
    for words in
        ["ROUTE", "/static/**", "UPSTREAM", "1 in", "refused  token_missing", "store    up"]
    {
        assert!(ended.stdout.contains(words), "{words}\n{}", ended.stdout);
    }
    assert!(!ended.stdout.contains('\u{1b}') && !ended.stdout.contains("q quit"), "{ended:?}");
}

/// An admin listener of a gateway with so many routes, of which each has answered `count` requests when it is
/// asked for the `count`th time.
fn gateway_of(routes: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let metrics = move |count: usize| {
        let mut text = String::from("wxgate_ready 1\nprocess_start_time_seconds 1\n");
        for route in 0..routes {
            let route = format!("/{}/{route}/**", "a-long-path-of-some-service/".repeat(4));
            let labels = format!("route=\"{route}\",method=\"GET\"");
            writeln!(text, "wxgate_requests_total{{{labels},status=\"2xx\"}} {count}").unwrap();
            for bound in 0..24 {
                let name = "wxgate_request_duration_seconds_bucket";
                writeln!(text, "{name}{{{labels},le=\"{bound}\"}} {count}").unwrap();
            }
        }
        text
    };
    let answers = [metrics(1), metrics(2)];
    std::thread::spawn(move || {
        let asked = Arc::new(AtomicUsize::new(0));
        for stream in listener.incoming() {
            let (answers, asked) = (answers.clone(), asked.clone());
            std::thread::spawn(move || {
                let mut stream = BufReader::new(stream.unwrap());
                let mut target = String::new();
                stream.read_line(&mut target).unwrap();
                let mut line = String::new();
                while stream.read_line(&mut line).unwrap() > 2 {
                    line.clear();
                }
                let body = match target.contains(" /metrics ") {
                    true => answers[asked.fetch_add(1, Relaxed).min(1)].as_str(),
                    false => "{}",
                };
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", body.len());
                let head = format!("{head}Connection: close\r\n\r\n");
                stream.get_mut().write_all((head + body).as_bytes()).unwrap();
            });
        }
    });
    format!("http://{address}")
}

#[test]
fn thousands_of_routes_are_no_obstacle() {
    let url = gateway_of(4_000);
    let ended = wxgate(SHOP, &["top", "--once", "--interval", "100ms", "--admin", &url]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stdout.contains("ROUTE") && ended.stdout.contains("/a-long-path"), "{ended:?}");
}

#[test]
fn without_a_terminal_there_is_nothing_live() {
    let ended = wxgate(SHOP, &["top"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (64, ""), "{ended:?}");
    assert!(ended.stderr.contains("--once"), "{ended:?}");
    for interval in ["1", "0s", "99ms", "2h"] {
        assert_eq!(wxgate(SHOP, &["top", "--interval", interval]).code, 64, "{interval}");
    }
}

/// Runs it in a terminal that `script` makes, with these keys after the first picture, and gives what
/// came out of it and how it ended.
fn in_a_terminal(keys: &str, admin: &str) -> (String, i32) {
    // The settings of the terminal before and after have to be the same.
    let run = format!(
        "stty cols 80 rows 24; before=$(stty -g); {BINARY} top --admin {admin}; code=$?; \
         test \"$before\" = \"$(stty -g)\" && echo restored; exit $code"
    );
    let mut child = Command::new("script")
        .args(["-qefc", &run])
        .arg("/dev/null")
        .env("TERM", "xterm-256color")
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let (mut seen, mut part) = (Vec::new(), [0; 4096]);
    // It stays open: without one `script` would end the terminal.
    let mut stdin = child.stdin.take().unwrap();
    let mut pressed = false;
    loop {
        match stdout.read(&mut part) {
            Ok(0) | Err(_) => break,
            Ok(read) => seen.extend_from_slice(&part[..read]),
        }
        if !pressed && String::from_utf8_lossy(&seen).contains("help") {
            stdin.write_all(keys.as_bytes()).unwrap();
            pressed = true;
        }
    }
    let code = child.wait().unwrap().code().unwrap();
    (String::from_utf8_lossy(&seen).into_owned(), code)
}

#[test]
fn the_terminal_is_given_back_however_it_ends() {
    let dev = Dev::start();
    let there = format!("http://{}", dev.admin);
    for (admin, keys) in [(there.as_str(), "?jklhpq"), ("http://127.0.0.1:1", "\u{3}")] {
        let (seen, code) = in_a_terminal(keys, admin);
        assert_eq!(code, 0, "{seen}");
        assert!(seen.contains("\u{1b}[?1049h") && seen.contains("\u{1b}[?1049l"), "{seen:?}");
        assert!(seen.trim_end().ends_with("restored"), "{seen:?}");
    }
}
