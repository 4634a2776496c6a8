//! One behaviour, whatever keeps the sessions: every test runs on the memory store and on Redis.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it measured"
)]

#[path = "support/listener.rs"]
mod listener;
#[path = "support/redis.rs"]
mod redis_server;
#[path = "support/samples.rs"]
mod samples;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use wxgate::clock::Clock;
use wxgate::rate::Quota;
use wxgate::redis::{RedisStore, Settings};
use wxgate::session::memory::MemoryStore;
use wxgate::session::record::{Session, SessionId};
use wxgate::session::store::{FAILURES, Key, KeyId, Kind, RING, Store, StoredKey};
use wxgate::wechat::user::User;

use self::listener::Listener;
use self::redis_server::groups::Cluster;
use self::redis_server::{PATIENCE, Server};
use self::samples::{DAY, session, stored_key, user};

const SECOND: Duration = Duration::from_secs(1);

/// A store, and how time passes for it.
struct Subject {
    store: Arc<dyn Store>,
    clock: Clock,
    real_time: bool,
    servers: Vec<Server>,
}

impl Subject {
    async fn memory() -> Self {
        let clock = Clock::movable();
        let store = Arc::new(MemoryStore::new(clock.clone()));
        Self { store, clock, real_time: false, servers: Vec::new() }
    }

    async fn redis() -> Self {
        let server = Server::start().await;
        Self::on(&server.url(), vec![server])
    }

    async fn cluster() -> Self {
        let cluster = Cluster::start(0).await;
        Self::on(&cluster.url(), cluster.servers)
    }

    /// None where there is no Valkey on this machine.
    async fn valkey() -> Option<Self> {
        let Some(program) = redis_server::program::valkey() else {
            #[allow(clippy::print_stderr, reason = "who runs the tests has to see it")]
            {
                eprintln!(
                    "\n!!!! NOT TESTED on Valkey: there is none. scripts/install-valkey gets one.\n"
                );
            }
            return None;
        };
        let server = Server::of(program).await;
        assert!(server.command::<String>(&["INFO", "server"]).await.contains("valkey_version"));
        Some(Self::on(&server.url(), vec![server]))
    }

    fn on(url: &str, servers: Vec<Server>) -> Self {
        let mut settings = Settings::parse_url(url).unwrap();
        settings.timeout = PATIENCE;
        let clock = Clock::system();
        let store = RedisStore::connect(settings, clock.clone(), Arc::new(Listener::default()));
        Self { store: Arc::new(store), clock, real_time: true, servers }
    }

    async fn empty(&self) {
        for server in &self.servers {
            server.command::<()>(&["FLUSHALL"]).await;
        }
    }

    fn session(&self, openid: &str) -> Session {
        session(&user(openid), self.clock.now())
    }

    async fn created(&self, openid: &str) -> Session {
        let session = self.session(openid);
        self.store.create(&session, DAY).await.unwrap();
        session
    }

    /// How long a session is still kept.
    async fn left(&self, session: &Session) -> Option<Duration> {
        self.store.find(&session.user, &session.id).await.unwrap().map(|(_, left)| left)
    }

    async fn is_there(&self, session: &Session) -> bool {
        self.left(session).await.is_some()
    }

    /// Lets time pass until something has run out.
    async fn runs_out(&self, limit: Duration, mut is_there: impl AsyncFnMut() -> bool) {
        let start = std::time::Instant::now();
        let mut passed = 0;
        while is_there().await {
            if self.real_time {
                tokio::time::sleep(Duration::from_millis(10)).await;
                assert!(start.elapsed() < limit + SECOND, "it is still there");
            } else {
                self.clock.advance(SECOND);
                passed += 1;
                assert!(passed <= limit.as_secs(), "it is still there");
            }
        }
    }
}

macro_rules! on_every_store {
    ($($test:ident)*) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&super::Subject::memory().await).await;
            })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&super::Subject::redis().await).await;
            })*
        }
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn valkey() {
            let Some(subject) = Subject::valkey().await else { return };
            $(
                println!("{}", stringify!($test));
                subject.empty().await;
                $test(&subject).await;
            )*
        }
        /// One after the other, since a cluster takes seconds to form.
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn cluster() {
            let subject = Subject::cluster().await;
            $(
                println!("{}", stringify!($test));
                subject.empty().await;
                $test(&subject).await;
            )*
        }
    };
}

on_every_store! {
    a_session_is_found_as_it_was_created
    a_session_is_found_only_under_its_user
    a_session_runs_out
    a_session_ends_at_its_own_end
    an_update_changes_the_session_and_not_its_time
    a_renewal_keeps_a_session_longer
    a_renewal_does_not_pass_the_end_of_the_session
    a_session_ends_once
    what_ended_cannot_be_changed_back_to_life
    a_users_sessions_are_listed_oldest_first
    sessions_that_ran_out_are_not_listed
    all_sessions_of_a_user_end_and_no_others
    many_sessions_of_a_user_end
    the_ring_keeps_the_newest_keys
    a_key_of_the_ring_moves_to_the_front
    a_key_leaves_the_ring
    rings_run_out
    a_user_is_known_once_it_was_noted
    all_that_is_known_of_a_user_is_kept_as_long_as_any_of_it
    a_key_is_tried_no_more_often_than_it_may_fail
    a_try_that_succeeded_is_not_counted
    a_key_stays_burnt
    tries_that_never_end_burn_a_key
    tries_at_once_are_all_counted
    a_value_is_what_was_put
    a_value_runs_out
    a_value_is_put_only_where_there_is_none
    a_value_is_replaced_only_where_it_is_expected
    a_value_is_removed_only_where_it_is_expected
    a_counter_counts
    a_counter_is_kept_from_its_first_count
    one_of_many_puts_a_value
    one_of_many_replaces_a_value
    one_of_many_removes_a_value
    every_count_counts
    a_limit_lets_a_burst_through_and_then_its_rate
    limits_do_not_share_what_they_let_through
    many_take_no_more_than_there_is
    changes_that_race_an_end_do_not_undo_it
    logins_that_race_the_end_of_all_are_ended_or_listed
    logins_at_once_are_all_listed
    keys_at_once_make_one_ring
    ses_02_parts_of_keys_do_not_meet
}

async fn a_session_is_found_as_it_was_created(subject: &Subject) {
    let mut session = subject.session("o1");
    session.claims = BTreeMap::from([
        ("user_id".to_owned(), "42".to_owned()),
        ("名字".to_owned(), "x".repeat(300)),
        (String::new(), String::new()),
    ]);
    session.replace_token(subject.clock.now());
    session.replace_token(subject.clock.now());
    subject.store.create(&session, DAY).await.unwrap();
    let (found, left) = subject.store.find(&session.user, &session.id).await.unwrap().unwrap();
    assert_eq!(found, session);
    assert!(left <= DAY && left > DAY - 5 * SECOND, "{left:?}");

    let bare = Session { unionid: None, ..subject.session("o1") };
    subject.store.create(&bare, DAY).await.unwrap();
    let found = subject.store.find(&bare.user, &bare.id).await.unwrap();
    assert_eq!(found.map(|(session, _)| session), Some(bare));
}

async fn a_session_is_found_only_under_its_user(subject: &Subject) {
    let session = subject.created("o1").await;
    let other = user("o2");
    assert_eq!(subject.store.find(&other, &session.id).await.unwrap(), None);
    assert!(!subject.store.renew(&other, &session.id, DAY).await.unwrap());
    assert!(!subject.store.end(&other, &session.id).await.unwrap());
    let stolen = Session { user: other.clone(), ..session.clone() };
    assert!(!samples::rewrite(&*subject.store, &stolen).await.unwrap());
    assert_eq!(subject.store.end_all(&other).await.unwrap(), []);
    assert!(subject.is_there(&session).await);
    assert_eq!(subject.store.find(&session.user, &SessionId::random()).await.unwrap(), None);
}

async fn a_session_runs_out(subject: &Subject) {
    let session = subject.session("o1");
    subject.store.create(&session, SECOND).await.unwrap();
    assert!(subject.is_there(&session).await);
    subject.runs_out(SECOND, async || subject.is_there(&session).await).await;
    assert!(!subject.store.renew(&session.user, &session.id, DAY).await.unwrap());
    assert!(!samples::rewrite(&*subject.store, &session).await.unwrap());
    assert!(!subject.store.end(&session.user, &session.id).await.unwrap());
}

async fn a_session_ends_at_its_own_end(subject: &Subject) {
    let session = Session { expires: subject.clock.now() + 60, ..subject.session("o1") };
    subject.store.create(&session, DAY).await.unwrap();
    assert!(subject.left(&session).await.unwrap() <= 60 * SECOND);
    let over = Session { expires: subject.clock.now(), ..subject.session("o1") };
    subject.store.create(&over, DAY).await.unwrap();
    assert!(!subject.is_there(&over).await);
    assert_eq!(subject.store.sessions_of(&session.user).await.unwrap(), [session]);
}

async fn an_update_changes_the_session_and_not_its_time(subject: &Subject) {
    let mut session = subject.session("o1");
    subject.store.create(&session, 60 * SECOND).await.unwrap();
    session.replace_token(subject.clock.now());
    assert!(samples::rewrite(&*subject.store, &session).await.unwrap());
    let (found, left) = subject.store.find(&session.user, &session.id).await.unwrap().unwrap();
    assert_eq!(found, session);
    assert!(left <= 60 * SECOND && left > 55 * SECOND, "{left:?}");
    session.expires = subject.clock.now() + 30;
    assert!(samples::rewrite(&*subject.store, &session).await.unwrap());
    assert!(subject.left(&session).await.unwrap() <= 30 * SECOND);
    assert_eq!(subject.store.sessions_of(&session.user).await.unwrap(), [session]);
}

async fn a_renewal_keeps_a_session_longer(subject: &Subject) {
    let session = subject.session("o1");
    subject.store.create(&session, 60 * SECOND).await.unwrap();
    assert!(subject.store.renew(&session.user, &session.id, DAY).await.unwrap());
    assert!(subject.left(&session).await.unwrap() > DAY - 5 * SECOND);
    let (found, _) = subject.store.find(&session.user, &session.id).await.unwrap().unwrap();
    assert_eq!(found, session);
}

async fn a_renewal_does_not_pass_the_end_of_the_session(subject: &Subject) {
    let session = Session { expires: subject.clock.now() + 60, ..subject.session("o1") };
    subject.store.create(&session, SECOND * 30).await.unwrap();
    assert!(subject.store.renew(&session.user, &session.id, DAY).await.unwrap());
    let left = subject.left(&session).await.unwrap();
    assert!(left <= 60 * SECOND && left > 55 * SECOND, "{left:?}");
}

async fn a_session_ends_once(subject: &Subject) {
    let session = subject.created("o1").await;
    assert!(subject.store.end(&session.user, &session.id).await.unwrap());
    assert!(!subject.store.end(&session.user, &session.id).await.unwrap());
    assert!(!subject.is_there(&session).await);
    assert_eq!(subject.store.sessions_of(&session.user).await.unwrap(), []);
}

async fn what_ended_cannot_be_changed_back_to_life(subject: &Subject) {
    let session = subject.created("o1").await;
    subject.store.end(&session.user, &session.id).await.unwrap();
    assert!(!samples::rewrite(&*subject.store, &session).await.unwrap());
    assert!(!subject.store.renew(&session.user, &session.id, DAY).await.unwrap());
    assert!(!subject.is_there(&session).await);
    assert_eq!(subject.store.sessions_of(&session.user).await.unwrap(), []);
}

async fn a_users_sessions_are_listed_oldest_first(subject: &Subject) {
    let now = subject.clock.now();
    let mut sessions = Vec::new();
    for age in [30, 20, 10] {
        let session = Session { created: now - age, ..subject.session("o1") };
        subject.store.create(&session, DAY).await.unwrap();
        sessions.push(session);
    }
    subject.created("o2").await;
    assert_eq!(subject.store.sessions_of(&user("o1")).await.unwrap(), sessions);
    let middle = sessions.remove(1);
    subject.store.end(&middle.user, &middle.id).await.unwrap();
    assert_eq!(subject.store.sessions_of(&user("o1")).await.unwrap(), sessions);
    assert_eq!(subject.store.sessions_of(&user("o3")).await.unwrap(), []);
}

async fn sessions_that_ran_out_are_not_listed(subject: &Subject) {
    let short = subject.session("o1");
    subject.store.create(&short, SECOND).await.unwrap();
    let long = subject.created("o1").await;
    subject.runs_out(SECOND, async || subject.is_there(&short).await).await;
    assert_eq!(subject.store.sessions_of(&long.user).await.unwrap(), std::slice::from_ref(&long));
    assert_eq!(subject.store.end_all(&long.user).await.unwrap(), [long.id]);
}

async fn all_sessions_of_a_user_end_and_no_others(subject: &Subject) {
    let mine = [subject.created("o1").await, subject.created("o1").await];
    let other = subject.created("o2").await;
    let ended: HashSet<_> = subject.store.end_all(&user("o1")).await.unwrap().into_iter().collect();
    assert_eq!(ended, mine.iter().map(|session| session.id.clone()).collect());
    for session in &mine {
        assert!(!subject.is_there(session).await);
    }
    assert!(subject.is_there(&other).await);
    assert_eq!(subject.store.end_all(&user("o1")).await.unwrap(), []);
    assert_eq!(subject.store.sessions_of(&user("o1")).await.unwrap(), []);
    // A login after it counts.
    let after = subject.created("o1").await;
    assert_eq!(subject.store.sessions_of(&user("o1")).await.unwrap(), [after]);
}

async fn many_sessions_of_a_user_end(subject: &Subject) {
    for _ in 0..600 {
        subject.created("o1").await;
    }
    assert_eq!(subject.store.sessions_of(&user("o1")).await.unwrap().len(), 600);
    assert_eq!(subject.store.end_all(&user("o1")).await.unwrap().len(), 600);
    assert_eq!(subject.store.sessions_of(&user("o1")).await.unwrap(), []);
}

async fn add(subject: &Subject, user: &User, numbers: impl IntoIterator<Item = u8>) {
    for number in numbers {
        subject.store.add_session_key(user, stored_key(number), DAY).await.unwrap();
    }
}

async fn ring(subject: &Subject, user: &User) -> Vec<u8> {
    let keys = subject.store.session_keys(user).await.unwrap();
    for key in &keys {
        assert_eq!(*key, stored_key(key.id.0[0]));
    }
    keys.iter().map(|key| key.id.0[0]).collect()
}

async fn the_ring_keeps_the_newest_keys(subject: &Subject) {
    let (one, other) = (user("o1"), user("o2"));
    assert!(ring(subject, &one).await.is_empty());
    add(subject, &one, 1..=3).await;
    assert_eq!(ring(subject, &one).await, [3, 2, 1]);
    add(subject, &one, 4..=9).await;
    assert_eq!(ring(subject, &one).await, [9, 8, 7, 6]);
    assert_eq!(RING, 4);
    assert!(ring(subject, &other).await.is_empty());
}

async fn a_key_of_the_ring_moves_to_the_front(subject: &Subject) {
    let one = user("o1");
    add(subject, &one, [1, 2, 3, 1]).await;
    assert_eq!(ring(subject, &one).await, [1, 3, 2]);
    add(subject, &one, [1]).await;
    assert_eq!(ring(subject, &one).await, [1, 3, 2]);
    // What it holds is what was added last.
    let newer = StoredKey { sealed: vec![7; 300], ..stored_key(3) };
    subject.store.add_session_key(&one, newer.clone(), DAY).await.unwrap();
    assert_eq!(subject.store.session_keys(&one).await.unwrap()[0], newer);
}

async fn a_key_leaves_the_ring(subject: &Subject) {
    let one = user("o1");
    subject.store.remove_session_key(&one, &KeyId([1; 16])).await.unwrap();
    add(subject, &one, 1..=3).await;
    subject.store.remove_session_key(&one, &KeyId([2; 16])).await.unwrap();
    subject.store.remove_session_key(&one, &KeyId([2; 16])).await.unwrap();
    assert_eq!(ring(subject, &one).await, [3, 1]);
    subject.store.remove_session_key(&one, &KeyId([3; 16])).await.unwrap();
    subject.store.remove_session_key(&one, &KeyId([1; 16])).await.unwrap();
    assert!(ring(subject, &one).await.is_empty());
    add(subject, &one, [4]).await;
    assert_eq!(ring(subject, &one).await, [4]);
}

async fn rings_run_out(subject: &Subject) {
    let one = user("o1");
    for number in [1, 2] {
        subject.store.add_session_key(&one, stored_key(number), SECOND).await.unwrap();
    }
    subject.store.remove_session_key(&one, &KeyId([1; 16])).await.unwrap();
    assert_eq!(ring(subject, &one).await, [2]);
    subject.runs_out(SECOND, async || !ring(subject, &one).await.is_empty()).await;
}

async fn a_user_is_known_once_it_was_noted(subject: &Subject) {
    let (one, other) = (user("o1"), user("o2"));
    subject.created("o1").await;
    add(subject, &one, [1]).await;
    assert!(!subject.store.is_known(&one).await.unwrap());
    subject.store.note_known(&one, DAY).await.unwrap();
    subject.store.end_all(&one).await.unwrap();
    subject.store.remove_session_key(&one, &KeyId([1; 16])).await.unwrap();
    assert!(subject.store.is_known(&one).await.unwrap());
    assert!(!subject.store.is_known(&other).await.unwrap());
    subject.store.note_known(&other, SECOND).await.unwrap();
    subject.runs_out(SECOND, async || subject.store.is_known(&other).await.unwrap()).await;
}

async fn all_that_is_known_of_a_user_is_kept_as_long_as_any_of_it(subject: &Subject) {
    let one = user("o1");
    subject.store.note_known(&one, SECOND).await.unwrap();
    subject.store.add_session_key(&one, stored_key(1), 60 * SECOND).await.unwrap();
    let short = subject.session("o1");
    subject.store.create(&short, SECOND).await.unwrap();
    subject.store.note_known(&one, SECOND).await.unwrap();
    subject.runs_out(SECOND, async || subject.is_there(&short).await).await;
    assert!(subject.store.is_known(&one).await.unwrap());
    assert_eq!(ring(subject, &one).await, [1]);
}

/// The numbers of the keys that a try was counted on; none where no try is left.
async fn begin(subject: &Subject, user: &User) -> Option<Vec<u8>> {
    let keys = subject.store.begin_try(user).await.unwrap()?;
    assert!(keys.iter().all(|key: &StoredKey| *key == stored_key(key.id.0[0])));
    Some(keys.iter().map(|key| key.id.0[0]).collect())
}

async fn end(subject: &Subject, user: &User, numbers: &[u8], failed: bool) {
    let ids: Vec<_> = numbers.iter().map(|number| KeyId([*number; 16])).collect();
    subject.store.end_try(user, &ids, failed).await.unwrap();
}

async fn a_key_is_tried_no_more_often_than_it_may_fail(subject: &Subject) {
    let one = user("o1");
    assert_eq!(begin(subject, &one).await, Some(Vec::new()));
    add(subject, &one, [1]).await;
    for _ in 0..FAILURES - 1 {
        assert_eq!(begin(subject, &one).await, Some(vec![1]));
    }
    // A newer key has all of its tries, and nobody tries it without the other.
    add(subject, &one, [2]).await;
    assert_eq!(begin(subject, &one).await, Some(vec![2, 1]));
    assert_eq!(begin(subject, &one).await, None);
    assert_eq!(ring(subject, &one).await, [2, 1]);
    for _ in 0..FAILURES - 1 {
        end(subject, &one, &[1], true).await;
        assert_eq!(begin(subject, &one).await, None);
    }
    end(subject, &one, &[2, 1], true).await;
    assert_eq!(ring(subject, &one).await, [2], "the last failure burns it");
    assert_eq!(begin(subject, &one).await, Some(vec![2]));
}

async fn a_try_that_succeeded_is_not_counted(subject: &Subject) {
    let one = user("o1");
    add(subject, &one, [1]).await;
    for _ in 0..3 * FAILURES {
        assert_eq!(begin(subject, &one).await, Some(vec![1]));
        end(subject, &one, &[1], false).await;
    }
    for _ in 0..FAILURES {
        // Nothing is won by ending one twice.
        end(subject, &one, &[1, 7], false).await;
        assert_eq!(begin(subject, &one).await, Some(vec![1]));
        end(subject, &one, &[1], true).await;
        end(subject, &one, &[1], false).await;
    }
    assert_eq!(begin(subject, &one).await, Some(Vec::new()));
}

async fn a_key_stays_burnt(subject: &Subject) {
    let one = user("o1");
    add(subject, &one, [1]).await;
    for failure in 0..FAILURES {
        assert_eq!(begin(subject, &one).await, Some(vec![1]));
        end(subject, &one, &[1], true).await;
        // Neither taking it out nor putting it in again makes it new.
        subject.store.remove_session_key(&one, &KeyId([1; 16])).await.unwrap();
        assert_eq!(begin(subject, &one).await, Some(Vec::new()));
        let usable = subject.store.add_session_key(&one, stored_key(1), DAY).await.unwrap();
        assert_eq!(usable, failure + 1 < FAILURES);
    }
    assert!(ring(subject, &one).await.is_empty());
    assert!(subject.store.add_session_key(&one, stored_key(2), DAY).await.unwrap());
    assert!(!subject.store.add_session_key(&one, stored_key(1), DAY).await.unwrap());
    assert_eq!(ring(subject, &one).await, [2]);
}

async fn tries_that_never_end_burn_a_key(subject: &Subject) {
    let one = user("o1");
    add(subject, &one, [1]).await;
    for _ in 0..FAILURES {
        begin(subject, &one).await.unwrap();
    }
    add(subject, &one, [2]).await;
    assert_eq!(begin(subject, &one).await, None);
    subject.store.abandon_tries(&one).await.unwrap();
    assert_eq!(begin(subject, &one).await, Some(vec![2]));
    end(subject, &one, &[1], false).await;
    assert!(!subject.store.add_session_key(&one, stored_key(1), DAY).await.unwrap());
}

async fn tries_at_once_are_all_counted(subject: &Subject) {
    add(subject, &user("o1"), [1]).await;
    let tries = yes_of_fifty(|_| {
        let store = Arc::clone(&subject.store);
        async move { store.begin_try(&user("o1")).await.unwrap().is_some() }
    });
    assert_eq!(tries.await, usize::from(FAILURES));
}

fn key(kind: Kind) -> Key {
    Key::new(kind, &[b"wx4f4bc4dec97d474b"])
}

async fn a_value_is_what_was_put(subject: &Subject) {
    let store = &subject.store;
    let every_byte: Vec<u8> = (0..=255).collect();
    assert_eq!(store.get(&key(Kind::AccessToken)).await.unwrap(), None);
    for value in [&b"one"[..], b"", &every_byte, &[b'x'; 100_000]] {
        store.put(&key(Kind::AccessToken), value, DAY).await.unwrap();
        assert_eq!(store.get(&key(Kind::AccessToken)).await.unwrap().as_deref(), Some(value));
    }
    assert_eq!(store.get(&key(Kind::AccessTokenLock)).await.unwrap(), None);
}

async fn a_value_runs_out(subject: &Subject) {
    let store = &subject.store;
    let key = key(Kind::Replay);
    store.put(&key, b"one", SECOND).await.unwrap();
    subject.runs_out(SECOND, async || store.get(&key).await.unwrap().is_some()).await;
    assert_eq!(store.put_if_absent(&key, b"two", SECOND).await.unwrap(), None);
    subject.runs_out(SECOND, async || store.get(&key).await.unwrap().is_some()).await;
    store.put(&key, b"three", DAY).await.unwrap();
    assert!(store.replace(&key, b"three", b"four", SECOND).await.unwrap());
    subject.runs_out(SECOND, async || store.get(&key).await.unwrap().is_some()).await;
}

async fn a_value_is_put_only_where_there_is_none(subject: &Subject) {
    let store = &subject.store;
    let key = key(Kind::Exchange);
    assert_eq!(store.put_if_absent(&key, b"one", DAY).await.unwrap(), None);
    assert_eq!(store.put_if_absent(&key, b"two", DAY).await.unwrap(), Some(b"one".to_vec()));
    assert_eq!(store.get(&key).await.unwrap(), Some(b"one".to_vec()));
}

async fn a_value_is_replaced_only_where_it_is_expected(subject: &Subject) {
    let store = &subject.store;
    let key = key(Kind::Exchange);
    assert!(!store.replace(&key, b"", b"one", DAY).await.unwrap());
    assert_eq!(store.get(&key).await.unwrap(), None);
    store.put(&key, b"one", DAY).await.unwrap();
    assert!(!store.replace(&key, b"on", b"two", DAY).await.unwrap());
    assert!(!store.replace(&key, b"", b"two", DAY).await.unwrap());
    assert!(store.replace(&key, b"one", b"two", DAY).await.unwrap());
    assert_eq!(store.get(&key).await.unwrap(), Some(b"two".to_vec()));
}

async fn a_value_is_removed_only_where_it_is_expected(subject: &Subject) {
    let store = &subject.store;
    let key = key(Kind::AccessTokenLock);
    assert!(!store.remove(&key, b"one").await.unwrap());
    store.put(&key, b"one", DAY).await.unwrap();
    assert!(!store.remove(&key, b"two").await.unwrap());
    assert!(store.remove(&key, b"one").await.unwrap());
    assert!(!store.remove(&key, b"one").await.unwrap());
    assert_eq!(store.get(&key).await.unwrap(), None);
}

async fn a_counter_counts(subject: &Subject) {
    let store = &subject.store;
    let key = key(Kind::Rate);
    for expected in 1..=300 {
        assert_eq!(store.increment(&key, DAY).await.unwrap(), expected);
    }
    let value = 300_u64.to_be_bytes().to_vec();
    assert_eq!(store.get(&key).await.unwrap(), Some(value));
}

async fn a_counter_is_kept_from_its_first_count(subject: &Subject) {
    let store = &subject.store;
    let key = key(Kind::KeyCheck);
    store.increment(&key, 2 * SECOND).await.unwrap();
    // Counting on does not keep it, however long the TTL of later counts is.
    subject.runs_out(2 * SECOND, async || store.increment(&key, DAY).await.unwrap() != 1).await;
    assert_eq!(store.increment(&key, DAY).await.unwrap(), 2);
}

/// Does something fifty times at once, and counts how many times it was told yes.
async fn yes_of_fifty<F: Future<Output = bool> + Send + 'static>(make: impl Fn(u8) -> F) -> usize {
    let tasks = (0..50).map(|number| tokio::spawn(make(number)));
    join_all(tasks).await.into_iter().filter(|answer| *answer.as_ref().unwrap()).count()
}

async fn one_of_many_puts_a_value(subject: &Subject) {
    let winners = yes_of_fifty(|number| {
        let store = Arc::clone(&subject.store);
        async move {
            let key = key(Kind::Exchange);
            store.put_if_absent(&key, &[number], DAY).await.unwrap().is_none()
        }
    });
    assert_eq!(winners.await, 1);
}

async fn one_of_many_replaces_a_value(subject: &Subject) {
    subject.store.put(&key(Kind::AccessToken), b"old", DAY).await.unwrap();
    let winners = yes_of_fifty(|number| {
        let store = Arc::clone(&subject.store);
        async move { store.replace(&key(Kind::AccessToken), b"old", &[number], DAY).await.unwrap() }
    });
    assert_eq!(winners.await, 1);
}

async fn one_of_many_removes_a_value(subject: &Subject) {
    subject.store.put(&key(Kind::AccessTokenLock), b"mine", DAY).await.unwrap();
    let winners = yes_of_fifty(|_| {
        let store = Arc::clone(&subject.store);
        async move { store.remove(&key(Kind::AccessTokenLock), b"mine").await.unwrap() }
    });
    assert_eq!(winners.await, 1);
}

async fn every_count_counts(subject: &Subject) {
    let counts = (0..50).map(|_| {
        let store = Arc::clone(&subject.store);
        tokio::spawn(async move { store.increment(&key(Kind::Rate), DAY).await.unwrap() })
    });
    let counts: HashSet<u64> = join_all(counts).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(counts, (1..=50).collect());
}

// A refusal is remembered by the gateway, so that each of these has keys of its own.
async fn a_limit_lets_a_burst_through_and_then_its_rate(subject: &Subject) {
    let (store, key) = (&subject.store, Key::new(Kind::Rate, &[b"burst"]));
    let quota = Quota::new(1, SECOND, 3);
    let start = std::time::Instant::now();
    for _ in 0..3 {
        store.take(&key, &quota).await.unwrap();
    }
    let Err(exceeded) = store.take(&key, &quota).await else {
        assert!(start.elapsed() >= SECOND, "more than a burst at once");
        return;
    };
    assert!(exceeded.wait <= SECOND, "{exceeded:?}");
    assert!(exceeded.wait + start.elapsed() >= SECOND, "{exceeded:?}");
    subject.runs_out(SECOND, async || store.take(&key, &quota).await.is_err()).await;
}

async fn limits_do_not_share_what_they_let_through(subject: &Subject) {
    let quota = Quota::new(1, DAY, 1);
    let keys = [
        Key::new(Kind::Rate, &[b"a"]),
        Key::new(Kind::Rate, &[b"a", b""]),
        Key::new(Kind::Rate, &[b"b"]),
    ];
    for key in &keys {
        subject.store.take(key, &quota).await.unwrap();
    }
    for key in &keys {
        assert!(subject.store.take(key, &quota).await.unwrap_err().wait > DAY / 2);
    }
}

async fn many_take_no_more_than_there_is(subject: &Subject) {
    let passed = yes_of_fifty(|_| {
        let store = Arc::clone(&subject.store);
        let key = Key::new(Kind::Rate, &[b"many"]);
        async move { store.take(&key, &Quota::new(7, DAY, 7)).await.is_ok() }
    });
    assert_eq!(passed.await, 7);
}

async fn changes_that_race_an_end_do_not_undo_it(subject: &Subject) {
    for round in 0..100 {
        let session = subject.created("o1").await;
        let end_all = round % 2 == 0;
        let tasks = (0..6).map(|number| {
            let (store, session) = (Arc::clone(&subject.store), session.clone());
            tokio::spawn(async move {
                let (user, id) = (&session.user, &session.id);
                match number {
                    0 | 5 => drop(samples::rewrite(&*store, &session).await.unwrap()),
                    1 | 4 => drop(store.renew(user, id, DAY).await.unwrap()),
                    2 if end_all => drop(store.end_all(user).await.unwrap()),
                    2 => drop(store.end(user, id).await.unwrap()),
                    _ => drop(store.sessions_of(user).await.unwrap()),
                }
            })
        });
        join_all(tasks).await.into_iter().for_each(|task| task.unwrap());
        assert!(!subject.is_there(&session).await, "round {round}");
        assert_eq!(subject.store.sessions_of(&session.user).await.unwrap(), []);
    }
}

async fn logins_that_race_the_end_of_all_are_ended_or_listed(subject: &Subject) {
    for _ in 0..50 {
        let logins: Vec<_> = (0..4).map(|_| subject.session("o1")).collect();
        let creating = logins.iter().cloned().map(|session| {
            let store = Arc::clone(&subject.store);
            tokio::spawn(async move { store.create(&session, DAY).await.unwrap() })
        });
        let creating: Vec<_> = creating.collect();
        let ended = subject.store.end_all(&user("o1")).await.unwrap();
        join_all(creating).await.into_iter().for_each(|task| task.unwrap());
        let listed = subject.store.sessions_of(&user("o1")).await.unwrap();
        for session in &logins {
            let is_ended = ended.contains(&session.id);
            let is_listed = listed.iter().any(|listed| listed.id == session.id);
            assert!(is_ended != is_listed);
            assert_eq!(subject.is_there(session).await, is_listed);
        }
        subject.store.end_all(&user("o1")).await.unwrap();
    }
}

async fn logins_at_once_are_all_listed(subject: &Subject) {
    let made = yes_of_fifty(|_| {
        let store = Arc::clone(&subject.store);
        let session = subject.session("o1");
        async move { store.create(&session, DAY).await.is_ok() }
    });
    assert_eq!(made.await, 50);
    assert_eq!(subject.store.sessions_of(&user("o1")).await.unwrap().len(), 50);
}

async fn keys_at_once_make_one_ring(subject: &Subject) {
    let made = yes_of_fifty(|number| {
        let store = Arc::clone(&subject.store);
        async move { store.add_session_key(&user("o1"), stored_key(number), DAY).await.is_ok() }
    });
    assert_eq!(made.await, 50);
    let ring: HashSet<_> = ring(subject, &user("o1")).await.into_iter().collect();
    assert_eq!(ring.len(), RING);
}

/// SES-02.
async fn ses_02_parts_of_keys_do_not_meet(subject: &Subject) {
    let store = &subject.store;
    let lists: &[&[&[u8]]] = &[
        &[],
        &[b""],
        &[b"", b""],
        &[b"ab"],
        &[b"a", b"b"],
        &[b"", b"ab"],
        &[b"ab", b""],
        &[b"a:b"],
        &[b"a", b":b"],
        &[b"{a}", b"b"],
        &[b"{a}b"],
        &[b"a\r\nb"],
        &[b"a\0b"],
        &[b"a*"],
        &[&[0xff, 0xfe]],
    ];
    let kinds = [Kind::Exchange, Kind::Rate, Kind::Replay, Kind::KeyCheck];
    let keys: Vec<_> =
        kinds.iter().flat_map(|kind| lists.iter().map(|parts| Key::new(*kind, parts))).collect();
    for (number, key) in (0..).zip(&keys) {
        let number: u64 = number;
        let there = store.put_if_absent(key, &number.to_be_bytes(), DAY).await.unwrap();
        assert_eq!(there, None, "{key:?}");
    }
    for (number, key) in (0..).zip(&keys) {
        let number: u64 = number;
        assert_eq!(store.get(key).await.unwrap(), Some(number.to_be_bytes().to_vec()));
    }
}
