//! `bare-pingora LISTEN UPSTREAM [--threads N] [--tls CERT KEY]`: pingora's proxy as it comes, between two addresses.

use std::net::SocketAddr;
use std::process::ExitCode;

use async_trait::async_trait;
use pingora_core::listeners::tls::TlsSettings;
use pingora_core::server::Server;
use pingora_core::server::configuration::ServerConf;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::Result;
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Bare {
    upstream: SocketAddr,
}

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, _: &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(Arguments { listen, upstream, threads, tls }) = Arguments::parse(&arguments) else {
        eprintln!("usage: bare-pingora LISTEN UPSTREAM [--threads N] [--tls CERT KEY]");
        return ExitCode::from(2);
    };
    let conf = ServerConf { threads, ..ServerConf::default() };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, Bare { upstream });
    match tls {
        None => service.add_tcp(&listen.to_string()),
        Some((cert, key)) => {
            let mut settings = match TlsSettings::intermediate(&cert, &key) {
                Ok(settings) => settings,
                Err(error) => {
                    eprintln!("bare-pingora: {error}");
                    return ExitCode::FAILURE;
                }
            };
            settings.enable_h2();
            service.add_tls_with_settings(&listen.to_string(), None, settings);
        }
    }
    server.add_service(service);
    server.run_forever()
}

struct Arguments {
    listen: SocketAddr,
    upstream: SocketAddr,
    threads: usize,
    tls: Option<(String, String)>,
}

impl Arguments {
    fn parse(arguments: &[String]) -> Option<Self> {
        let [listen, upstream, options @ ..] = arguments else { return None };
        let (listen, upstream) = (listen.parse().ok()?, upstream.parse().ok()?);
        let mut parsed = Self { listen, upstream, threads: 1, tls: None };
        let mut options = options.iter();
        while let Some(option) = options.next() {
            match option.as_str() {
                "--threads" => parsed.threads = options.next()?.parse().ok()?,
                "--tls" => parsed.tls = Some((options.next()?.clone(), options.next()?.clone())),
                _ => return None,
            }
        }
        Some(parsed)
    }
}
