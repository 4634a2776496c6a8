//! HAProxy: beside wxgate, by its own Lua, and in front of it, by the PROXY protocol.

use std::path::Path;
use std::process::Command;

use crate::front::Front;
use crate::program::{Program, find, skipped};
use crate::raw::Wire;
use crate::support::gateway::Gateway;
use crate::support::{changed, documented, replaced, with_a_path_that_shows_what_is_believed};

const FOLDER: &str = "docs/integrations/haproxy";

fn run(program: &str, folder: &Path, text: &str) -> Command {
    std::fs::write(folder.join("haproxy.cfg"), text).unwrap();
    let mut command = Command::new(program);
    command.current_dir(folder).args(["-db", "-f", "haproxy.cfg"]);
    command
}

fn find_haproxy() -> Option<String> {
    let found = find("haproxy");
    if found.is_none() {
        skipped("HAProxy", "scripts/install-test-needs installs it");
    }
    found
}

async fn start() -> Option<(Program, Front)> {
    start_before(documented()).await
}

async fn start_before(gateway: impl Future<Output = Gateway>) -> Option<(Program, Front)> {
    let haproxy = find_haproxy()?;
    let gateway = gateway.await;
    let read = |name: &str| std::fs::read_to_string(Path::new(FOLDER).join(name)).unwrap();
    let text = with_addresses(&read("haproxy.cfg"), &gateway);
    let text = replaced(&text, "127.0.0.1:3000", &gateway.upstream.address.to_string());
    let lua = with_addresses(&read("wxgate.lua"), &gateway);
    let program = Program::start(|address, folder| {
        std::fs::write(folder.join("wxgate.lua"), &lua).unwrap();
        run(&haproxy, folder, &replaced(&text, "bind :8000", &format!("bind {address}")))
    });
    let address = program.address;
    Some((program, Front { gateway, address }))
}

fn with_addresses(text: &str, gateway: &Gateway) -> String {
    replaced(text, "127.0.0.1:8080", &gateway.address.to_string())
}

#[tokio::test]
async fn haproxy_tells_users_apart() {
    let Some((_haproxy, front)) = start().await else { return };
    front.tells_users_apart().await;
    front.passes_bodies_on().await;
}

#[tokio::test]
async fn haproxy_believes_no_client() {
    let Some((_haproxy, front)) = start().await else { return };
    front.believes_no_client().await;
    front.leaves_public_paths_open().await;
}

#[tokio::test]
async fn haproxy_says_itself_where_a_request_came_from() {
    let gateway = with_a_path_that_shows_what_is_believed();
    let Some((_haproxy, front)) = start_before(gateway).await else { return };
    front.says_itself_where_a_request_came_from().await;
}

#[tokio::test]
async fn haproxy_is_passed_by_no_detour() {
    let Some((_haproxy, front)) = start().await else { return };
    front.is_passed_by_no_detour().await;
}

#[tokio::test]
async fn haproxy_closes_without_wxgate() {
    let Some((_haproxy, front)) = start().await else { return };
    front.closes_without_wxgate().await;
}

/// The lines of the documentation's own comment.
async fn behind_haproxy() -> Gateway {
    let listen = "listen = [{ address = \"127.0.0.1:0\", proxy_protocol = true }]";
    changed(|text| replaced(&text, "listen = [\"127.0.0.1:0\"]", listen)).await
}

#[tokio::test]
async fn haproxy_in_front_tells_by_the_proxy_protocol_who_the_client_is() {
    let Some(haproxy) = find_haproxy() else { return };
    let gateway = behind_haproxy().await;
    let text = std::fs::read_to_string(Path::new(FOLDER).join("in-front.cfg")).unwrap();
    let listen = "listen = [{ address = \"127.0.0.1:8080\", proxy_protocol = true }]";
    assert!(text.contains(listen), "the comment says what the test does");
    let text = with_addresses(&text, &gateway);
    let program = Program::start(|address, folder| {
        run(&haproxy, folder, &replaced(&text, "bind :8000", &format!("bind {address}")))
    });
    let code = gateway.wechat.code("alice");
    let login = format!("GET /wxLogin?code={code} HTTP/1.1\r\nHost: a\r\n\r\n");
    let login = Wire::ask(program.address, login).await.json();
    let token = login["token"].as_str().unwrap();
    // A client on another address of this machine, so that it can be told from HAProxy itself.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.9:0".parse().unwrap()).unwrap();
    let mut wire = Wire::over(socket.connect(program.address).await.unwrap());
    wire.send(format!(
        "GET /api/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\
         X-Forwarded-For: 6.6.6.6\r\nX-WX-OPENID: oFORGED\r\n\r\n"
    ))
    .await;
    assert_eq!(wire.answer().await.status, 200);
    let seen = gateway.upstream.only();
    assert_eq!(seen.read_as("x-wx-openid"), [gateway.wechat.openid("alice")]);
    assert_eq!(seen.header("x-real-ip"), Some("127.0.0.9"), "{}", seen.head);
}
