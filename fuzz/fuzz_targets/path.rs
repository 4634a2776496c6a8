//! The canonical path: it is its own canonical form and has no dot segment, and whatever the service
//! behind makes of it, no open route leads to a protected path.
#![no_main]

use std::path::Path;

use http::Method;
use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode;
use wxgate::config;
use wxgate::policy::path::canonical;
use wxgate::policy::route::{Auth, Outcome, Table};

fuzz_target!(|target: &[u8]| {
    let raw = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    let Ok(path) = canonical(raw) else { return };
    assert_eq!(canonical(path.as_bytes()).as_deref(), Ok(&*path), "another form the second time");
    assert!(path.starts_with('/') && !path.contains("//"), "{path}");
    assert!(
        path.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\;#?".contains(&byte)),
        "{path}"
    );
    assert!(path.split('/').all(|segment| segment != "." && segment != ".."), "{path}");
    let open = decision(&path) == Some("open");
    // The service gets the canonical form, and nothing of what it was made from.
    for reading in readings(path.as_bytes()) {
        let protected = reading == "/login" || reading == "/api" || reading.starts_with("/api/");
        assert!(!(open && protected), "{path} is open, and may be read as {reading}");
    }
});

thread_local! {
    static ROUTES: Table = table();
}

fn decision(path: &str) -> Option<&'static str> {
    ROUTES.with(|routes| match routes.find(path, "a", &Method::GET) {
        Outcome::Found(route) if route.auth == Auth::None => Some("open"),
        Outcome::Found(_) => Some("protected"),
        _ => None,
    })
}

/// Everything is open but /login and what is below /api.
const FILE: &str = r#"
routes = [
  { path = "/**", upstream = "shop", auth = "none" },
  { path = "/api/**", upstream = "shop" },
  { path = "/login", upstream = "shop" },
]
[apps.shop]
appid = "wx4f4bc4dec97d474b"
secret = "0123456789abcdef0123456789abcdef"
[upstreams.shop]
servers = ["http://127.0.0.1:3000"]
"#;

fn table() -> Table {
    let settings = config::parse("gateway.toml", FILE, Path::new(""), &|_| None);
    Table::build(settings.expect("a sound file").routes).expect("no conflict")
}

/// How services are known to read a path: decoding up to three times, before or after they resolve dot
/// segments, with `\` for `/`, parameters cut off, dots and spaces at the end too, and letters in any case.
fn readings(raw: &[u8]) -> Vec<String> {
    let mut readings = Vec::new();
    let mut text = raw.to_vec();
    for _ in 0..3 {
        for cut in [false, true] {
            readings.push(resolved(&text, cut));
        }
        text = percent_decode(&text).collect();
    }
    readings
}

fn resolved(path: &[u8], cut: bool) -> String {
    let text = String::from_utf8_lossy(path).to_ascii_lowercase().replace('\\', "/");
    let end = text.find(['#', '?', '\0']).unwrap_or(text.len());
    let mut kept = Vec::new();
    for segment in text[..end].split('/') {
        let segment = if cut { segment.split(';').next().unwrap_or_default() } else { segment };
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment.trim_end_matches(['.', ' '])),
        }
    }
    format!("/{}", kept.join("/"))
}
