//! A simulator, and gateways' parts that call it.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use wxgate::clock::Clock;
use wxgate::refusal::Refusal;
use wxgate::secret::Secret;
use wxgate::session::access_token::AccessTokens;
use wxgate::session::memory::MemoryStore;
use wxgate::session::seal::Sealer;
use wxgate::simulator::{Call, Effect, Fault, Options, Settings, Simulator, World};
use wxgate::wechat::app::{App, AppId};
use wxgate::wechat::client::{self, Client};
use wxgate::wechat::session_key::SessionKey;
use wxgate::wechat::user::{OpenId, User};

pub(crate) const APPID: &str = "wx0123456789abcdef";
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const STABLE_TOKEN: &str = "/cgi-bin/stable_token";
pub(crate) const PHONE: &str = "/wxa/business/getuserphonenumber";

/// WeChat, an app in it, and what the replicas of a gateway share.
pub(crate) struct Wechat {
    simulator: Simulator,
    pub(crate) clock: Clock,
    pub(crate) app: Arc<App>,
    pub(crate) client: Client,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) sealer: Arc<Sealer>,
}

impl Wechat {
    pub(crate) async fn start() -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // Another test binary cannot be in this process; the result says who came first.
            let _ = rustls::crypto::ring::default_provider().install_default();
            wxgate::session::token::install_crypto_provider();
            let errors = tracing_subscriber::fmt().with_max_level(tracing::Level::ERROR);
            errors.with_ansi(false).with_writer(|| Log).init();
        });
        let clock = Clock::movable();
        let apps = vec![(APPID.to_owned(), SECRET.to_owned())];
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let options = Options { clock: clock.clone(), apps };
        let simulator = Simulator::start(address, options).await.unwrap();
        let settings = client::Settings {
            base_url: simulator.base_url().parse().unwrap(),
            fallback_url: None,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(20),
            proxy: None,
        };
        let app = App {
            name: "shop".to_owned(),
            appid: AppId::parse(APPID).unwrap(),
            secret: Secret::new(SECRET),
            env: None,
        };
        Self {
            simulator,
            store: Arc::new(MemoryStore::new(clock.clone())),
            clock,
            app: Arc::new(app),
            client: Client::new(settings).unwrap(),
            sealer: Arc::new(Sealer::new(&[[7; 32]])),
        }
    }

    /// The tokens of one more replica on the shared store.
    pub(crate) fn replica(&self) -> Arc<AccessTokens> {
        AccessTokens::new(
            self.client.clone(),
            self.store.clone(),
            self.sealer.clone(),
            self.clock.clone(),
        )
    }

    pub(crate) fn world(&self) -> &World {
        self.simulator.world()
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.world().settings();
        change(&mut settings);
        self.world().set_settings(settings).unwrap();
    }

    /// The next calls of the API are refused.
    pub(crate) fn refuse(&self, api: &str, errcode: i64, times: impl Into<Option<u64>>) {
        let fault = Fault::new(api, Effect::Errcode(errcode, None));
        let fault = match times.into() {
            Some(times) => fault.times(times),
            None => fault,
        };
        self.world().add_fault(fault).unwrap();
    }

    pub(crate) fn calls(&self, api: &str) -> Vec<Call> {
        self.world().calls(api).unwrap()
    }

    /// The calls for a token so far: in normal mode, and forced.
    pub(crate) fn token_calls(&self) -> (usize, usize) {
        let calls = self.calls(STABLE_TOKEN);
        let forced = calls.iter().filter(|call| call.body.contains(r#""force_refresh":true"#));
        let forced = forced.count();
        (calls.len() - forced, forced)
    }

    /// Logs a user in at WeChat.
    pub(crate) async fn log_in(&self, name: &str) -> (User, SessionKey) {
        let code = Secret::new(self.world().login(APPID, name).unwrap());
        let login = self.client.code2session(&self.app, &code).await.unwrap();
        (User { appid: self.app.appid.clone(), openid: login.openid }, login.session_key)
    }

    /// A call that any token can make: the text passes.
    pub(crate) async fn ask(
        &self,
        tokens: &Arc<AccessTokens>,
        openid: &OpenId,
    ) -> Result<(), Refusal> {
        let text = client::Text { openid, scene: client::Scene::Profile, content: "hello" };
        let call = |token: Secret| async move { self.client.msg_sec_check(&token, &text).await };
        tokens.call_with_token(&self.app, call).await.map(drop)
    }
}

/// Lets every task that can go on do so.
pub(crate) async fn until(mut done: impl FnMut() -> bool) {
    tokio::time::timeout(Duration::from_secs(20), async {
        while !done() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it happens in time");
}

static ERRORS: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// What all tests have logged as errors: a test finds its own by a name that only it has.
pub(crate) struct Log;

impl Log {
    pub(crate) fn lines_with(part: &str) -> Vec<String> {
        let log = String::from_utf8(ERRORS.lock().unwrap().clone()).unwrap();
        log.lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        ERRORS.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// As much of a PNG as its dimensions need.
pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &size, b"\x08\x06\0\0\0"].concat()
}
