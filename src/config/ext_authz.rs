//! `[ext_authz]`.

use super::problem::Complaint;
use super::section::Section;
use super::server::{ADDRESS, address};
use super::value::TEXT;
use crate::admin;
use crate::ext_authz::Settings;
use crate::listen::{self, Address, Place};
use crate::secret::Secret;

pub(super) fn read(
    ext_authz: &mut Section<'_>,
    server: &listen::Settings,
    admin: &admin::Settings,
) -> Option<Settings> {
    let token = ext_authz.secret("token").parsed(&TEXT, |text| Ok(Secret::new(text)));
    let is_free = |address: &Address| match address {
        Address::Tcp(address) if address.port() == 0 => true,
        address => {
            let is_for_data =
                server.listeners.iter().any(|it| it.place == Place::Own(address.clone()));
            !is_for_data && *address != Address::Tcp(admin.listen)
        }
    };
    let listen =
        ext_authz.key("listen").parsed(&ADDRESS, address).check(|address| match is_free(address) {
            true => Ok(()),
            false => Err(Complaint::new("is another listener's already")
                .help("the checks of Envoy have their own")),
        });
    let listen = listen.check(|address| match address {
        Address::Tcp(address) if !address.ip().is_loopback() && !token.is_given() => {
            Err(Complaint::new("can be reached from other machines, and there is no token")
                .help("listen on 127.0.0.1 or a unix socket, or set token"))
        }
        _ => Ok(()),
    });
    if !listen.is_given() {
        token.unused("without listen");
    }
    Some(Settings { listen: listen.optional()?, token: token.optional() })
}
