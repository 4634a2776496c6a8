//! `bare-pingora LISTEN UPSTREAM [--threads N]`: pingora's proxy as it comes, between two addresses.

use std::net::SocketAddr;
use std::process::ExitCode;

use async_trait::async_trait;
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
    let Some((listen, upstream, threads)) = parse(&arguments) else {
        eprintln!("usage: bare-pingora LISTEN UPSTREAM [--threads N]");
        return ExitCode::from(2);
    };
    let conf = ServerConf { threads, ..ServerConf::default() };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, Bare { upstream });
    service.add_tcp(&listen.to_string());
    server.add_service(service);
    server.run_forever()
}

fn parse(arguments: &[String]) -> Option<(SocketAddr, SocketAddr, usize)> {
    let (listen, upstream, threads) = match arguments {
        [listen, upstream] => (listen, upstream, "1"),
        [listen, upstream, flag, threads] if flag == "--threads" => {
            (listen, upstream, threads.as_str())
        }
        _ => return None,
    };
    Some((listen.parse().ok()?, upstream.parse().ok()?, threads.parse().ok()?))
}
