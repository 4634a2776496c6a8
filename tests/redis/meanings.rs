//! What each failure of Redis is called, and what to do about it.

use std::time::Duration;

use wxgate::rate::Quota;
use wxgate::redis::RedisStore;
use wxgate::session::record::Session;
use wxgate::session::store::{Key, Kind, Store};

use super::connecting::RULES;
use super::redis_server::groups::Cluster;
use super::redis_server::{PATIENCE, Server, eventually};
use super::samples::DAY;
use super::{Gate, now};

#[tokio::test]
async fn refused_and_unresolved() {
    Gate::open("redis://127.0.0.1:1").says(&["127.0.0.1:1", "refused", "start Redis"]).await;
    Gate::open("unix:///nowhere/redis.sock").says(&["/nowhere/redis.sock", "refused"]).await;
    Gate::open("redis://nowhere.invalid").says(&["does not resolve", "store.url"]).await;
}

#[tokio::test]
async fn noauth_wrongpass_and_noperm() {
    let server = Server::with_password("secret").await;
    let port = server.address().port();
    Gate::open(&server.url()).says(&["NOAUTH", "store.password"]).await;
    let wrong = Gate::open(&format!("redis://:wrong@127.0.0.1:{port}"));
    let said = wrong.says(&["WRONGPASS", "store.username"]).await;
    assert!(!said.contains("wrong@"), "{said}");

    let mut rules = vec!["ACL", "SETUSER", "gate", "reset", "on", ">secret"];
    rules.extend(RULES);
    rules.extend(["-set", "-psetex"]);
    server.command::<()>(&rules).await;
    let gate = Gate::open(&format!("redis://gate:secret@127.0.0.1:{port}"));
    gate.says(&["NOPERM", "operations guide"]).await;
    let key = Key::new(Kind::Rate, &[]);
    let said = gate.store.put(&key, b"", DAY).await.unwrap_err().to_string();
    assert!(said.contains("NOPERM"), "{said}");
    assert!(gate.store.get(&key).await.unwrap().is_none(), "what is allowed works");
}

#[tokio::test]
async fn loading() {
    let mut server = Server::with(&[
        "--key-load-delay",
        "3000",
        "--loading-process-events-interval-bytes",
        "1024",
    ])
    .await;
    let gate = Gate::ready(&server.url()).await;
    let session = gate.login("o1").await.unwrap();
    let mut filling = redis::pipe();
    for number in 0..1000 {
        filling.set(format!("other:{number}"), "x").ignore();
    }
    filling.exec_async(&mut server.connection().await).await.unwrap();
    server.command::<()>(&["SAVE"]).await;
    server.begin_restart();
    gate.says(&["LOADING"]).await;
    assert!(gate.knows(&session).await.is_err(), "not known is not the same as not there");
    assert!(!gate.is_live());
    eventually("the session is back", PATIENCE, async || {
        gate.knows(&session).await.unwrap_or(false)
    })
    .await;
}

#[tokio::test]
async fn readonly_and_masterdown() {
    let mut primary = Server::start().await;
    let port = primary.address().port().to_string();
    let args = ["--replicaof", "127.0.0.1", &port, "--replica-serve-stale-data", "no"];
    let replica = Server::with(&args).await;
    let gate = Gate::open(&replica.url());
    gate.says(&["READONLY", "primary"]).await;
    primary.kill();
    gate.says(&["primary"]).await;
    assert!(!gate.is_live());
    replica.command::<()>(&["REPLICAOF", "NO", "ONE"]).await;
    gate.becomes_ready().await;
}

#[tokio::test]
async fn out_of_memory() {
    let server = Server::start().await;
    let gate = Gate::ready(&server.url()).await;
    let session = gate.login("o1").await.unwrap();
    server.command::<()>(&["CONFIG", "SET", "maxmemory", "1"]).await;
    gate.says(&["OOM", "maxmemory"]).await;
    assert!(gate.knows(&session).await.unwrap(), "reading goes on");
    assert!(gate.is_live());
    server.command::<()>(&["CONFIG", "SET", "maxmemory", "0"]).await;
    assert!(gate.works().await);
}

#[tokio::test]
async fn moved_and_clusterdown() {
    let cluster = Cluster::start(0).await;
    let gate = Gate::open(&cluster.servers[0].url());
    let mut number = 0;
    eventually("a key lies elsewhere", PATIENCE, async || {
        number += 1;
        let openid = format!("o{number}");
        let said = gate.login(&openid).await.err().map(|why| why.to_string());
        said.is_some_and(|said| said.contains("MOVED") && said.contains("redis+cluster://"))
    })
    .await;
    let lonely = Server::with(&["--cluster-enabled", "yes", "--cluster-port", &free_port()]).await;
    let url = format!("redis+cluster://{}", lonely.address());
    Gate::open(&url).says(&["CLUSTERDOWN", "CLUSTER NODES"]).await;
}

fn free_port() -> String {
    super::redis_server::free_port().to_string()
}

#[tokio::test]
async fn what_is_evicted_or_damaged_is_a_miss() {
    let server = Server::start().await;
    let gate = Gate::ready(&server.url()).await;
    let session = gate.login("o1").await.unwrap();
    let keys: Vec<String> = server.command(&["KEYS", "wxgate:s:*"]).await;
    let key = keys.iter().find(|key| key.ends_with(session.id.as_str())).unwrap();
    for damaged in ["", "\u{1}", "\u{2}another version", "\u{1}cut"] {
        let before = gate.store.damaged_values();
        server.command::<()>(&["SET", key, damaged, "EX", "100"]).await;
        assert!(!gate.knows(&session).await.unwrap());
        assert!(gate.store.sessions_of(&session.user).await.unwrap().is_empty());
        assert_eq!(gate.store.damaged_values(), before + 2);
        assert!(!gate.store.renew(&session.user, &session.id, DAY).await.unwrap());
    }
    // Nothing is built on what cannot be read.
    assert!(!super::samples::rewrite(&gate.store, &session).await.unwrap());
    gate.store.create(&session, DAY).await.unwrap();
    assert!(gate.knows(&session).await.unwrap());
    server.command::<()>(&["DEL", key]).await;
    assert!(!gate.knows(&session).await.unwrap());
    assert!(gate.store.sessions_of(&session.user).await.unwrap().is_empty());

    let value = Key::new(Kind::Exchange, &[b"code"]);
    gate.store.put(&value, b"one", DAY).await.unwrap();
    let keys: Vec<String> = server.command(&["KEYS", "wxgate:x:*"]).await;
    server.command::<()>(&["SET", &keys[0], "\u{2}one"]).await;
    let before = gate.store.damaged_values();
    assert!(gate.store.get(&value).await.unwrap().is_none());
    assert!(gate.store.put_if_absent(&value, b"two", DAY).await.unwrap().is_none());
    assert_eq!(gate.store.damaged_values(), before + 2);
    assert_eq!(gate.store.get(&value).await.unwrap().as_deref(), Some(&b"two"[..]));
    for damaged in ["", "\u{2}12345678", "\u{1}cut"] {
        let before = gate.store.damaged_values();
        server.command::<()>(&["SET", &keys[0], damaged, "EX", "100"]).await;
        assert_eq!(gate.store.increment(&value, DAY).await.unwrap(), 1);
        assert_eq!(gate.store.increment(&value, DAY).await.unwrap(), 2);
        server.command::<()>(&["SET", &keys[0], damaged, "EX", "100"]).await;
        gate.store.take(&value, &Quota::new(1, Duration::from_secs(1), 9)).await.unwrap();
        assert_eq!(gate.store.damaged_values(), before + 2, "{damaged:?}");
    }
}

/// It is the only list of his sessions: taken for empty, or written over, nobody could end them any more.
#[tokio::test]
async fn what_cannot_be_read_of_a_user_is_an_error_and_stays_what_it_is() {
    let server = Server::start().await;
    let gate = Gate::ready(&server.url()).await;
    let session = gate.login("o1").await.unwrap();
    let (store, user, key) = (&gate.store, &session.user, super::samples::stored_key(1));
    store.add_session_key(user, key.clone(), DAY).await.unwrap();
    let keys: Vec<String> = server.command(&["KEYS", "wxgate:u:*"]).await;
    let sizes = keys.iter().map(async |key| server.command::<u64>(&["STRLEN", key]).await);
    let sizes = futures_util::future::join_all(sizes).await;
    // The probe has no session key.
    let (_, name) = sizes.iter().zip(&keys).max().unwrap();
    let good: Vec<u8> = server.command(&["GET", name]).await;
    for damaged in ["", "\u{1}", "\u{2}\u{1}\u{0}", "\u{1}\u{1}\u{1}cut", "\u{1}\u{0}\u{0}cut"] {
        server.command::<()>(&["SET", name, damaged, "EX", "100"]).await;
        let before = store.damaged_values();
        let other = super::samples::session(user, now());
        let failed = [
            store.end_all(user).await.err(),
            store.sessions_of(user).await.err(),
            store.is_known(user).await.err(),
            store.note_known(user, DAY).await.err(),
            store.session_keys(user).await.err(),
            store.add_session_key(user, key.clone(), DAY).await.err(),
            store.remove_session_key(user, &key.id).await.err(),
            store.begin_try(user).await.err(),
            store.end_try(user, &[key.id], true).await.err(),
            store.abandon_tries(user).await.err(),
            store.create(&other, DAY).await.err(),
            super::samples::rewrite(store, &Session { created: 7, ..session.clone() }).await.err(),
        ];
        for (number, failed) in failed.iter().enumerate() {
            let said = failed.as_ref().map(|why| why.to_string()).unwrap_or_default();
            assert!(said.contains(name) && !said.contains("o1"), "{damaged:?} {number}: {said:?}");
        }
        assert_eq!(store.damaged_values(), before + failed.len() as u64, "{damaged:?}");
        assert_eq!(server.command::<String>(&["GET", name]).await, damaged, "as it was");
        assert!(gate.knows(&session).await.unwrap(), "the session itself goes on");
        assert!(!gate.knows(&other).await.unwrap(), "and none begins that nobody could find");
    }
    // What is named ends.
    let before = store.damaged_values();
    assert!(store.end(user, &session.id).await.unwrap());
    assert!(!gate.knows(&session).await.unwrap());
    assert_eq!(store.damaged_values(), before + 1);
    let mut connection = server.connection().await;
    redis::cmd("SETEX").arg(name).arg(100).arg(good).exec_async(&mut connection).await.unwrap();
    assert_eq!(store.session_keys(user).await.unwrap(), [key], "nothing is lost of it");
}

#[tokio::test]
async fn what_is_known_of_a_user_gets_its_end_again() {
    let server = Server::start().await;
    let gate = Gate::ready(&server.url()).await;
    let user = super::samples::user("o1");
    gate.store.add_session_key(&user, super::samples::stored_key(1), DAY).await.unwrap();
    let keys: Vec<String> = server.command(&["KEYS", "wxgate:u:*"]).await;
    for key in &keys {
        server.command::<()>(&["PERSIST", key]).await;
    }
    gate.store.remove_session_key(&user, &super::samples::stored_key(1).id).await.unwrap();
    gate.store.note_known(&user, DAY).await.unwrap();
    let ends = keys.iter().map(async |key| server.command::<i64>(&["PTTL", key]).await);
    let ends = futures_util::future::join_all(ends).await;
    assert!(ends.iter().any(|left| *left > 0), "{ends:?}");
}

#[tokio::test]
async fn the_outage_is_told_for_readiness() {
    let mut server = Server::start().await;
    let gate = Gate::ready(&server.url()).await;
    let outage = |store: &RedisStore| store.outage().map(|why| why.to_string());
    assert_eq!(outage(&gate.store), None);
    server.kill();
    eventually("it is told", Duration::from_secs(2), async || {
        outage(&gate.store).is_some_and(|why| why.contains("refused"))
    })
    .await;
    server.restart().await;
    eventually("it is over", Duration::from_secs(2), async || gate.works().await).await;
    assert_eq!(outage(&gate.store), None);
}
