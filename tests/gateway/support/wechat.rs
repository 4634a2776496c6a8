//! The WeChat that the gateway asks.

use std::net::{Ipv4Addr, SocketAddr};

use wxgate::clock::Clock;
use wxgate::simulator::{Call, Effect, Fault, Options, Settings, Simulator, World};

use super::eventually;

pub(crate) const APPID: &str = "wx0123456789abcdef";
pub(crate) const OTHER_APPID: &str = "wxfedcba9876543210";
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
const LOGIN: &str = "/sns/jscode2session";

#[derive(Debug)]
pub(crate) struct Wechat {
    simulator: Simulator,
}

impl Wechat {
    pub(crate) async fn start(clock: Clock) -> Self {
        let app = |appid: &str| (appid.to_owned(), SECRET.to_owned());
        let options = Options { clock, apps: vec![app(APPID), app(OTHER_APPID)] };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { simulator: Simulator::start(address, options).await.unwrap() }
    }

    pub(crate) fn url(&self) -> String {
        self.simulator.base_url()
    }

    pub(crate) fn world(&self) -> &World {
        self.simulator.world()
    }

    /// wx.login of a user.
    pub(crate) fn code(&self, user: &str) -> String {
        self.world().login(APPID, user).unwrap()
    }

    /// wx.login of a user in the other app.
    pub(crate) fn code_of_other_app(&self, user: &str) -> String {
        self.world().login(OTHER_APPID, user).unwrap()
    }

    pub(crate) fn openid(&self, user: &str) -> String {
        self.world().openid(APPID, user)
    }

    pub(crate) fn session_key(&self, user: &str) -> String {
        self.world().session_key(APPID, user).unwrap()
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.world().settings();
        change(&mut settings);
        self.world().set_settings(settings).unwrap();
    }

    /// From now on, and until something else is said, logins go wrong like this.
    pub(crate) fn plays(&self, effect: Effect) {
        self.plays_fault(Fault::new(LOGIN, effect));
    }

    pub(crate) fn plays_fault(&self, fault: Fault) {
        self.world().clear_faults();
        self.world().add_fault(fault).unwrap();
    }

    pub(crate) fn recovers(&self) {
        self.world().clear_faults();
    }

    /// The logins that it was asked for.
    pub(crate) fn exchanges(&self) -> Vec<Call> {
        self.world().calls(LOGIN).unwrap()
    }

    /// How often it was asked about this code.
    pub(crate) fn asked_about(&self, code: &str) -> usize {
        self.exchanges().iter().filter(|call| call.query["js_code"] == code).count()
    }

    pub(crate) async fn until_asked_about(&self, code: &str) {
        eventually("WeChat is asked", async || self.asked_about(code) > 0).await;
    }
}
