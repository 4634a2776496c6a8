//! The world of the simulator, and the hands that move it.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;

use super::api::{self, Outcome};
use super::calls::Call;
use super::code::Codes;
use super::fault::Fault;
use super::incoming::Incoming;
use super::open_data::{self, Context, KeyChoice, OpenData, Overrides, Payload};
use super::settings::Settings;
use super::state::State;
use super::user::{self, User};
use super::{Options, app, random};

/// Why the world cannot do what it was asked; the sentence says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(pub String);

/// Everything that this WeChat knows.
///
/// Where an `appid` is `None`, the app is the first one configured, or the only one seen so far.
pub struct World {
    clock: Clock,
    state: Mutex<State>,
}

impl World {
    /// A new world in which nobody has logged in.
    pub fn new(options: Options) -> Self {
        Self { clock: options.clock, state: Mutex::new(State::new(options.apps)) }
    }

    /// wx.login of `user`: a code that lives five minutes and works once. The user gets a new
    /// session key where the last is older than `key_refresh_seconds`.
    ///
    /// # Errors
    ///
    /// When the app is not known.
    pub fn login<'a>(
        &self,
        appid: impl Into<Option<&'a str>>,
        user: &str,
    ) -> Result<String, Wrong> {
        self.login_code(appid.into(), user, false)
    }

    /// [`World::login`] that always makes a new session key.
    ///
    /// # Errors
    ///
    /// When the app is not known.
    pub fn login_with_new_key<'a>(
        &self,
        appid: impl Into<Option<&'a str>>,
        user: &str,
    ) -> Result<String, Wrong> {
        self.login_code(appid.into(), user, true)
    }

    fn login_code(&self, appid: Option<&str>, user: &str, new: bool) -> Result<String, Wrong> {
        let now = self.now();
        let mut state = self.state();
        let appid = meant(&state, appid)?;
        if let Some(appid) = &appid {
            state.acquire_key(appid, user, new, now);
        }
        Ok(add_code(&mut state.login_codes, random::login_code(), appid, user, now))
    }

    /// getPhoneNumber of `user`: a code that lives five minutes and works once.
    ///
    /// # Errors
    ///
    /// When the app is not known.
    pub fn phone_code<'a>(
        &self,
        appid: impl Into<Option<&'a str>>,
        user: &str,
    ) -> Result<String, Wrong> {
        let now = self.now();
        let mut state = self.state();
        let appid = meant(&state, appid.into())?;
        if let Some(appid) = &appid {
            state.visit(appid, user, now);
        }
        Ok(add_code(&mut state.phone_codes, random::phone_code(), appid, user, now))
    }

    /// The data that the user's client gets now, made with the session key of this moment.
    ///
    /// # Errors
    ///
    /// When the app is not known, or the user has no such key: no login yet, or only one.
    pub fn encrypt<'a>(
        &self,
        appid: impl Into<Option<&'a str>>,
        name: &str,
        payload: &Payload,
        overrides: &Overrides,
    ) -> Result<OpenData, Wrong> {
        let now = self.now();
        let mut state = self.state();
        let appid = named(&state, appid.into())?;
        let keys = state.keys(&appid, name).ok_or_else(|| {
            Wrong(format!("{name} has not logged in to {appid} yet: get a login code first."))
        })?;
        let key = match overrides.key {
            KeyChoice::Current => keys.current().to_owned(),
            KeyChoice::Previous => keys
                .previous()
                .ok_or_else(|| {
                    Wrong(format!(
                        "{name} has had only one session key in {appid}: log in again with \
                         \"new_key\":true first."
                    ))
                })?
                .to_owned(),
        };
        state.visit(&appid, name, now);
        let user = state.user(name);
        let unionid = state.unionid(&appid, name);
        let context = Context { appid: &appid, name, user: &user, unionid, now };
        open_data::seal(&context, payload, overrides, &key)
            .ok_or_else(|| Wrong("The session key is not 16 bytes of base64.".to_owned()))
    }

    /// The valid session key of a user, as text; none before the first login.
    pub fn session_key(&self, appid: &str, user: &str) -> Option<String> {
        self.state().keys(appid, user).map(|keys| keys.current().to_owned())
    }

    /// The openid of a user in an app.
    pub fn openid(&self, appid: &str, user: &str) -> String {
        user::openid(appid, user)
    }

    /// The unionid of a user, where the app gets one now.
    pub fn unionid(&self, appid: &str, user: &str) -> Option<String> {
        self.state().unionid(appid, user)
    }

    /// The appids known so far, in order.
    pub fn apps(&self) -> Vec<String> {
        self.state().apps.known().into_iter().map(str::to_owned).collect()
    }

    /// The user of this name. Everybody exists.
    pub fn user(&self, name: &str) -> User {
        self.state().user(name)
    }

    /// Puts a user in the place of the one of this name.
    pub fn set_user(&self, name: &str, user: User) {
        self.state().users.insert(name.to_owned(), user);
    }

    /// The switches as they are.
    pub fn settings(&self) -> Settings {
        self.state().settings.clone()
    }

    /// Sets the switches.
    ///
    /// # Errors
    ///
    /// When a value makes no sense; nothing is changed then.
    pub fn set_settings(&self, settings: Settings) -> Result<(), Wrong> {
        settings.check().map_err(Wrong)?;
        self.state().settings = settings;
        Ok(())
    }

    /// Lets the next calls go wrong. Several faults are taken in the order they came.
    ///
    /// # Errors
    ///
    /// When the fault cannot be played or names no API.
    pub fn add_fault(&self, mut fault: Fault) -> Result<(), Wrong> {
        fault.check().map_err(Wrong)?;
        if let Some(api) = &mut fault.api {
            *api = api::path_of(api).map_err(Wrong)?.to_owned();
        }
        self.state().faults.add(fault);
        Ok(())
    }

    /// The faults to come.
    pub fn faults(&self) -> Vec<Fault> {
        self.state().faults.list().to_vec()
    }

    /// Lets everything go right again.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// The calls of the API (of all, for `None`), newest last. The last 10,000 are kept.
    ///
    /// # Errors
    ///
    /// When there is no such API.
    pub fn calls<'a>(&self, api: impl Into<Option<&'a str>>) -> Result<Vec<Call>, Wrong> {
        let path = api.into().map(api::path_of).transpose().map_err(Wrong)?;
        Ok(self.state().calls.list(path))
    }

    /// Empties the list of calls.
    pub fn clear_calls(&self) {
        self.state().calls.clear();
    }

    /// Moves the clock forward by whole seconds.
    ///
    /// # Errors
    ///
    /// When the simulator runs on the system's clock.
    pub fn advance(&self, by: Duration) -> Result<(), Wrong> {
        if !self.clock.is_movable() {
            return Err(Wrong("This simulator runs on the system's clock.".to_owned()));
        }
        self.clock.advance(by);
        Ok(())
    }

    /// Seconds since 1970 in this world.
    pub fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Answers a call of WeChat's API.
    pub(super) fn call(&self, incoming: &Incoming) -> Outcome {
        api::answer(&mut self.state(), incoming)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic in a call leaves no half-done change that could hurt a simulator.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for World {
    /// Without the secrets in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("apps", &self.apps()).finish_non_exhaustive()
    }
}

fn add_code(
    codes: &mut Codes,
    text: String,
    appid: Option<String>,
    user: &str,
    now: u64,
) -> String {
    codes.add(text.clone(), appid, user.to_owned(), now);
    text
}

/// The app that is meant, if one is.
fn meant(state: &State, appid: Option<&str>) -> Result<Option<String>, Wrong> {
    match appid {
        None => Ok(state.apps.meant().map(str::to_owned)),
        Some(appid) if state.apps.has(appid) => Ok(Some(appid.to_owned())),
        Some(appid) if app::is_appid(appid) => {
            Err(Wrong(format!("No app {appid} is configured: start the simulator with it.")))
        }
        Some(appid) => Err(Wrong(format!(
            "{appid:?} is no app here; an appid is \"wx\" and 16 lowercase hex digits."
        ))),
    }
}

/// The app that is meant, where one has to be.
fn named(state: &State, appid: Option<&str>) -> Result<String, Wrong> {
    meant(state, appid)?.ok_or_else(|| {
        Wrong(match state.apps.known().as_slice() {
            [] => {
                "No app is known yet: name an \"appid\", or exchange a login code first.".to_owned()
            }
            known => format!("Name an \"appid\": one of {}.", known.join(", ")),
        })
    })
}
