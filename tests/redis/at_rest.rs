//! What lies in Redis: nothing in clear that need not be, nothing for ever, and little of it.

use std::ops::Range;
use std::time::{Duration, Instant};

use redis::Value;
use wxgate::redis::Settings;
use wxgate::session::seal::{Purpose, Sealer};
use wxgate::session::store::{Key, KeyId, Kind, Store, StoredKey};

use super::redis_server::{PATIENCE, Server};
use super::samples::{DAY, session, user};
use super::{Gate, now};

#[tokio::test]
async fn a_dump_tells_nothing_and_everything_runs_out() {
    let server = Server::start().await;
    let gate = Gate::ready(&server.url()).await;
    let (openid, session_key) = ("oTHEOPENID", b"tiihtNczf5v6AKRyjwEUhQ==");
    let session = gate.login(openid).await.unwrap();
    let owner: &[&[u8]] = &[session.user.appid.as_str().as_bytes(), openid.as_bytes()];
    let sealer = Sealer::new(&[[7; 32]]);
    let stored = StoredKey {
        id: KeyId([1; 16]),
        sealed: sealer.seal(Purpose::SessionKey, owner, session_key),
        acquired: now(),
    };
    gate.store.add_session_key(&session.user, stored, DAY).await.unwrap();
    gate.store.remove_session_key(&session.user, &KeyId([2; 16])).await.unwrap();
    for kind in [Kind::Exchange, Kind::Replay, Kind::Rate, Kind::AccessTokenLock] {
        let key = Key::new(kind, &[b"THECODE", b"10.1.2.3"]);
        let value = sealer.seal(Purpose::Exchange, owner, b"THEPHONE 13800000000");
        gate.store.put_if_absent(&key, &value, DAY).await.unwrap();
        gate.store.replace(&key, &value, &value, DAY).await.unwrap();
        let counter = Key::new(kind, &[b"THECODE"]);
        gate.store.increment(&counter, DAY).await.unwrap();
    }
    super::samples::rewrite(&gate.store, &session).await.unwrap();
    gate.store.renew(&session.user, &session.id, DAY).await.unwrap();

    let keys: Vec<Vec<u8>> = server.command(&["KEYS", "*"]).await;
    assert!(keys.len() >= 11, "{}", keys.len());
    let mut connection = server.connection().await;
    for key in keys {
        let left: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut connection).await.unwrap();
        assert!(left > 0, "{} has no end", String::from_utf8_lossy(&key));
        let value: Value = match redis::cmd("GET").arg(&key).query_async(&mut connection).await {
            Ok(value) => value,
            Err(_) => {
                let mut all = redis::cmd("ZRANGE");
                all.arg(&key).arg(0).arg(-1).query_async(&mut connection).await.unwrap()
            }
        };
        let shown = [key, bytes(&value)].concat();
        let secrets: [&[u8]; 6] = [
            openid.as_bytes(),
            session.user.appid.as_str().as_bytes(),
            session_key,
            b"THECODE",
            b"13800000000",
            b"10.1.2.3",
        ];
        for secret in secrets {
            assert!(!shown.windows(secret.len()).any(|window| window == secret));
        }
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::BulkString(bytes) => bytes.clone(),
        Value::Array(values) => values.iter().flat_map(bytes).collect(),
        other => panic!("{other:?}"),
    }
}

async fn patient_gate(server: &Server) -> Gate {
    let mut settings = Settings::parse_url(&server.url()).unwrap();
    settings.timeout = PATIENCE;
    let gate = Gate::with(settings);
    gate.becomes_ready().await;
    gate
}

async fn used_memory(server: &Server) -> u64 {
    let info: String = server.command(&["INFO", "memory"]).await;
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    used.unwrap().parse::<u64>().unwrap()
}

/// Logins of different users, each with a session, its place in the list, and a session key.
async fn log_in(gate: &Gate, keys: bool, logins: Range<u64>) {
    let numbers: Vec<_> = logins.collect();
    for numbers in numbers.chunks(50) {
        let logins = numbers.iter().map(|number| async move {
            let session = session(&user(&format!("oABCDEFGHIJKLMNOPQ{number:010}")), now());
            gate.store.create(&session, DAY).await.unwrap();
            if keys {
                let key = super::samples::stored_key(1);
                gate.store.add_session_key(&session.user, key, DAY).await.unwrap();
            }
        });
        futures_util::future::join_all(logins).await;
    }
}

async fn bytes_for_each(keys: bool, logins: u64) -> u64 {
    let server = Server::start().await;
    let gate = patient_gate(&server).await;
    let before = used_memory(&server).await;
    log_in(&gate, keys, 0..logins).await;
    (used_memory(&server).await - before) / logins
}

/// As many logins as fill the tables of Redis, as a million nearly do.
#[tokio::test]
async fn a_million_sessions_fit() {
    let session = bytes_for_each(false, 16_384).await;
    let login = bytes_for_each(true, 16_384).await;
    println!("{session} bytes for a session and its place in the list, {login} with a session key");
    assert!(session <= 480, "{session}");
    assert!(login <= 660, "{login}");
}

/// What a look at a session takes that no process has a copy of: half of a thousand are faster.
async fn time_of_a_find(gate: &Gate) -> Duration {
    let session = gate.login("o-found").await.unwrap();
    let mut times = Vec::new();
    for _ in 0..1000 {
        let start = Instant::now();
        assert!(gate.knows(&session).await.unwrap());
        times.push(start.elapsed());
    }
    times.sort();
    times[times.len() / 2]
}

/// The figures of bench/README.md, by the store itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes minutes, and 700 MB of memory"]
async fn a_million_sessions() {
    const MILLION: u64 = 1_000_000;
    for (what, keys) in [("sessions", false), ("sessions with a session key each", true)] {
        let server = Server::start().await;
        let gate = patient_gate(&server).await;
        let (before, found_before) = (used_memory(&server).await, time_of_a_find(&gate).await);
        let start = Instant::now();
        log_in(&gate, keys, 0..MILLION).await;
        let rate = MILLION / start.elapsed().as_secs().max(1);
        let used = used_memory(&server).await - before;
        let found = time_of_a_find(&gate).await;
        println!(
            "{MILLION} {what}, of as many users: {} MB in Redis, {} bytes each; \
             {rate} logins a second; a find takes {found:?}, {found_before:?} before them",
            used / 1_000_000,
            used / MILLION,
        );
        // The bound is for sessions; session keys come on top.
        assert!(keys || used < 600_000_000, "{used}");
    }
}
