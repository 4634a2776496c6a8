//! `[server]`.

mod tls;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use ipnet::IpNet;

use super::problem::Complaint;
use super::section::Section;
use super::value::{Form, Item, LIST};
use crate::identity::trace_context::Traces;
use crate::listen::{Address, Listener, Place, Settings, SocketName};

pub(super) const ADDRESS: Form = Form {
    noun: "address to listen on",
    help: r#"write "0.0.0.0:8080" or "unix:/run/wxgate.sock""#,
};
const NETWORK: Form = Form { noun: "network", help: r#"write "10.0.0.0/8" or "fd00::/8""# };

pub(super) fn read(server: &mut Section<'_>) -> Settings {
    let listen = server.key("listen");
    let tls = server.key("tls").table(tls::tls);
    let proxy_protocol = server.key("proxy_protocol").boolean();
    let trusted_proxies = server.key("trusted_proxies").items(&LIST, network);
    let trusted_proxies = trusted_proxies.optional().unwrap_or_default();
    let rest = Listener {
        place: Place::Own(Address::Tcp(([0, 0, 0, 0], 8080).into())),
        tls: tls.optional(),
        proxy_protocol: proxy_protocol.value().copied().unwrap_or_default(),
        h2c: server.key("h2c").boolean().or(true),
    };
    let mut places = Vec::new();
    let trusts = !trusted_proxies.is_empty();
    let listeners = listen
        .items(&LIST, |item| listener(item, &rest, trusts, &mut places))
        .not_empty()
        .optional()
        .unwrap_or_else(|| vec![rest]);
    proxy_protocol.check(|_| listeners.iter().try_for_each(|it| check_trust(it, trusts))).checked();
    Settings {
        listeners,
        workers: workers(server.key("workers").integer(0, 1_024).or(0)),
        trusted_proxies,
        traces: server.key("traceparent").choice(&Traces::NAMES).or(Traces::default()),
        lame_duck: server.key("lame_duck").duration().or(Duration::from_secs(5)),
        drain: server.key("drain").duration().or(Duration::from_secs(20)),
    }
}

/// An address, or a table where a listener differs from the rest.
fn listener(
    item: &Item<'_>,
    rest: &Listener,
    trusts: bool,
    others: &mut Vec<Place>,
) -> Option<Listener> {
    if !item.is_table() {
        let place = item.parsed(&ADDRESS, |text| new_place(text, others))?;
        return Some(Listener { place, ..rest.clone() });
    }
    item.table(|listener| {
        let tls = listener.key("tls").table(tls::tls);
        let proxy_protocol = listener.key("proxy_protocol").boolean();
        let h2c = listener.key("h2c").boolean();
        let place = listener.key("address").parsed(&ADDRESS, |text| new_place(text, others));
        let listener = Listener {
            place: place.required(ADDRESS.help)?,
            tls: tls.optional().or_else(|| rest.tls.clone()),
            proxy_protocol: proxy_protocol.value().copied().unwrap_or(rest.proxy_protocol),
            h2c: h2c.or(rest.h2c),
        };
        proxy_protocol.check(|_| check_trust(&listener, trusts)).checked();
        Some(listener)
    })
}

/// Who may connect to a unix socket is for the rights of its file to say.
fn check_trust(listener: &Listener, trusts: bool) -> Result<(), Complaint> {
    let is_unix = matches!(listener.place, Place::Own(Address::Unix(_)));
    match !is_unix && listener.proxy_protocol && !trusts {
        true => Err(Complaint::new("lets nobody in without [server] trusted_proxies")
            .help("name the networks of the proxies that send PROXY headers there")),
        false => Ok(()),
    }
}

fn new_place(text: &str, others: &mut Vec<Place>) -> Result<Place, Complaint> {
    let place = match text.strip_prefix("systemd:") {
        Some(name) => Place::Passed(SocketName::parse(name).ok_or_else(no_name)?),
        None => Place::Own(address(text)?),
    };
    let takes_free_port = matches!(place, Place::Own(Address::Tcp(address)) if address.port() == 0);
    if others.contains(&place) && !takes_free_port {
        return Err(Complaint::new("is there already"));
    }
    others.push(place.clone());
    Ok(place)
}

fn no_name() -> Complaint {
    Complaint::new("names no socket")
        .help("write systemd: and the name that FileDescriptorName= gives it in the socket unit")
}

/// Where to listen.
pub(super) fn address(text: &str) -> Result<Address, Complaint> {
    if let Some(path) = text.strip_prefix("unix:") {
        return match path.starts_with('/') && !path.starts_with("//") {
            true => Ok(Address::Unix(PathBuf::from(path))),
            false => Err(ADDRESS.missed()),
        };
    }
    text.parse().map(Address::Tcp).map_err(|_| match text.rsplit_once(':') {
        Some(("" | "*", port)) => ADDRESS.missed().suggest(format!("write \"0.0.0.0:{port}\"")),
        Some(("localhost", port)) => {
            ADDRESS.missed().suggest(format!("write \"127.0.0.1:{port}\""))
        }
        _ => ADDRESS.missed(),
    })
}

/// The address of the admin listener, which is TCP.
pub(super) fn tcp_address(text: &str) -> Result<SocketAddr, Complaint> {
    match address(text)? {
        Address::Tcp(address) => Ok(address),
        Address::Unix(_) => Err(Complaint::new("is no TCP address")),
    }
}

/// A network whose peers are believed. A single address is one too.
fn network(item: &Item<'_>) -> Option<IpNet> {
    item.parsed(&NETWORK, |text| {
        let single = || text.parse::<IpAddr>().map(IpNet::from);
        let network = text.parse::<IpNet>().or_else(|_| single()).map_err(|_| NETWORK.missed())?;
        if network.prefix_len() == 0 {
            return Err(Complaint::new(
                "is everybody, whose word on the client's address is worth nothing",
            )
            .help("name the networks of your proxies"));
        }
        Ok(network.trunc())
    })
}

fn workers(number: usize) -> usize {
    match number {
        0 => available_parallelism().map_or(1, usize::from),
        number => number,
    }
}
