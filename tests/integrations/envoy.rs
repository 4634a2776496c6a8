//! Envoy with `ext_authz`, over HTTP and over gRPC, by the files of `docs/integrations/envoy`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use tokio::net::TcpSocket;
use wxgate::listen::Address;

use crate::front::Front;
use crate::program::{Program, find, skipped};
use crate::raw::Wire;
use crate::support::gateway::Gateway;
use crate::support::{changed, documented, replaced, with_a_path_that_shows_what_is_believed};

/// Where `scripts/install-envoy` puts it.
const INSTALLED: &str = "target/envoy/envoy";

fn find_envoy() -> Option<String> {
    let installed = Path::new(INSTALLED).is_file().then(|| INSTALLED.to_owned());
    let found = find("envoy").or(installed);
    if found.is_none() {
        skipped("Envoy", "scripts/install-envoy brings it");
    }
    found
}

async fn start(file: &str) -> Option<(Program, Front)> {
    start_before(documented(), file).await
}

async fn start_before(
    gateway: impl Future<Output = Gateway>,
    file: &str,
) -> Option<(Program, Front)> {
    let envoy = find_envoy()?;
    Some(run(&envoy, file, gateway.await))
}

fn run(envoy: &str, file: &str, gateway: Gateway) -> (Program, Front) {
    let text = std::fs::read_to_string(Path::new("docs/integrations/envoy").join(file)).unwrap();
    let Some(Address::Tcp(checks)) = gateway.app.ext_authz_address.clone() else { panic!("TCP") };
    let port = |port: u16| format!("port_value: {port} ");
    let text = replaced(&text, &port(8080), &port(gateway.address.port()));
    let text = replaced(&text, &port(3000), &port(gateway.upstream.address.port()));
    let text = text.replace(&port(9191), &port(checks.port()));
    let text = text.replace("http://127.0.0.1:8080", &format!("http://{}", gateway.address));
    let text = replaced(&text, &port(9902), &port(0));
    let program = Program::start(|address, folder| {
        let listener = format!("address: 127.0.0.1, {}", port(address.port()));
        let text = replaced(&text, &format!("address: 0.0.0.0, {}", port(8000)), &listener);
        let path = folder.join("envoy.yaml");
        std::fs::write(&path, text).unwrap();
        let mut command = Command::new(envoy);
        command.arg("-c").arg(path).args(["--use-dynamic-base-id", "--concurrency", "1"]);
        command.args(["--log-level", "warning", "--disable-hot-restart"]);
        command
    });
    let address = program.address;
    (program, Front { gateway, address })
}

macro_rules! envoy {
    ($way:ident, $file:literal) => {
        mod $way {
            use super::*;

            #[tokio::test]
            async fn envoy_tells_users_apart() {
                let Some((_envoy, front)) = start($file).await else { return };
                front.tells_users_apart().await;
                front.passes_bodies_on().await;
            }

            #[tokio::test]
            async fn envoy_believes_no_client() {
                let Some((_envoy, front)) = start($file).await else { return };
                front.believes_no_client().await;
                front.leaves_public_paths_open().await;
            }

            #[tokio::test]
            async fn envoy_says_itself_where_a_request_came_from() {
                let gateway = with_a_path_that_shows_what_is_believed();
                let Some((_envoy, front)) = start_before(gateway, $file).await else { return };
                front.says_itself_where_a_request_came_from().await;
            }

            #[tokio::test]
            async fn envoy_is_passed_by_no_detour() {
                let Some((_envoy, front)) = start($file).await else { return };
                front.is_passed_by_no_detour().await;
            }

            #[tokio::test]
            async fn envoy_closes_without_wxgate() {
                let Some((_envoy, front)) = start($file).await else { return };
                front.closes_without_wxgate().await;
            }
        }
    };
}

envoy!(over_http, "http.yaml");
envoy!(over_grpc, "grpc.yaml");

/// A connection from this address of this machine.
async fn from(client: &str, to: SocketAddr) -> Wire {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(client.parse().unwrap(), 0)).unwrap();
    Wire::over(socket.connect(to).await.unwrap())
}

#[tokio::test]
async fn over_http_each_client_has_a_rate_of_its_own() {
    let limited = changed(|text| {
        let route = "path = \"/authorize/public/**\"\naction = \"authorize\"";
        replaced(&text, route, &format!("{route}\nrate = {{ per = \"ip\", limit = \"1/h\" }}"))
    });
    let Some((_envoy, front)) = start_before(limited, "http.yaml").await else { return };
    let mut statuses = Vec::new();
    for client in ["127.0.0.8", "127.0.0.9", "127.0.0.9"] {
        let mut wire = from(client, front.address).await;
        wire.send("GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n").await;
        statuses.push(wire.answer().await.status);
    }
    assert_eq!(statuses, [200, 200, 429]);
}
