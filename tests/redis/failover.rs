//! A primary that is lost or changes: its successor is found, and what was heard of the one before is
//! not believed any more.

use std::time::{Duration, Instant};

use wxgate::session::record::Session;
use wxgate::session::store::Store;

use super::Gate;
use super::redis_server::groups::{Cluster, FAILOVER, MASTER, Watched, is_copied};
use super::redis_server::{PATIENCE, Server, eventually};

/// Until sessions can be read, written and kept again.
async fn goes_on(gate: &Gate, sessions: &[Session], since: Instant) -> Duration {
    eventually("it goes on", PATIENCE, async || {
        for session in sessions {
            if !super::samples::rewrite(&gate.store, session).await.unwrap_or(false) {
                return false;
            }
        }
        gate.is_live()
    })
    .await;
    since.elapsed()
}

async fn logins(gate: &Gate, servers: &[Server]) -> Vec<Session> {
    let mut sessions = Vec::new();
    for number in 0..30 {
        sessions.push(gate.login(&format!("o{number}")).await.unwrap());
    }
    // Replication is asynchronous: what was not copied dies with its primary.
    for server in servers {
        eventually("replicas have it all", PATIENCE, async || is_copied(server).await).await;
    }
    sessions
}

/// A change through one gate is heard of at the other.
async fn hears(gate: &Gate, other: &Gate, sessions: &[Session]) {
    for session in sessions {
        gate.listener.clear();
        other.store.end(&session.user, &session.id).await.unwrap();
        eventually("it is heard of", Duration::from_secs(1), async || {
            gate.listener.forgot(&session.id)
        })
        .await;
    }
}

async fn other_gate(url: &str, gate: &Gate, sessions: &[Session]) -> Gate {
    let other = Gate::ready(url).await;
    goes_on(&other, sessions, Instant::now()).await;
    goes_on(gate, sessions, Instant::now()).await;
    other
}

#[tokio::test]
async fn the_primary_of_sentinels_dies() {
    let mut watched = Watched::start().await;
    let gate = Gate::ready(&watched.url()).await;
    let sessions = logins(&gate, &watched.servers[..1]).await;
    gate.listener.clear();
    let start = Instant::now();
    watched.servers[0].kill();
    let took = goes_on(&gate, &sessions, start).await;
    println!("sentinels: {took:?} after the death of the primary");
    assert!(took < FAILOVER, "{took:?}");
    assert!(gate.listener.forgot_all() > 0);
    hears(&gate, &other_gate(&watched.url(), &gate, &sessions).await, &sessions).await;
}

#[tokio::test]
async fn the_primary_of_sentinels_freezes() {
    let watched = Watched::start().await;
    let gate = Gate::ready(&watched.url()).await;
    let sessions = logins(&gate, &watched.servers[..1]).await;
    let start = Instant::now();
    watched.servers[0].freeze();
    let took = goes_on(&gate, &sessions, start).await;
    println!("sentinels: {took:?} after the freeze of the primary");
    assert!(took < FAILOVER, "{took:?}");
    // It wakes as somebody else, and nobody falls for it.
    watched.servers[0].thaw();
    hears(&gate, &other_gate(&watched.url(), &gate, &sessions).await, &sessions).await;
}

#[tokio::test]
async fn sentinels_change_the_primary() {
    let watched = Watched::start().await;
    let gate = Gate::ready(&watched.url()).await;
    let sessions = logins(&gate, &watched.servers[..1]).await;
    watched.sentinels[0].command::<()>(&["SENTINEL", "FAILOVER", MASTER]).await;
    eventually("the roles change", PATIENCE, async || {
        let info: String = watched.servers[0].command(&["INFO", "replication"]).await;
        info.contains("role:slave")
    })
    .await;
    let took = goes_on(&gate, &sessions, Instant::now()).await;
    println!("sentinels: {took:?} after the change of the primary");
    assert!(took < FAILOVER, "{took:?}");
    hears(&gate, &other_gate(&watched.url(), &gate, &sessions).await, &sessions).await;
}

#[tokio::test]
async fn a_primary_of_the_cluster_dies() {
    let mut cluster = Cluster::start(1).await;
    let gate = Gate::ready(&cluster.url()).await;
    let sessions = logins(&gate, &cluster.servers).await;
    gate.listener.clear();
    let primary = cluster.position("master").await;
    let start = Instant::now();
    cluster.servers[primary].kill();
    let took = goes_on(&gate, &sessions, start).await;
    println!("cluster: {took:?} after the death of a primary");
    assert!(took < FAILOVER, "{took:?}");
    assert!(gate.listener.forgot_all() > 0);
    hears(&gate, &other_gate(&cluster.url(), &gate, &sessions).await, &sessions).await;
}

#[tokio::test]
async fn a_primary_of_the_cluster_freezes() {
    let cluster = Cluster::start(1).await;
    let gate = Gate::ready(&cluster.url()).await;
    let sessions = logins(&gate, &cluster.servers).await;
    let primary = cluster.position("master").await;
    let start = Instant::now();
    cluster.servers[primary].freeze();
    let took = goes_on(&gate, &sessions, start).await;
    println!("cluster: {took:?} after the freeze of a primary");
    assert!(took < FAILOVER, "{took:?}");
    cluster.servers[primary].thaw();
    hears(&gate, &other_gate(&cluster.url(), &gate, &sessions).await, &sessions).await;
}

#[tokio::test]
async fn a_primary_of_the_cluster_changes() {
    let cluster = Cluster::start(1).await;
    let gate = Gate::ready(&cluster.url()).await;
    let sessions = logins(&gate, &cluster.servers).await;
    let replica = cluster.position("slave").await;
    cluster.servers[replica].command::<()>(&["CLUSTER", "FAILOVER"]).await;
    eventually("the roles change", PATIENCE, async || {
        let info: String = cluster.servers[replica].command(&["INFO", "replication"]).await;
        info.contains("role:master")
    })
    .await;
    let took = goes_on(&gate, &sessions, Instant::now()).await;
    println!("cluster: {took:?} after the change of a primary");
    assert!(took < FAILOVER, "{took:?}");
    let other = other_gate(&cluster.url(), &gate, &sessions).await;
    hears(&gate, &other, &sessions).await;
}

#[tokio::test]
async fn the_rest_of_a_cluster_goes_on() {
    let mut cluster = Cluster::start(0).await;
    for server in &cluster.servers {
        server.command::<()>(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]).await;
    }
    let gate = Gate::ready(&cluster.url()).await;
    let sessions = logins(&gate, &[]).await;
    cluster.servers[0].kill();
    eventually("it is noticed", PATIENCE, async || !gate.is_live()).await;
    // While the link is looked after, those on the other nodes are found at any time.
    let mut found = 0;
    let mut lost = 0;
    let until = Instant::now() + Duration::from_secs(3);
    let mut always = vec![true; sessions.len()];
    while Instant::now() < until {
        for (session, always) in sessions.iter().zip(&mut always) {
            match gate.knows(session).await {
                Ok(known) => {
                    assert!(known);
                    found += 1;
                }
                Err(_) => {
                    *always = false;
                    lost += 1;
                }
            }
        }
    }
    println!("cluster without a node: {found} found, {lost} not known");
    let reachable = always.iter().filter(|always| **always).count();
    assert!(reachable > 10, "{reachable} of {}", sessions.len());
    cluster.servers[0].restart().await;
    gate.becomes_ready().await;
}

#[tokio::test]
async fn slots_move_to_another_node() {
    let cluster = Cluster::start(0).await;
    let gate = Gate::ready(&cluster.url()).await;
    let sessions = logins(&gate, &[]).await;
    let address = |position: usize| cluster.servers[position].address().to_string();
    let from: String = cluster.servers[0].command(&["CLUSTER", "MYID"]).await;
    let to: String = cluster.servers[1].command(&["CLUSTER", "MYID"]).await;
    let mut moving = tokio::process::Command::new("redis-cli")
        .args(["--cluster", "reshard", &address(0), "--cluster-from", &from])
        .args(["--cluster-to", &to, "--cluster-slots", "2000", "--cluster-yes"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut asked = 0;
    while moving.try_wait().unwrap().is_none() {
        for session in &sessions {
            assert!(gate.knows(session).await.unwrap(), "nobody is logged out by a move");
            assert!(super::samples::rewrite(&gate.store, session).await.unwrap());
            asked += 1;
        }
    }
    println!("cluster: {asked} calls while slots moved");
    hears(&gate, &other_gate(&cluster.url(), &gate, &sessions).await, &sessions).await;
}
