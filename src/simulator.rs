//! A WeChat on this machine, for `wxgate dev`, `wxgate simulate` and the tests.
//!
//! It plays the server API that a Mini Program's backend meets, with the bytes that the real one
//! sends: [`World`] holds what WeChat knows (apps, users, codes, session keys, access tokens), `api`
//! answers the calls under `/sns`, `/cgi-bin` and `/wxa`, and `control` is the hand that moves the
//! world under `/simulator`. A test in this process moves it with the methods of [`World`].

mod access_token;
mod answer;
mod api;
mod app;
mod calls;
mod code;
mod control;
mod errcode;
mod fault;
mod fault_body;
mod garble;
mod incoming;
mod listen;
mod multipart;
mod open_data;
mod quota;
mod random;
mod router;
mod session_key;
mod settings;
mod state;
mod user;
mod world;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::clock::Clock;

pub use calls::Call;
pub use control::CONTROL_CALLS;
pub use fault::{Cut, Effect, Fault, Garble};
pub use open_data::{KeyChoice, OpenData, Overrides, Payload};
pub use router::router;
pub use settings::{AdminConfirmation, Settings};
pub use user::User;
pub use world::{World, Wrong};

/// What a simulator is started with.
#[derive(Clone, Default)]
pub struct Options {
    /// Where the time comes from. Only a movable clock takes `/simulator/advance`.
    pub clock: Clock,
    /// The apps, as (appid, AppSecret). With none, any well-formed pair is taken at first sight, and
    /// its secret holds from then on.
    pub apps: Vec<(String, String)>,
}

impl fmt::Debug for Options {
    /// Without the secrets, which may be real ones.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let appids: Vec<_> = self.apps.iter().map(|(appid, _)| appid).collect();
        f.debug_struct("Options").field("clock", &self.clock).field("apps", &appids).finish()
    }
}

/// A running simulator; it stops serving when it is dropped.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    world: Arc<World>,
    /// Its drop tells the server to stop.
    _running: oneshot::Sender<()>,
}

impl Simulator {
    /// Binds `address` (port 0 takes a free one) and serves on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound.
    pub async fn start(address: SocketAddr, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let world = Arc::new(World::new(options));
        let (running, stopped) = oneshot::channel::<()>();
        tokio::spawn(listen::serve(listener, router(Arc::clone(&world)), stopped));
        Ok(Self { address, world, _running: running })
    }

    /// The address that it is bound to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What stands for `https://api.weixin.qq.com`: `http://` and the address, without a slash at
    /// the end.
    pub fn base_url(&self) -> String {
        let mut address = self.address;
        // Nobody can connect to "all addresses"; one of them is always this machine's own.
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
                SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            });
        }
        format!("http://{address}")
    }

    /// The world behind it: the same operations as the control calls, with types.
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }
}
