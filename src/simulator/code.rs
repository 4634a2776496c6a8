//! The codes that a client gets and its backend exchanges: of wx.login, and of getPhoneNumber.

use std::collections::{HashMap, VecDeque};

use super::errcode::Failure;

/// Both kinds live this long, in seconds, counted from the client's call.
pub(super) const LIFETIME: u64 = 300;

/// A used or expired code is remembered this long, so that it is told from one never made.
const REMEMBERED: u64 = 2 * LIFETIME;

/// One code.
#[derive(Clone, Debug)]
pub(super) struct Code {
    /// The app that it is for; none where the simulator knew no app yet, and the first app that
    /// exchanges it is taken.
    pub(super) appid: Option<String>,
    /// The user who called.
    pub(super) user: String,
    made: u64,
    used: bool,
}

/// Why a code is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CodeError {
    /// Older than five minutes.
    Expired,
    /// Made for another app.
    OtherApp,
    /// Never made.
    Unknown,
    /// Exchanged before.
    Used,
}

impl CodeError {
    /// What code2Session says of it.
    pub(super) fn at_login(self) -> Failure {
        Failure::of(if self == Self::Used { 40163 } else { 40029 })
    }
}

/// The codes of one kind.
#[derive(Debug, Default)]
pub(super) struct Codes {
    known: HashMap<String, Code>,
    /// Oldest first.
    order: VecDeque<(u64, String)>,
}

impl Codes {
    /// Keeps a new code.
    pub(super) fn add(&mut self, text: String, appid: Option<String>, user: String, now: u64) {
        while let Some((made, _)) = self.order.front()
            && made + REMEMBERED <= now
        {
            if let Some((_, old)) = self.order.pop_front() {
                self.known.remove(&old);
            }
        }
        self.order.push_back((now, text.clone()));
        self.known.insert(text, Code { appid, user, made: now, used: false });
    }

    /// The code, where `appid` may exchange it now. It is not used up by that.
    pub(super) fn find(&self, text: &str, appid: &str, now: u64) -> Result<&Code, CodeError> {
        let code = self.known.get(text).ok_or(CodeError::Unknown)?;
        if code.appid.as_deref().is_some_and(|owner| owner != appid) {
            Err(CodeError::OtherApp)
        } else if code.used {
            Err(CodeError::Used)
        } else if code.made + LIFETIME <= now {
            Err(CodeError::Expired)
        } else {
            Ok(code)
        }
    }

    /// Uses the code up, for good, and binds it to the app that did.
    pub(super) fn use_up(&mut self, text: &str, appid: &str) {
        if let Some(code) = self.known.get_mut(text) {
            code.used = true;
            code.appid = Some(appid.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_code() -> Codes {
        let mut codes = Codes::default();
        codes.add("c".to_owned(), Some("wx1".to_owned()), "alice".to_owned(), 1000);
        codes
    }

    #[test]
    fn works_once_and_for_its_app() {
        let mut codes = one_code();
        assert_eq!(codes.find("c", "wx2", 1000).unwrap_err(), CodeError::OtherApp);
        assert_eq!(codes.find("c", "wx1", 1000).unwrap().user, "alice");
        codes.use_up("c", "wx1");
        assert_eq!(codes.find("c", "wx1", 1000).unwrap_err(), CodeError::Used);
        assert_eq!(codes.find("d", "wx1", 1000).unwrap_err(), CodeError::Unknown);
    }

    #[test]
    fn dies_after_five_minutes_and_is_forgotten_later() {
        let mut codes = one_code();
        assert!(codes.find("c", "wx1", 1299).is_ok());
        assert_eq!(codes.find("c", "wx1", 1300).unwrap_err(), CodeError::Expired);
        codes.add("d".to_owned(), None, "bob".to_owned(), 1600);
        assert_eq!(codes.find("c", "wx1", 1600).unwrap_err(), CodeError::Unknown);
    }

    #[test]
    fn an_unbound_code_is_bound_by_its_use() {
        let mut codes = Codes::default();
        codes.add("c".to_owned(), None, "alice".to_owned(), 0);
        codes.use_up("c", "wx1");
        assert_eq!(codes.find("c", "wx1", 0).unwrap_err(), CodeError::Used);
        assert_eq!(codes.find("c", "wx2", 0).unwrap_err(), CodeError::OtherApp);
    }
}
