use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::*;
use crate::session::record::TokenId;
use crate::wechat::app::AppId;
use crate::wechat::user::{OpenId, User};

const MANY: usize = 200;
const STALL: Duration = Duration::from_millis(250);

/// A cache, and how often it asked for sessions.
#[derive(Default)]
struct Asked(AtomicUsize);

impl Asked {
    /// A load that takes its time.
    async fn load(&self, outcome: Loaded) -> Loaded {
        self.0.fetch_add(1, Ordering::Relaxed);
        sleep(STALL).await;
        outcome
    }

    fn times(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

type Loaded = Result<Option<Live>, Unavailable>;

fn failed() -> Loaded {
    Err(Unavailable("no answer".into()))
}

fn found(id: &SessionId) -> Loaded {
    let appid = AppId::parse("wx0000000000000001").unwrap();
    let session = Session {
        id: id.clone(),
        user: User { appid, openid: OpenId::parse("o1").unwrap() },
        unionid: None,
        created: 1,
        expires: 100,
        token: TokenId::random(),
        replaced_tokens: Vec::new(),
        claims: Default::default(),
    };
    Ok(Live::new(session, 0, 50, 50))
}

/// What came of it for each of those who ask at one time.
async fn many(
    near: &NearCache,
    id: &SessionId,
    asked: &Asked,
    outcome: impl Fn() -> Loaded,
) -> Vec<Outcome> {
    join_all((0..MANY).map(|_| near.get(id, 1, asked.load(outcome())))).await
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_a_load_that_fails_fail_with_it_and_nobody_else_does() {
    let (near, id, asked) = (NearCache::new(), SessionId::random(), Asked::default());
    let begun = Instant::now();
    let outcomes = many(&near, &id, &asked, failed).await;
    assert!(outcomes.iter().all(Result::is_err));
    assert_eq!((begun.elapsed(), asked.times()), (STALL, 1));
    assert!(near.get(&id, 1, asked.load(found(&id))).await.unwrap().is_some());
    assert_eq!(asked.times(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_not_there_is_asked_for_once_by_all_who_wait() {
    let (near, id, asked) = (NearCache::new(), SessionId::random(), Asked::default());
    let outcomes = many(&near, &id, &asked, || Ok(None)).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(None))));
    assert_eq!(asked.times(), 1);
    assert!(near.has_ended(&id));
    // It may have been lost or damaged, and be there again.
    assert!(near.get(&id, 1, asked.load(found(&id))).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_was_ended_is_not_asked_for() {
    let (near, id, asked) = (NearCache::new(), SessionId::random(), Asked::default());
    near.ended(&id);
    assert!(many(&near, &id, &asked, || found(&id)).await.iter().all(|it| matches!(it, Ok(None))));
    assert_eq!(asked.times(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_load_whose_client_goes_away_is_done_by_another() {
    let (near, id, asked) = (NearCache::new(), SessionId::random(), Asked::default());
    let leader = tokio::time::timeout(STALL / 2, near.get(&id, 1, asked.load(found(&id))));
    let (leader, others) = tokio::join!(leader, many(&near, &id, &asked, || found(&id)));
    assert!(leader.is_err());
    assert!(others.iter().all(|outcome| matches!(outcome, Ok(Some(_)))));
    assert_eq!(asked.times(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_load_that_a_change_overtakes_is_for_those_who_asked_before_it() {
    for all in [false, true] {
        let (near, id, asked) = (NearCache::new(), SessionId::random(), Asked::default());
        let change = async {
            sleep(STALL / 2).await;
            if all {
                near.forget_all()
            } else {
                near.forget(&id)
            }
            near.get(&id, 1, asked.load(Ok(None))).await
        };
        let (before, after) = tokio::join!(many(&near, &id, &asked, || found(&id)), change);
        for outcome in before {
            let live = outcome.unwrap().unwrap();
            assert!(!near.is_current(&live, 1));
        }
        assert!(after.unwrap().is_none());
        assert_eq!(asked.times(), 2);
        assert!(near.sessions.get(&id).is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_is_given_up_is_loaded_once_for_all_who_have_it() {
    let (near, id, asked) = (NearCache::new(), SessionId::random(), Asked::default());
    let old = near.get(&id, 1, asked.load(found(&id))).await.unwrap().unwrap();
    let came = near.turn();
    let again = async {
        near.give_up(&old);
        near.get(&id, 1, asked.load(found(&id))).await
    };
    let (first, others) = tokio::join!(again, many(&near, &id, &asked, || found(&id)));
    near.give_up(&old);
    let kept = near.get(&id, 1, asked.load(found(&id))).await;
    for outcome in others.into_iter().chain([first, kept]) {
        let live = outcome.unwrap().unwrap();
        assert!(old.was_asked_by(came) && !live.was_asked_by(came) && near.is_current(&live, 1));
    }
    assert_eq!(asked.times(), 2);
}
