//! `[admin]`.

use std::net::{Ipv4Addr, SocketAddr};

use super::key::Read;
use super::problem::{Complaint, Problems};
use super::section::Section;
use super::server::{ADDRESS, tcp_address};
use super::value::TEXT;
use crate::admin::Settings;
use crate::listen::{self, Address, Place};
use crate::secret::Secret;

const DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9901);

/// Where the listener of a gateway that runs is, for who asks it.
#[derive(Debug)]
pub struct AdminPlace {
    /// Where it listens; or what is wrong with the file's word on it. To ask at the default instead would be
    /// to ask another gateway.
    pub listen: Result<SocketAddr, Problems>,
    /// The token, where it can be read here.
    pub token: Option<Secret>,
}

pub(super) fn read(admin: &mut Section<'_>, server: &listen::Settings) -> Settings {
    let token = token(admin);
    let listen = listen(admin, server, token.is_given());
    Settings { listen, token: token.optional() }
}

/// For who only asks it: a token that is not there is not in the way.
pub(super) fn read_to_ask(admin: &mut Section<'_>, server: &listen::Settings) -> Settings {
    let token = admin.reader().forgiving(|| token(admin));
    let listen = listen(admin, server, token.is_given());
    Settings { listen, token: token.optional() }
}

fn token<'r>(admin: &mut Section<'r>) -> Read<'r, Secret> {
    admin.secret("token").parsed(&TEXT, |text| Ok(Secret::new(text)))
}

fn listen(admin: &mut Section<'_>, server: &listen::Settings, has_token: bool) -> SocketAddr {
    let is_for_data = |address: &SocketAddr| {
        let data = Place::Own(Address::Tcp(*address));
        address.port() != 0 && server.listeners.iter().any(|listener| listener.place == data)
    };
    let listen = admin
        .key("listen")
        .parsed(&ADDRESS, tcp_address)
        .check(|address| match is_for_data(address) {
            true => Err(Complaint::new("is in [server] listen already")
                .help("the admin listener has its own")),
            false => Ok(()),
        })
        .check(|address| match address.ip().is_loopback() || has_token {
            true => Ok(()),
            false => {
                Err(Complaint::new("can be reached from other machines, and there is no token")
                    .help("listen on 127.0.0.1, or set token = \"${WXGATE_ADMIN_TOKEN}\""))
            }
        })
        .warn(|address| {
            let open = !address.ip().is_loopback();
            open.then(|| Complaint::new("can be reached from other machines"))
        });
    listen.or(DEFAULT)
}
