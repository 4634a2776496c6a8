//! Faults: ways in which the next calls go wrong.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A fault for the next calls of one API, or of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The path of the API, such as `/sns/jscode2session`; `None` for every API.
    pub api: Option<String>,
    /// For how many calls; `None` until the faults are cleared.
    pub times: Option<u64>,
    /// How long the answer waits.
    pub delay: Duration,
    /// What goes wrong.
    pub effect: Effect,
    /// Whether the call takes effect all the same (uses the code up, say). `None` for what is
    /// likeliest: no with an errcode, an HTTP status or a redirect, yes with the rest.
    pub processed: Option<bool>,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The connection ends early.
    Cut(Cut),
    /// WeChat refuses; without a text, with WeChat's own words.
    Errcode(i64, Option<String>),
    /// The answer is spoilt.
    Garble(Garble),
    /// An HTTP error of something between WeChat and the caller.
    HttpStatus(u16),
    /// Nothing but the delay.
    Nothing,
    /// A redirect to this address.
    Redirect(String),
}

/// Where the connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// After the request, before any byte of the answer.
    BeforeAnswer,
    /// In the middle of the body.
    InBody,
}

/// How the answer is spoilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Garble {
    /// No body at all.
    Empty,
    /// A body that never ends, ten bytes a second.
    Endless,
    /// A body of 1 GB, as fast as it is read.
    Gigabyte,
    /// gzip that nobody asked for.
    Gzip,
    /// An HTML page with status 200.
    Html,
    /// No openid in it.
    NoOpenid,
    /// An openid with CR, LF and NUL in it.
    OpenidControl,
    /// An openid of 10 KB.
    OpenidHuge,
    /// A session_key of 15 bytes.
    SessionKeyShort,
    /// JSON that ends in the middle.
    Truncated,
    /// Numbers for strings and strings for numbers.
    WrongTypes,
}

impl Fault {
    /// A fault for every call until the faults are cleared; `api` is its path.
    pub fn new<'a>(api: impl Into<Option<&'a str>>, effect: Effect) -> Self {
        let api = api.into().map(str::to_owned);
        Self { api, times: None, delay: Duration::ZERO, effect, processed: None }
    }

    /// The same for the next `times` calls.
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// The same with a delay before the answer.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The same with a say about whether the call takes effect.
    pub fn processed(mut self, processed: bool) -> Self {
        self.processed = Some(processed);
        self
    }

    pub(super) fn is_processed(&self) -> bool {
        self.processed.unwrap_or(match self.effect {
            Effect::Errcode(..) | Effect::HttpStatus(_) | Effect::Redirect(_) => false,
            Effect::Cut(_) | Effect::Garble(_) | Effect::Nothing => true,
        })
    }

    /// Checks what the types do not say.
    pub(super) fn check(&self) -> Result<(), String> {
        match &self.effect {
            _ if self.times == Some(0) => Err("\"times\" must be at least 1.".to_owned()),
            Effect::HttpStatus(status) if !(200..=599).contains(status) => {
                Err(format!("\"http_status\" must be from 200 to 599, not {status}."))
            }
            Effect::Redirect(to) if http::HeaderValue::from_str(to).is_err() => {
                Err("\"redirect\" must be an address without control characters.".to_owned())
            }
            Effect::Nothing if self.delay.is_zero() => Err(
                "Say what goes wrong: one of \"errcode\", \"cut\", \"garble\", \"http_status\", \
                 \"redirect\", or a \"delay_ms\"."
                    .to_owned(),
            ),
            Effect::Nothing | Effect::Garble(_) | Effect::Cut(Cut::InBody)
                if !self.is_processed() =>
            {
                Err("Only \"errcode\", \"http_status\", \"redirect\" and \"cut\":\"before_answer\" \
                     can go with \"processed\":false: the others need the real answer."
                    .to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl Effect {
    /// One word for the log.
    pub(super) fn name(&self) -> Option<&'static str> {
        match self {
            Self::Cut(_) => Some("cut"),
            Self::Errcode(..) => Some("errcode"),
            Self::Garble(_) => Some("garble"),
            Self::HttpStatus(_) => Some("http_status"),
            Self::Nothing => None,
            Self::Redirect(_) => Some("redirect"),
        }
    }
}

/// The faults to come, first come first served.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn list(&self) -> &[Fault] {
        &self.0
    }

    /// The fault for a call of this API now; that counts as one of its times.
    pub(super) fn take(&mut self, path: &str) -> Option<Fault> {
        let index =
            self.0.iter().position(|fault| fault.api.as_deref().is_none_or(|api| api == path))?;
        let fault = self.0.get_mut(index)?;
        let taken = fault.clone();
        if let Some(times) = &mut fault.times {
            *times -= 1;
            if *times == 0 {
                self.0.remove(index);
            }
        }
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_taken_as_often_as_it_says() {
        let mut faults = Faults::default();
        faults.add(Fault::new("/a", Effect::Errcode(-1, None)).times(2));
        faults.add(Fault::new(None, Effect::Errcode(45011, None)));
        let mut effect = |path| faults.take(path).map(|fault| fault.effect);
        assert_eq!(effect("/a"), Some(Effect::Errcode(-1, None)));
        assert_eq!(effect("/b"), Some(Effect::Errcode(45011, None)));
        assert_eq!(effect("/a"), Some(Effect::Errcode(-1, None)));
        assert_eq!(effect("/a"), Some(Effect::Errcode(45011, None)));
    }

    #[test]
    fn faults_that_cannot_be_played_are_refused() {
        assert!(Fault::new(None, Effect::Nothing).check().is_err());
        assert!(Fault::new(None, Effect::Nothing).delay(Duration::from_secs(1)).check().is_ok());
        assert!(Fault::new(None, Effect::HttpStatus(99)).check().is_err());
        assert!(Fault::new(None, Effect::Errcode(-1, None)).times(0).check().is_err());
        assert!(Fault::new(None, Effect::Redirect("/\r\n".to_owned())).check().is_err());
        let garbled = Fault::new(None, Effect::Garble(Garble::WrongTypes));
        assert!(garbled.check().is_ok() && garbled.processed(false).check().is_err());
    }
}
