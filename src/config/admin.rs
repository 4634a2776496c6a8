//! `[admin]`.

use std::net::{Ipv4Addr, SocketAddr};

use super::problem::Complaint;
use super::section::Section;
use super::server::{ADDRESS, tcp_address};
use super::value::TEXT;
use crate::admin::Settings;
use crate::listen::{self, Address, Place};
use crate::secret::Secret;

const DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9901);

pub(super) fn read(admin: &mut Section<'_>, server: &listen::Settings) -> Settings {
    let token = admin.secret("token").parsed(&TEXT, |text| Ok(Secret::new(text)));
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
        .check(|address| match address.ip().is_loopback() || token.is_given() {
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
    Settings { listen: listen.or(DEFAULT), token: token.optional() }
}
