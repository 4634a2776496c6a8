//! Redis that is away, slow, or out of its mind: every call ends in time and says so, nothing is kept
//! meanwhile, and it goes on soon after (REL-04).

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use wxgate::session::record::Session;
use wxgate::session::store::Store;

use super::Gate;
use super::chaos::{Chaos, Fault};
use super::redis_server::{PATIENCE, Server, eventually, free_port};
use super::samples::user;

/// The timeout of the store, and what a busy machine adds.
const IN_TIME: Duration = Duration::from_millis(250 + 250);
const BACK: Duration = Duration::from_secs(2);

/// Makes a call, which must fail within its time.
async fn fails_in_time(gate: &Gate, session: &Session) -> String {
    let start = Instant::now();
    let answer = gate.knows(session).await;
    assert!(start.elapsed() < IN_TIME, "{:?}", start.elapsed());
    answer.unwrap_err().to_string()
}

/// Asks until a known session is found again, and changes are heard of again.
async fn comes_back(gate: &Gate, session: &Session) -> Duration {
    let took = eventually("the session is found", PATIENCE, async || {
        gate.knows(session).await.unwrap_or(false) && gate.is_live()
    })
    .await;
    assert!(took < BACK, "{took:?}");
    took
}

#[tokio::test]
async fn it_starts_without_redis() {
    let port = free_port();
    let start = Instant::now();
    let gate = Gate::open(&format!("redis://127.0.0.1:{port}"));
    assert!(start.elapsed() < Duration::from_millis(50));
    let said = gate.says(&["refused"]).await;
    assert!(said.contains(&format!("127.0.0.1:{port}")), "{said}");
    let _server = Server::with(&["--port", &port.to_string()]).await;
    let took = gate.becomes_ready().await;
    assert!(took < BACK, "{took:?}");
}

#[tokio::test]
async fn it_survives_a_restart() {
    let mut server = Server::with(&["--appendonly", "yes"]).await;
    let gate = Gate::ready(&server.url()).await;
    let session = gate.login("o1").await.unwrap();
    for _ in 0..3 {
        gate.listener.clear();
        server.kill();
        eventually("it is noticed", IN_TIME, async || !gate.is_live()).await;
        assert!(gate.listener.forgot_all() > 0);
        fails_in_time(&gate, &session).await;
        server.restart().await;
        println!("back {:?} after a restart", comes_back(&gate, &session).await);
    }
}

#[tokio::test]
async fn calls_end_while_it_is_frozen() {
    let server = Server::start().await;
    let gate = Gate::ready(&server.url()).await;
    let session = gate.login("o1").await.unwrap();
    server.freeze();
    let said = fails_in_time(&gate, &session).await;
    assert!(said.contains("no answer within 250ms"), "{said}");
    let noticed = eventually("it is noticed", Duration::from_secs(3), async || {
        fails_in_time(&gate, &session).await;
        !gate.is_live()
    })
    .await;
    println!("nothing is kept {noticed:?} after the freeze");
    let failing = fails_in_time(&gate, &session).await;
    assert!(failing.contains("stalled or overloaded"), "{failing}");
    server.thaw();
    println!("back {:?} after a thaw", comes_back(&gate, &session).await);
}

#[tokio::test]
async fn calls_end_when_the_network_fails() {
    let server = Server::start().await;
    let chaos = Chaos::start(server.address()).await;
    let gate = Gate::ready(&format!("redis://{}", chaos.address())).await;
    let session = gate.login("o1").await.unwrap();
    let faults = [
        Fault::HalfOpen,
        Fault::Cut,
        Fault::Refuse,
        Fault::Stall,
        Fault::Garbage,
        Fault::Delay(Duration::from_secs(2)),
        Fault::Slow(10),
    ];
    for fault in faults {
        gate.listener.clear();
        chaos.set(fault);
        eventually("calls fail", PATIENCE, async || {
            let start = Instant::now();
            let failed = gate.knows(&session).await.is_err();
            assert!(start.elapsed() < IN_TIME, "{fault:?}: {:?}", start.elapsed());
            failed
        })
        .await;
        eventually("nothing is kept", Duration::from_secs(3), async || !gate.is_live()).await;
        assert!(gate.listener.forgot_all() > 0, "{fault:?}");
        fails_in_time(&gate, &session).await;
        chaos.set(Fault::None);
        println!("back {:?} after {fault:?}", comes_back(&gate, &session).await);
    }
}

/// The questions that are asked of a server once it is connected are no reason to trust it for longer.
#[tokio::test]
async fn a_link_that_breaks_in_its_first_moment_is_trusted_no_longer_than_any_other() {
    // Two heartbeats, and what a busy machine adds; the questions have a second on top.
    const SOON: Duration = Duration::from_millis(400 + 400 + 500);
    let server = Server::start().await;
    let mut quickest = Duration::MAX;
    // A machine that stands still for a moment says nothing about the link.
    for _ in 0..5 {
        let chaos = Chaos::start(server.address()).await;
        chaos.set(Fault::Delay(Duration::from_millis(50)));
        let gate = Gate::open(&format!("redis://{}", chaos.address()));
        eventually("it is connected", PATIENCE, async || gate.is_live()).await;
        chaos.set(Fault::HalfOpen);
        let limit = Duration::from_secs(5);
        let noticed = eventually("it is noticed", limit, async || !gate.is_live()).await;
        quickest = quickest.min(noticed);
        if quickest < SOON {
            break;
        }
    }
    println!("nothing is kept {quickest:?} after the link broke");
    assert!(quickest < SOON, "{quickest:?}");
}

#[tokio::test]
async fn a_slow_answer_is_no_reason_to_give_up() {
    let server = Server::start().await;
    let chaos = Chaos::start(server.address()).await;
    let gate = Gate::ready(&format!("redis://{}", chaos.address())).await;
    let session = gate.login("o1").await.unwrap();
    let made = chaos.accepted();
    chaos.set(Fault::Delay(Duration::from_millis(50)));
    let until = Instant::now() + Duration::from_millis(2500);
    while Instant::now() < until {
        assert!(gate.knows(&session).await.unwrap());
        assert!(gate.is_live());
    }
    assert_eq!(chaos.accepted(), made, "the connections stay");
}

#[tokio::test]
async fn many_calls_make_no_storm_of_connections() {
    let server = Server::start().await;
    let chaos = Chaos::start(server.address()).await;
    let gate = Gate::ready(&format!("redis://{}", chaos.address())).await;
    let session = gate.login("o1").await.unwrap();
    assert_eq!(chaos.accepted(), 2, "one for commands, one to hear of changes");
    chaos.set(Fault::Cut);
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        join_all((0..200).map(|_| gate.knows(&session))).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let made = chaos.accepted();
    println!("{made} connections in 2 s of 200 calls at a time");
    assert!(made < 40, "{made}");
    chaos.set(Fault::None);
    comes_back(&gate, &session).await;
}

#[tokio::test]
async fn a_store_that_is_dropped_closes_its_connections() {
    let server = Server::start().await;
    let chaos = Chaos::start(server.address()).await;
    let gate = Gate::ready(&format!("redis://{}", chaos.address())).await;
    let listener = gate.listener.clone();
    drop(gate.store);
    eventually("nothing is kept any more", PATIENCE, async || !listener.is_live()).await;
    eventually("only the test is connected", PATIENCE, async || {
        server.command::<String>(&["CLIENT", "LIST"]).await.lines().count() == 1
    })
    .await;
}

#[tokio::test]
async fn nothing_is_lost_in_calls_that_ran_out_of_time() {
    let server = Server::start().await;
    let chaos = Chaos::start(server.address()).await;
    let gate = Gate::ready(&format!("redis://{}", chaos.address())).await;
    let sessions = join_all((0..50).map(|number| {
        let gate = &gate;
        async move { gate.login(&format!("o{number}")).await.unwrap() }
    }))
    .await;
    chaos.set(Fault::Delay(Duration::from_millis(400)));
    let answers = join_all(sessions.iter().map(|session| gate.knows(session))).await;
    assert!(answers.iter().all(Result::is_err));
    chaos.set(Fault::None);
    comes_back(&gate, &sessions[0]).await;
    // Answers that come late are for those who asked, and for nobody else.
    for session in &sessions {
        let found = gate.store.find(&session.user, &session.id).await.unwrap();
        assert_eq!(found.map(|(found, _)| found).as_ref(), Some(session));
    }
    assert!(gate.store.sessions_of(&user("o0")).await.unwrap() == sessions[..1]);
}
