//! The session_key: one valid key for each app and user (page "wx.checkSession").

use ring::hmac;

use super::random;

/// The keys of one user in one app.
#[derive(Clone, Debug)]
pub(super) struct SessionKeys {
    current: String,
    /// The key before, which opens what the client made before the last change.
    previous: Option<String>,
    made: u64,
    expires: u64,
}

impl SessionKeys {
    /// A first key.
    pub(super) fn new(now: u64, idle_seconds: u64) -> Self {
        let current = random::session_key();
        Self { current, previous: None, made: now, expires: now + idle_seconds }
    }

    /// What the acquisition of a login code does: a new key, unless the last is younger than
    /// `refresh_seconds`.
    pub(super) fn acquire(&mut self, now: u64, refresh_seconds: u64, idle_seconds: u64) {
        if !self.is_alive(now) || now.saturating_sub(self.made) >= refresh_seconds {
            self.replace(now);
        }
        self.expires = now + idle_seconds;
    }

    /// A new key in the place of the old one, which dies at once. The new one inherits its end.
    pub(super) fn replace(&mut self, now: u64) {
        self.previous = Some(std::mem::replace(&mut self.current, random::session_key()));
        self.made = now;
    }

    /// The valid key.
    pub(super) fn current(&self) -> &str {
        &self.current
    }

    /// The key before it.
    pub(super) fn previous(&self) -> Option<&str> {
        self.previous.as_deref()
    }

    /// Whether the key has been used often enough to live: its life is extended by use.
    pub(super) fn is_alive(&self, now: u64) -> bool {
        now < self.expires
    }

    /// What a client's call does.
    pub(super) fn touch(&mut self, now: u64, idle_seconds: u64) {
        self.expires = now + idle_seconds;
    }

    /// Whether `signature` was made with the valid key.
    pub(super) fn verify(&self, signature: &str) -> bool {
        signature_of(&self.current) == signature
    }
}

/// The signature of checkSessionKey: HMAC-SHA256 of nothing. Its key is the *text* of the session
/// key, not the 16 bytes that the text stands for.
pub(super) fn signature_of(session_key: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, session_key.as_bytes());
    random::hex(hmac::sign(&key, b"").as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_is_that_of_the_official_sample() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors.json")).unwrap();
        let sample = &vectors["session_signature"];
        assert_eq!(signature_of(sample["session_key"].as_str().unwrap()), sample["signature"]);
    }

    #[test]
    fn two_acquisitions_within_the_interval_keep_the_key() {
        let mut keys = SessionKeys::new(1000, 500);
        let first = keys.current().to_owned();
        keys.acquire(1059, 60, 500);
        assert_eq!(keys.current(), first);
        keys.acquire(1060, 60, 500);
        assert_ne!(keys.current(), first);
        assert_eq!(keys.previous(), Some(first.as_str()));
    }

    #[test]
    fn use_extends_the_life_and_idleness_ends_it() {
        let mut keys = SessionKeys::new(1000, 500);
        keys.touch(1400, 500);
        assert!(keys.is_alive(1899) && !keys.is_alive(1900));
        let first = keys.current().to_owned();
        keys.acquire(1900, 10_000, 500);
        assert_ne!(keys.current(), first, "a dead key is replaced whatever the interval");
    }

    #[test]
    fn a_replaced_key_inherits_the_end() {
        let mut keys = SessionKeys::new(1000, 500);
        keys.replace(1400);
        assert!(!keys.is_alive(1500));
    }
}
