use std::io;
use std::sync::{Arc, Mutex};

use super::*;
use crate::telemetry::log::{Format, Openid};

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl io::Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is written of these requests.
fn written(settings: &Settings, terminal: bool, requests: &[Request<'_>]) -> Vec<String> {
    let memory = Memory::default();
    let sink = Sink::new("test", memory.clone());
    let names = OpenidNames::new(settings.openid, b"secret");
    let log = AccessLog::new(sink.clone(), settings, names, terminal);
    requests.iter().for_each(|request| log.write(request, 1_795_340_030_007));
    sink.finish();
    let bytes = memory.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
}

fn full() -> Request<'static> {
    Request {
        request_id: "01a2",
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736"),
        client: Some(IpAddr::from([192, 0, 2, 1])),
        peer: Some(SocketAddr::from(([10, 0, 0, 1], 4711))),
        protocol: "HTTP/1.1",
        method: "GET",
        route: "/api/**",
        path: Some("/api/x"),
        status: 503,
        code: Some("wechat_unavailable"),
        wechat_errcode: Some(-1),
        app: Some("shop"),
        openid: Some("oAlice"),
        openid_name: None,
        upstream: Some("shop"),
        server: Some("10.0.0.7:3000"),
        attempts: 2,
        bytes_in: 1,
        bytes_out: 2,
        duration: Duration::from_micros(12_345),
        auth: Some(Duration::from_micros(7)),
        action: Some(Duration::from_millis(3)),
        upstream_response: Some(Duration::from_millis(9)),
    }
}

fn json() -> Settings {
    Settings { format: Format::Json, ..Settings::default() }
}

#[test]
fn a_line_is_json_with_the_fields_in_their_order() {
    let lines = written(&json(), false, &[full()]);
    let line: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&lines[0]).unwrap();
    let fields: Vec<_> = line.keys().map(String::as_str).collect();
    let expected: Vec<_> = FIELDS.into_iter().filter(|field| *field != "sampled").collect();
    assert_eq!(fields, expected);
    assert_eq!(line["timestamp"], "2026-11-22T09:33:50.007Z");
    assert_eq!(line["duration_ms"], 12.345);
    assert_eq!(line["wechat_errcode"], -1);
    assert_eq!(line["server"], "10.0.0.7:3000");
    assert_ne!(line["openid"], "oAlice");
    let other = written(&json(), false, &[Request { openid: Some("oBob"), ..full() }]);
    assert!(!other[0].contains(line["openid"].as_str().unwrap()), "users are told apart");
}

#[test]
fn openids_stand_as_they_are_meant_to() {
    let line = |openid| written(&Settings { openid, ..json() }, false, &[full()]).remove(0);
    assert!(line(Openid::Plain).contains("\"openid\":\"oAlice\""));
    assert!(!line(Openid::None).contains("openid"));
    assert_eq!(line(Openid::Hash), line(Openid::Hash), "replicas agree");
}

#[test]
fn a_terminal_gets_a_line_for_people() {
    let settings = Settings::default();
    let lines = written(&settings, true, &[full()]);
    let line = &lines[0];
    assert!(
        line.starts_with("09:33:50.007 \x1b[31m503\x1b[0m     12.3ms GET     /api/x"),
        "{line:?}"
    );
    assert!(line.contains(" code=wechat_unavailable errcode=-1 openid="), "{line:?}");
    assert!(line.ends_with(" upstream=shop@10.0.0.7:3000 id=01a2"), "{line:?}");
    assert!(written(&settings, false, &[full()])[0].starts_with('{'), "no terminal: JSON");
}

#[test]
fn only_what_went_well_is_sampled() {
    let settings = Settings { sample: 0.1, ..json() };
    let ids: Vec<_> = (0..2_000).map(|id| format!("request-{id}")).collect();
    let of = |status| {
        let request = |id| Request { request_id: id, status, ..full() };
        let requests: Vec<_> = ids.iter().map(|id| request(id)).collect();
        written(&settings, false, &requests)
    };
    let well = of(200);
    assert!((120..280).contains(&well.len()), "{}", well.len());
    assert!(well[0].ends_with(",\"sampled\":true}"));
    assert_eq!(well, of(200), "which ones is no chance: replicas agree");
    for status in [0, 101, 304, 404, 500] {
        assert_eq!(of(status).len(), 2_000, "{status}");
    }
}
