//! What became of the configuration since the start: for the log, readiness and metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// The record of reloads, and who asks for one. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Reloads(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    record: watch::Sender<Record>,
    asking: watch::Sender<Asking>,
    is_followed: AtomicBool,
}

/// Who asks for a reload has a number. Only a reload that began after he asked read what he wants read.
#[derive(Debug, Default)]
struct Asking {
    /// The last number that was given out.
    asked: u64,
    /// The last number for whom a reload has begun.
    begun: u64,
    /// The last number for whom one has ended.
    answered: u64,
}

/// A reload that has begun; it answers those who had asked by then.
#[derive(Debug)]
#[must_use = "who asks waits for its end"]
pub struct Begun {
    reloads: Reloads,
    asked: u64,
    /// Whether somebody has asked since the last one began.
    pub is_asked_for: bool,
}

/// What became of the configuration so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The configuration in effect: 1 is that of the start, each one that took effect is one more.
    pub generation: u64,
    /// Reloads that took effect, also where nothing had changed.
    pub applied: u64,
    /// Reloads that failed, so that the configuration before stayed in effect.
    pub failed: u64,
    /// When one last took effect, in seconds since 1970; none since the start.
    pub applied_at: Option<u64>,
    /// The last reload; none since the start.
    pub last: Option<Reload>,
}

/// One reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reload {
    /// When it ended, in seconds since 1970.
    pub at: u64,
    /// What it came to.
    pub outcome: Outcome,
    /// Keys whose change waits for a restart, with what stays in effect. One line each.
    pub needs_restart: Vec<String>,
}

/// What a reload came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect; what changed, in words.
    Applied(String),
    /// Nothing was different.
    Unchanged,
    /// The configuration before stays in effect, for this reason. No secret is in it.
    Failed(String),
}

impl Default for Record {
    fn default() -> Self {
        Self { generation: 1, applied: 0, failed: 0, applied_at: None, last: None }
    }
}

impl Record {
    /// Why the configuration in the file is not the one in effect, if it is not.
    pub fn failure(&self) -> Option<&str> {
        match &self.last.as_ref()?.outcome {
            Outcome::Failed(reason) => Some(reason),
            Outcome::Applied(_) | Outcome::Unchanged => None,
        }
    }
}

impl Reloads {
    /// What became of the configuration so far.
    pub fn record(&self) -> Record {
        self.0.record.borrow().clone()
    }

    /// Notes a reload; gives the generation that is in effect.
    pub fn note(&self, reload: Reload) -> u64 {
        self.0.record.send_modify(|record| {
            match reload.outcome {
                Outcome::Applied(_) => {
                    record.generation += 1;
                    record.applied += 1;
                }
                Outcome::Unchanged => record.applied += 1,
                Outcome::Failed(_) => record.failed += 1,
            }
            if !matches!(reload.outcome, Outcome::Failed(_)) {
                record.applied_at = Some(reload.at);
            }
            record.last = Some(reload);
        });
        self.0.record.borrow().generation
    }

    /// Asks for a reload; gives the record once one has ended that began after this call. None where nobody
    /// follows the file, as in `wxgate dev` without one.
    pub async fn ask(&self) -> Option<Record> {
        if !self.0.is_followed.load(Ordering::Relaxed) {
            return None;
        }
        let mut number = 0;
        self.0.asking.send_modify(|asking| {
            asking.asked += 1;
            number = asking.asked;
        });
        self.until(|asking| asking.answered >= number).await;
        Some(self.record())
    }

    /// From now on somebody follows the file, and waits for [`Reloads::wanted`].
    pub fn follow(&self) {
        self.0.is_followed.store(true, Ordering::Relaxed);
    }

    /// Waits until somebody has asked for a reload since the last one began.
    pub async fn wanted(&self) {
        self.until(|asking| asking.asked > asking.begun).await;
    }

    /// A reload begins: nothing was read for it so far.
    pub fn begin(&self) -> Begun {
        let (mut asked, mut is_asked_for) = (0, false);
        self.0.asking.send_modify(|asking| {
            (asked, is_asked_for) = (asking.asked, asking.asked > asking.begun);
            asking.begun = asking.asked;
        });
        Begun { reloads: self.clone(), asked, is_asked_for }
    }

    async fn until(&self, is_so: impl FnMut(&Asking) -> bool) {
        // An error is not possible: the sender is held here.
        let _ = self.0.asking.subscribe().wait_for(is_so).await;
    }
}

impl Begun {
    /// It has ended, and is noted.
    pub fn end(self) {
        self.reloads.0.asking.send_modify(|asking| asking.answered = self.asked);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;

    fn reload(outcome: Outcome) -> Reload {
        Reload { at: 1, outcome, needs_restart: Vec::new() }
    }

    #[test]
    fn only_what_took_effect_is_a_generation() {
        let reloads = Reloads::default();
        assert_eq!(reloads.note(reload(Outcome::Applied("1 route new".to_owned()))), 2);
        assert_eq!(reloads.note(reload(Outcome::Failed("no path".to_owned()))), 2);
        assert_eq!(reloads.record().failure(), Some("no path"));
        assert_eq!(reloads.note(reload(Outcome::Unchanged)), 2);
        let record = reloads.record();
        assert_eq!((record.failure(), record.applied, record.failed), (None, 2, 1));
    }

    #[tokio::test]
    async fn who_asks_is_answered_where_somebody_follows() {
        let reloads = Reloads::default();
        assert_eq!(reloads.ask().await, None);
        reloads.follow();
        let follower = async {
            reloads.wanted().await;
            let begun = reloads.begin();
            assert!(begun.is_asked_for);
            reloads.note(reload(Outcome::Unchanged));
            begun.end();
        };
        let (record, ()) = tokio::join!(reloads.ask(), follower);
        assert_eq!(record.unwrap().applied, 1);
    }

    #[tokio::test]
    async fn a_reload_that_began_before_answers_nobody() {
        let reloads = Reloads::default();
        reloads.follow();
        let early = reloads.begin();
        assert!(!early.is_asked_for);
        let (mut one, mut two) = (Box::pin(reloads.ask()), Box::pin(reloads.ask()));
        assert!(poll!(&mut one).is_pending() && poll!(&mut two).is_pending());
        reloads.note(reload(Outcome::Applied("what was there before".to_owned())));
        early.end();
        assert!(poll!(&mut one).is_pending() && poll!(&mut two).is_pending());
        reloads.wanted().await;
        let begun = reloads.begin();
        reloads.note(reload(Outcome::Unchanged));
        begun.end();
        assert_eq!(one.await.unwrap().applied, 2);
        assert_eq!(two.await.unwrap().applied, 2, "one reload for both");
        assert!(poll!(Box::pin(reloads.wanted())).is_pending());
    }
}
