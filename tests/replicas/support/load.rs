//! Requests of several users that go on while something happens, and what became of each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::request::Request;
use super::{House, Replica, User};

/// Between two requests of one user.
const PACE: Duration = Duration::from_millis(10);

/// Requests under way; each names its user in its path, so that the service can tell whose it was.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Vec<Sample>>>,
}

/// One request and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) user: usize,
    pub(crate) status: u16,
    /// When it was sent.
    pub(crate) sent: Instant,
    pub(crate) took: Duration,
}

impl Load {
    /// Every user asks every replica again and again.
    pub(crate) fn start(replicas: &[&Replica], users: &[User]) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let mut tasks = Vec::new();
        for replica in replicas {
            for (user, User { token, .. }) in users.iter().enumerate() {
                let (stop, http, token) = (stop.clone(), replica.http.clone(), token.clone());
                let url = format!("http://{}/api/of/{user}", replica.address);
                tasks.push(tokio::spawn(async move {
                    let mut samples = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let sent = Instant::now();
                        let status = Request(http.get(&url)).token(&token).await.status;
                        samples.push(Sample { user, status, sent, took: sent.elapsed() });
                        tokio::time::sleep(PACE).await;
                    }
                    samples
                }));
            }
        }
        Self { stop, tasks }
    }

    /// Ends it, and gives what became of all requests.
    pub(crate) async fn end(self) -> Vec<Sample> {
        self.stop.store(true, Ordering::Relaxed);
        let mut samples = Vec::new();
        for task in self.tasks {
            samples.extend(task.await.unwrap());
        }
        samples.sort_by_key(|sample| sample.sent);
        samples
    }
}

/// How often each status came.
pub(crate) fn counted(samples: &[Sample]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for sample in samples {
        *counts.entry(sample.status).or_default() += 1;
    }
    counts
}

pub(crate) fn slowest(samples: &[Sample]) -> Duration {
    samples.iter().map(|sample| sample.took).max().unwrap_or_default()
}

impl House {
    /// Every request that reached the service carried its own user's openid.
    pub(crate) fn nobody_was_mixed_up(&self, users: &[User]) {
        let mut seen = 0;
        for request in self.upstream.requests() {
            let Some(user) = request.target().strip_prefix("/api/of/") else { continue };
            let user = &users[user.parse::<usize>().unwrap()];
            assert_eq!(request.header("x-wx-openid"), Some(user.openid.as_str()), "{}", user.name);
            seen += 1;
        }
        assert!(seen > 0, "nothing reached the service");
    }
}
