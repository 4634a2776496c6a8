//! Every way in which people run Redis.

use std::time::{Duration, Instant};

use wxgate::redis::Settings;
use wxgate::redis::settings::{ClientCertificate, KeyPrefix, Login, Options, Password, Tls};
use wxgate::secret::Secret;
use wxgate::session::store::Store;

use super::redis_server::groups::{Cluster, FAILOVER, Watched};
use super::redis_server::{PATIENCE, Server, eventually};
use super::samples::user;
use super::{Gate, now};

/// What an ACL user needs, beside its keys: the operations guide shows the same line.
pub(crate) const RULES: &[&str] = &[
    "~wxgate:*",
    "+get",
    "+mget",
    "+set",
    "+psetex",
    "+setrange",
    "+del",
    "+pttl",
    "+pexpire",
    "+eval",
    "+evalsha",
    "+ping",
    "+hello",
    "+select",
    "+client|tracking",
    "+info",
    "+time",
    "+cluster|slots",
];

/// Everything that needs a command of its own.
async fn everything_works(gate: &Gate) {
    let session = gate.login("o1").await.unwrap();
    assert!(gate.knows(&session).await.unwrap());
    assert!(super::samples::rewrite(&gate.store, &session).await.unwrap());
    assert!(gate.store.renew(&session.user, &session.id, super::DAY).await.unwrap());
    let key = super::samples::stored_key(1);
    gate.store.add_session_key(&session.user, key.clone(), super::DAY).await.unwrap();
    assert_eq!(gate.store.session_keys(&session.user).await.unwrap().len(), 1);
    assert_eq!(gate.store.begin_try(&session.user).await.unwrap().unwrap().len(), 1);
    gate.store.end_try(&session.user, &[key.id], true).await.unwrap();
    gate.store.abandon_tries(&session.user).await.unwrap();
    gate.store.note_known(&session.user, super::DAY).await.unwrap();
    assert!(gate.store.is_known(&session.user).await.unwrap());
    gate.store.remove_session_key(&session.user, &key.id).await.unwrap();
    let kind = wxgate::session::store::Kind::Rate;
    let name = wxgate::session::store::Key::new(kind, &[now().to_string().as_bytes()]);
    assert_eq!(gate.store.increment(&name, super::DAY).await.unwrap(), 1);
    assert_eq!(gate.store.increment(&name, super::DAY).await.unwrap(), 2);
    gate.store.put(&name, b"a", super::DAY).await.unwrap();
    assert!(gate.store.put_if_absent(&name, b"b", super::DAY).await.unwrap().is_some());
    assert!(gate.store.replace(&name, b"a", b"b", super::DAY).await.unwrap());
    assert!(gate.store.get(&name).await.unwrap().is_some());
    assert!(gate.store.remove(&name, b"b").await.unwrap());
    assert_eq!(gate.store.sessions_of(&user("o1")).await.unwrap(), std::slice::from_ref(&session));
    assert!(gate.store.end(&session.user, &session.id).await.unwrap());
    gate.login("o1").await.unwrap();
    assert_eq!(gate.store.end_all(&user("o1")).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_plain_server() {
    let server = Server::start().await;
    everything_works(&Gate::ready(&server.url()).await).await;
}

#[tokio::test]
async fn a_unix_socket() {
    let server = Server::start().await;
    everything_works(&Gate::ready(&format!("unix://{}", server.socket().display())).await).await;
}

#[tokio::test]
async fn a_database_and_a_prefix() {
    let server = Server::start().await;
    let options =
        Options { database: Some(3), key_prefix: KeyPrefix::parse("shop:"), ..Options::default() };
    let gate = Gate::with(Settings::new(&server.url(), options).unwrap());
    gate.becomes_ready().await;
    everything_works(&gate).await;
    gate.login("o1").await.unwrap();
    let mut connection = server.connection().await;
    let elsewhere: u64 = redis::cmd("DBSIZE").query_async(&mut connection).await.unwrap();
    assert_eq!(elsewhere, 0);
    redis::cmd("SELECT").arg(3).exec_async(&mut connection).await.unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    assert!(!keys.is_empty() && keys.iter().all(|key| key.starts_with("shop:")), "{keys:?}");
}

#[tokio::test]
async fn a_password() {
    let server = Server::with_password("s3cret/@:").await;
    let port = server.address().port();
    let gate = Gate::ready(&format!("redis://:s3cret%2F%40%3A@127.0.0.1:{port}")).await;
    everything_works(&gate).await;
}

#[tokio::test]
async fn an_acl_user_with_no_more_than_it_needs() {
    let server = Server::start().await;
    let mut rules = vec!["ACL", "SETUSER", "gate", "reset", "on", ">secret"];
    rules.extend(RULES);
    server.command::<()>(&rules).await;
    let port = server.address().port();
    everything_works(&Gate::ready(&format!("redis://gate:secret@127.0.0.1:{port}")).await).await;
}

#[tokio::test]
async fn a_password_that_is_rotated_in_its_file() {
    let server = Server::start().await;
    let set = async |password: &str| {
        let secret = format!(">{password}");
        let mut rules = vec!["ACL", "SETUSER", "gate", "reset", "on", &secret];
        rules.extend(RULES);
        server.command::<()>(&rules).await;
    };
    set("first").await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    std::fs::write(&file, "first\n").unwrap();
    let options = Options {
        username: Some("gate".to_owned()),
        password: Some(Password::File(file.clone())),
        ..Options::default()
    };
    let gate = Gate::with(Settings::new(&server.url(), options).unwrap());
    gate.becomes_ready().await;

    set("second").await;
    server.command::<u64>(&["CLIENT", "KILL", "USER", "gate"]).await;
    let said = gate.says(&["WRONGPASS"]).await;
    assert!(!said.contains("first"), "{said}");
    std::fs::write(&file, "second\n").unwrap();
    gate.becomes_ready().await;

    std::fs::remove_file(&file).unwrap();
    server.command::<u64>(&["CLIENT", "KILL", "USER", "gate"]).await;
    gate.says(&["password", "correct the file"]).await;
    std::fs::write(&file, "second").unwrap();
    gate.becomes_ready().await;
}

fn tls(server: &Server) -> Tls {
    let client = ClientCertificate {
        cert: server.certificates().path("client.pem"),
        key: server.certificates().path("client.key"),
    };
    Tls { ca: Some(server.certificates().path("ca.pem")), client: Some(client) }
}

#[tokio::test]
async fn tls_with_a_ca_and_a_certificate() {
    let server = Server::with_tls().await;
    let options = Options { tls: Some(tls(&server)), ..Options::default() };
    let gate = Gate::with(Settings::new(&server.url(), options).unwrap());
    gate.becomes_ready().await;
    everything_works(&gate).await;
}

#[tokio::test]
async fn tls_with_somebody_else() {
    let (server, other) = (Server::with_tls().await, Server::with_tls().await);
    let stranger = Tls { ca: Some(other.certificates().path("ca.pem")), ..tls(&server) };
    let options = Options { tls: Some(stranger), ..Options::default() };
    let gate = Gate::with(Settings::new(&server.url(), options).unwrap());
    gate.says(&["TLS: ", "store.tls.ca"]).await;

    let nobody = Tls { client: None, ..tls(&server) };
    let options = Options { tls: Some(nobody), ..Options::default() };
    let gate = Gate::with(Settings::new(&server.url(), options).unwrap());
    gate.says(&["TLS: ", "store.tls.cert"]).await;
}

#[tokio::test]
async fn sentinels() {
    let watched = Watched::start().await;
    everything_works(&Gate::ready(&watched.url()).await).await;
    // One that is there is enough.
    let mut watched = watched;
    watched.sentinels.truncate(1);
    let url = format!("redis+sentinel://127.0.0.1:1,{}/shop", watched.sentinels[0].address());
    Gate::ready(&url).await;
    let url = format!("redis+sentinel://{}/other", watched.sentinels[0].address());
    Gate::open(&url).says(&["no primary of the name \"other\""]).await;
    Gate::open("redis+sentinel://127.0.0.1:1/shop").says(&["no sentinel answers"]).await;
}

#[tokio::test]
async fn sentinels_and_servers_with_passwords_of_their_own() {
    let watched = Watched::with_passwords("of-servers", "of-sentinels").await;
    let password = |text: &str| Some(Password::Given(Secret::new(text)));
    let options = |sentinels: &str| Options {
        password: password("of-servers"),
        sentinel_login: Login { username: None, password: password(sentinels) },
        ..Options::default()
    };
    let gate = Gate::with(Settings::new(&watched.url(), options("of-sentinels")).unwrap());
    gate.becomes_ready().await;
    everything_works(&gate).await;
    let stranger = Gate::with(Settings::new(&watched.url(), options("wrong")).unwrap());
    stranger.says(&["no sentinel answers"]).await;
}

#[tokio::test]
async fn sentinels_with_tls() {
    let mut watched = Watched::with_tls().await;
    let options = |tls| Options { tls: Some(tls), ..Options::default() };
    let good = tls(&watched.servers[0]);
    let gate = Gate::with(Settings::new(&watched.url(), options(good.clone())).unwrap());
    gate.becomes_ready().await;
    everything_works(&gate).await;
    // Neither without TLS nor without a certificate that the sentinels take.
    let plain = watched.url().replacen("rediss", "redis", 1);
    Gate::open(&plain).says(&["no sentinel answers"]).await;
    let nobody =
        Gate::with(Settings::new(&watched.url(), options(Tls { client: None, ..good })).unwrap());
    nobody.says(&["no sentinel answers"]).await;
    watched.servers[0].kill();
    eventually("it is noticed", PATIENCE, async || !gate.works().await).await;
    let took = gate.becomes_ready().await;
    assert!(took < FAILOVER, "{took:?}");
    everything_works(&gate).await;
}

#[tokio::test]
async fn a_primary_without_sentinels_is_not_doubted() {
    let mut watched = Watched::start().await;
    let gate = Gate::ready(&watched.url()).await;
    watched.sentinels.clear();
    let connections = gate.store.connections();
    let until = Instant::now() + Duration::from_secs(6);
    while Instant::now() < until {
        assert!(gate.works().await && gate.is_live());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(gate.store.connections(), connections);
}

#[tokio::test]
async fn a_cluster_with_a_password() {
    let cluster = Cluster::with_password("secret").await;
    let options =
        Options { password: Some(Password::Given(Secret::new("secret"))), ..Options::default() };
    let gate = Gate::with(Settings::new(&cluster.url(), options).unwrap());
    gate.becomes_ready().await;
    everything_works(&gate).await;
    Gate::open(&cluster.url()).says(&["NOAUTH"]).await;
}

#[tokio::test]
async fn a_cluster_with_tls() {
    let cluster = Cluster::with_tls().await;
    let options = Options { tls: Some(tls(&cluster.servers[0])), ..Options::default() };
    let gate = Gate::with(Settings::new(&cluster.url(), options).unwrap());
    gate.becomes_ready().await;
    everything_works(&gate).await;
}

#[tokio::test]
async fn a_cluster() {
    let cluster = Cluster::start(0).await;
    let gate = Gate::ready(&cluster.url()).await;
    everything_works(&gate).await;
    for number in 0..100 {
        let openid = format!("o{number}");
        let session = gate.login(&openid).await.unwrap();
        gate.login(&openid).await.unwrap();
        assert!(gate.knows(&session).await.unwrap());
        assert_eq!(gate.store.sessions_of(&session.user).await.unwrap().len(), 2);
    }
    for server in &cluster.servers {
        assert!(server.command::<u64>(&["DBSIZE"]).await > 0, "every node has a part");
    }
    // One node is enough to find the others.
    let one = format!("redis+cluster://127.0.0.1:1,{}", cluster.servers[1].address());
    Gate::ready(&one).await;
}

#[tokio::test]
async fn old_protocols_are_spoken_too() {
    let server = Server::with(&["--rename-command", "HELLO", ""]).await;
    let gate = Gate::open(&server.url());
    eventually("commands work", PATIENCE, async || gate.works().await).await;
    everything_works(&gate).await;
    assert!(!gate.is_live(), "nothing may be kept where changes are not heard of");
}
