//! What lies in Redis: nothing in clear that need not be, nothing for ever, and little of it.

use std::ops::Range;
use std::time::{Duration, Instant};

use wxgate::redis::Settings;
use wxgate::session::record::Session;
use wxgate::session::seal::{Purpose, Sealer};
use wxgate::session::store::{Key, KeyId, Kind, Store, StoredKey};

use super::redis_server::{PATIENCE, Server};
use super::samples::{DAY, session, user};
use super::{Gate, now};

/// As long as a login keeps what is known of a user.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

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
    assert!(keys.len() >= 10, "{}", keys.len());
    let mut connection = server.connection().await;
    for key in keys {
        let left: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut connection).await.unwrap();
        assert!(left > 0, "{} has no end", String::from_utf8_lossy(&key));
        let value: Vec<u8> =
            redis::cmd("GET").arg(&key).query_async(&mut connection).await.unwrap();
        let shown = [key, value].concat();
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

/// Logins of different users, as the gateway makes them: a session key as long as a sealed one, the
/// session of a user with a unionid, and the mark that he is known.
async fn log_in(gate: &Gate, logins: Range<u64>) {
    let sealer = &Sealer::new(&[[7; 32]]);
    let numbers: Vec<_> = logins.collect();
    for numbers in numbers.chunks(50) {
        let logins = numbers.iter().map(|number| async move {
            let session = session(&user(&format!("oABCDEFGHIJKLMNOPQ{number:010}")), now());
            let user = &session.user;
            let owner: &[&[u8]] =
                &[user.appid.as_str().as_bytes(), user.openid.as_str().as_bytes()];
            let sealed = sealer.seal(Purpose::SessionKey, owner, b"tiihtNczf5v6AKRyjwEUhQ==");
            let id = KeyId(session.id.to_bytes());
            let key = StoredKey { id, sealed, acquired: now() };
            assert!(!gate.store.is_known(user).await.unwrap());
            assert!(gate.store.add_session_key(user, key, KEPT).await.unwrap());
            assert!(gate.store.sessions_of(user).await.unwrap().is_empty());
            gate.store.create(&session, DAY).await.unwrap();
            gate.store.note_known(user, KEPT).await.unwrap();
        });
        futures_util::future::join_all(logins).await;
    }
}

/// As many logins as fill the tables of Redis, as a million nearly do.
#[tokio::test]
async fn a_million_sessions_fit() {
    const LOGINS: u64 = 16_384;
    let server = Server::start().await;
    let gate = patient_gate(&server).await;
    let before = used_memory(&server).await;
    log_in(&gate, 0..LOGINS).await;
    let each = (used_memory(&server).await - before) / LOGINS;
    println!("{each} bytes for a login: session, list, session key, mark");
    assert!(each <= 540, "{each}");
    assert_eq!(server.command::<u64>(&["DBSIZE"]).await, 2 * LOGINS + 2);
}

/// What a look at a session takes that no process has a copy of: half of a thousand are faster.
async fn time_of_a_find(gate: &Gate, session: &Session) -> Duration {
    let mut times = Vec::new();
    for _ in 0..1000 {
        let start = Instant::now();
        assert!(gate.knows(session).await.unwrap());
        times.push(start.elapsed());
    }
    times.sort();
    times[times.len() / 2]
}

/// The figures of bench/README.md, by the store itself. The looks at the full Redis and at an empty one
/// beside it alternate, so that both see the same machine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes minutes, and 500 MB of memory"]
async fn a_million_sessions() {
    const MILLION: u64 = 1_000_000;
    let (server, other) = (Server::start().await, Server::start().await);
    let (gate, empty) = (patient_gate(&server).await, patient_gate(&other).await);
    let before = used_memory(&server).await;
    let start = Instant::now();
    log_in(&gate, 0..MILLION).await;
    let rate = MILLION / start.elapsed().as_secs().max(1);
    let used = used_memory(&server).await - before;
    println!(
        "{MILLION} logins of as many users: {} MB in Redis, {} bytes each; {rate} logins a second",
        used / 1_000_000,
        used / MILLION,
    );
    let (full_one, empty_one) =
        (gate.login("o-found").await.unwrap(), empty.login("o-found").await.unwrap());
    let (mut full, mut none) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        full.push(time_of_a_find(&gate, &full_one).await);
        none.push(time_of_a_find(&empty, &empty_one).await);
    }
    full.sort();
    none.sort();
    println!("a find takes {:?} with them, {:?} in an empty Redis", full[10], none[10]);
    assert!(used <= 600_000_000, "{used}");
}
