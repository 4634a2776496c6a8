//! `open-data`: encryptedData and iv for the JSON in them, or rawData whose signature is right.

use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;

use super::fields::Fields;
use super::key_check::KeyChecks;
use crate::clock::Clock;
use crate::refusal::{Reason, Refusal};
use crate::session::key_ring::{KeyRings, Tried};
use crate::session::record::Session;
use crate::session::seal::{Purpose, Sealer};
use crate::session::store::{Key, Kind as Value, Store};
use crate::wechat::base64_repair::NotBase64;
use crate::wechat::open_data::{self, Expectation, Kind, Opened, Sealed};
use crate::wechat::raw_data::RawData;

/// What an upstream does not get of the fields: what the gateway takes, and what only it says. The rest
/// is the client's own.
pub const FIELDS: [&str; 6] = ["code", "encryptedData", "iv", "rawData", "signature", "open_data"];

/// For how long data that was opened is remembered where its age does not matter.
const REPLAY_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Opens what WeChat has sealed for a user.
#[derive(Debug)]
pub struct Opener {
    rings: Arc<KeyRings>,
    store: Arc<dyn Store>,
    sealer: Arc<Sealer>,
    clock: Clock,
    max_age: Duration,
    checks: Arc<KeyChecks>,
}

impl Opener {
    /// An opener with these keys. Without a `max_age` data of any age is taken.
    pub fn new(
        rings: Arc<KeyRings>,
        store: Arc<dyn Store>,
        sealer: Arc<Sealer>,
        clock: Clock,
        max_age: Option<Duration>,
        checks: Arc<KeyChecks>,
    ) -> Self {
        Self { rings, store, sealer, clock, max_age: max_age.unwrap_or_default(), checks }
    }

    /// The `open-data` action: what was sealed, or else the raw data that was signed.
    pub async fn open(&self, session: &Session, fields: &Fields) -> Result<Box<RawValue>, Refusal> {
        let sealed = sealed(fields)?;
        let raw_data = raw_data(fields)?;
        let verified = match raw_data {
            Some(raw_data) => Some(self.verify(session, raw_data).await?),
            None => None,
        };
        match (sealed, verified) {
            (Some(sealed), _) => self.open_sealed(session, &sealed, Kind::Any).await,
            (None, Some(text)) => json(text),
            (None, None) => Err(refused("neither encryptedData and iv nor rawData and signature")),
        }
    }

    /// Opens sealed data of one kind, once for one session.
    pub async fn open_sealed(
        &self,
        session: &Session,
        sealed: &Sealed,
        kind: Kind,
    ) -> Result<Box<RawValue>, Refusal> {
        let digest = sealed.digest();
        let user = &session.user;
        let mark = Key::new(Value::Replay, &[user.appid.as_str().as_bytes(), &digest]);
        if let Some(seen) = self.store.get(&mark).await? {
            return self.repeat(session, &digest, &seen);
        }
        let (owner, max_age, now) = (user.clone(), self.max_age, self.clock.now());
        let sealed = sealed.clone();
        let attempt = move |keys: &[_]| {
            let (appid, openid) = (owner.appid.as_str(), Some(owner.openid.as_str()));
            let expectation = Expectation { appid, openid, max_age, now, kind };
            open_data::open(&sealed, keys, &expectation).ok().map(Opened::into_text)
        };
        let tried = self.rings.attempt(user, attempt).await?;
        let text = self.found(session, tried)?;
        let owner = [session.id.as_str().as_bytes(), digest.as_slice()];
        let answer = self.sealer.seal(Purpose::Replay, &owner, text.as_bytes());
        match self.store.put_if_absent(&mark, &answer, self.replay_kept()).await? {
            // Somebody else's request with the same data was faster.
            Some(seen) => self.repeat(session, &digest, &seen),
            None => json(text),
        }
    }

    /// The text of the raw data, where one of the user's keys signed it.
    async fn verify(&self, session: &Session, raw_data: RawData) -> Result<String, Refusal> {
        let attempt = move |keys: &[_]| raw_data.verify(keys).ok().map(|(text, _)| text.to_owned());
        let tried = self.rings.attempt(&session.user, attempt).await?;
        self.found(session, tried)
    }

    /// The answer to data that was opened before: the same, for the session that it was opened for.
    fn repeat(
        &self,
        session: &Session,
        digest: &[u8],
        seen: &[u8],
    ) -> Result<Box<RawValue>, Refusal> {
        let owner = [session.id.as_str().as_bytes(), digest];
        let opened = self.sealer.open(Purpose::Replay, &owner, seen).map_err(|_| {
            Refusal::new(Reason::SessionKeyStale, "the data was opened before, for another session")
        })?;
        json(String::from_utf8_lossy(&opened).into_owned())
    }

    /// What a try gave, or the one refusal for every way of failing.
    fn found(&self, session: &Session, tried: Tried<String>) -> Result<String, Refusal> {
        let Some(text) = tried.found else {
            if let Some(newest) = &tried.newest {
                self.checks.settle(&session.user, newest);
            }
            let note = "the data did not open with the user's session keys; the client calls wx.login \
                        before it asks for data, and sends both soon";
            return Err(Refusal::new(Reason::SessionKeyStale, note));
        };
        Ok(text)
    }

    /// As long as the age would let the data in again.
    fn replay_kept(&self) -> Duration {
        let leeway = Duration::from_secs(2 * open_data::LEEWAY);
        if self.max_age.is_zero() { REPLAY_KEPT } else { self.max_age + leeway }
    }
}

/// The sealed data of a request; both of its fields, or none.
pub fn sealed(fields: &Fields) -> Result<Option<Sealed>, Refusal> {
    match (fields.text("encryptedData")?, fields.text("iv")?) {
        (Some(data), Some(iv)) => Ok(Some(Sealed::parse(data, iv).map_err(not_base64)?)),
        (None, None) => Ok(None),
        _ => Err(refused("encryptedData without iv, or iv without encryptedData")),
    }
}

fn raw_data(fields: &Fields) -> Result<Option<RawData>, Refusal> {
    match (fields.text("rawData")?, fields.text("signature")?) {
        (Some(raw_data), Some(signature)) => {
            Ok(Some(RawData::parse(raw_data, signature).map_err(not_base64)?))
        }
        (None, None) => Ok(None),
        _ => Err(refused("rawData without signature, or signature without rawData")),
    }
}

/// A verified text as JSON; rawData is what the client says, and may be none.
fn json(text: String) -> Result<Box<RawValue>, Refusal> {
    RawValue::from_string(text).map_err(|_| refused("rawData that is no JSON"))
}

fn not_base64(error: NotBase64) -> Refusal {
    refused(error.to_string())
}

fn refused(note: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(Reason::BadRequest, note)
}
