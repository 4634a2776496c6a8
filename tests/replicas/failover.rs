//! Sentinel and Cluster lose a primary while requests run: the replicas go on with its successor.

use std::time::Instant;

use crate::redis_server::groups::{Cluster, FAILOVER, Watched, is_copied};
use crate::redis_server::{PATIENCE, Server, eventually};
use crate::support::load::{Load, counted};
use crate::support::{House, Replica, User, answers_from_memory, on_within};

const USERS: usize = 8;

/// Replication is asynchronous: what was not copied dies with its primary.
async fn everything_is_copied(servers: &[Server]) {
    for server in servers {
        eventually("replicas have it all", PATIENCE, async || is_copied(server).await).await;
    }
}

/// Two replicas and their users before a failover.
struct Before {
    house: House,
    one: Replica,
    other: Replica,
    users: Vec<User>,
}

impl Before {
    async fn new(url: &str, servers: &[Server]) -> Self {
        let house = House::open().await;
        let one = house.replica(on_within(url, "250ms")).await;
        let other = house.replica(on_within(url, "250ms")).await;
        let mut users = Vec::new();
        for number in 0..USERS {
            let name = format!("user-{number}");
            let mut token = None;
            // A time limit that is right for a failover may be missed by a machine that is busy.
            eventually("a login", PATIENCE, async || {
                let answer = one.login(&house.wechat.code(&name)).await;
                token = answer.json()["token"].as_str().map(str::to_owned);
                token.is_some()
            })
            .await;
            users.push(User { openid: house.wechat.openid(&name), name, token: token.unwrap() });
        }
        everything_is_copied(servers).await;
        Self { house, one, other, users }
    }

    /// A failover with requests running, which begins with the death of one server.
    async fn goes_through(&self, what: &str, servers: &mut [Server], dies: usize) {
        let Self { house, one, other, users } = self;
        let load = Load::start(&[one, other], users);
        eventually("requests run", PATIENCE, async || house.upstream.requests().len() > 50).await;
        let start = Instant::now();
        servers[dies].kill();
        // Of a cluster only a part is lost, so all users have to be able to log in again.
        let went_on = async || {
            for replica in [one, other] {
                for user in users {
                    let login = replica.login(&house.wechat.code(&user.name)).await.status;
                    match (login, replica.status(&user.token).await) {
                        (200, 200) => {}
                        (_, 401) => panic!("{} lost the session", user.name),
                        _ => return false,
                    }
                }
            }
            true
        };
        // The loss itself has to be noticed first.
        eventually("it is noticed", FAILOVER, async || !went_on().await).await;
        eventually("it goes on", PATIENCE, went_on).await;
        let took = start.elapsed();
        let samples = load.end().await;
        println!("{what}: {took:?}; {:?}", counted(&samples));
        assert!(took < FAILOVER, "{took:?}");
        assert!(samples.iter().all(|sample| [200, 503].contains(&sample.status)));
        house.nobody_was_mixed_up(users);
        // Copies are kept again: of the primary that is new, too.
        let others = servers.iter().enumerate().filter(|(place, _)| *place != dies);
        let alive: Vec<_> = others.map(|(_, server)| server).collect();
        for user in users {
            answers_from_memory(&alive, one, &user.token).await;
        }
        // What is said through one is heard by the other again.
        for user in users {
            assert_eq!(
                (one.status(&user.token).await, other.status(&user.token).await),
                (200, 200)
            );
            one.log_out(&user.token).await;
            other.turns_away(&user.token).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_lose_their_primary_with_requests_running() {
    let mut watched = Watched::start().await;
    let before = Before::new(&watched.url(), &watched.servers[..1]).await;
    before.goes_through("sentinels", &mut watched.servers, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_loses_a_primary_with_requests_running() {
    let mut cluster = Cluster::start(1).await;
    let before = Before::new(&cluster.url(), &cluster.servers).await;
    let primary = cluster.position("master").await;
    before.goes_through("cluster", &mut cluster.servers, primary).await;
}
