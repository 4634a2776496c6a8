//! nginx with `auth_request`, by `docs/integrations/nginx/nginx.conf`.

use std::path::Path;
use std::process::Command;

use crate::front::Front;
use crate::program::{Program, find, skipped};
use crate::support::gateway::Gateway;
use crate::support::{documented, replaced, with_a_path_that_shows_what_is_believed};

const FOLDER: &str = "docs/integrations/nginx";

async fn start() -> Option<(Program, Front)> {
    start_before(documented()).await
}

async fn start_before(gateway: impl Future<Output = Gateway>) -> Option<(Program, Front)> {
    let Some(nginx) = find("nginx") else {
        skipped("nginx", "scripts/install-test-needs installs it");
        return None;
    };
    let gateway = gateway.await;
    let text = std::fs::read_to_string(Path::new(FOLDER).join("nginx.conf")).unwrap();
    let text = replaced(&text, "127.0.0.1:8080", &gateway.address.to_string());
    let text = replaced(&text, "127.0.0.1:3000", &gateway.upstream.address.to_string());
    // It must not need a folder of root's.
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let folders = kinds.map(|kind| format!("    {kind}_temp_path {kind};\n")).concat();
    let text = replaced(&text, "http {\n", &format!("http {{\n{folders}"));
    let program = Program::start(|address, folder| {
        let text = replaced(&text, "listen 8000;", &format!("listen {address};"));
        std::fs::write(folder.join("nginx.conf"), text).unwrap();
        let origin = "wxgate_origin.conf";
        std::fs::copy(Path::new(FOLDER).join(origin), folder.join(origin)).unwrap();
        let mut command = Command::new(&nginx);
        command.arg("-p").arg(folder).args(["-c", "nginx.conf", "-e", "stderr"]);
        command.args(["-g", "daemon off; master_process off;"]);
        command
    });
    let address = program.address;
    Some((program, Front { gateway, address }))
}

#[tokio::test]
async fn nginx_tells_users_apart() {
    let Some((_nginx, front)) = start().await else { return };
    front.tells_users_apart().await;
    front.passes_bodies_on().await;
}

#[tokio::test]
async fn nginx_believes_no_client() {
    let Some((_nginx, front)) = start().await else { return };
    front.believes_no_client().await;
    front.leaves_public_paths_open().await;
}

#[tokio::test]
async fn nginx_says_itself_where_a_request_came_from() {
    let gateway = with_a_path_that_shows_what_is_believed();
    let Some((_nginx, front)) = start_before(gateway).await else { return };
    front.says_itself_where_a_request_came_from().await;
}

#[tokio::test]
async fn nginx_is_passed_by_no_detour() {
    let Some((_nginx, front)) = start().await else { return };
    front.is_passed_by_no_detour().await;
}

#[tokio::test]
async fn nginx_closes_without_wxgate() {
    let Some((_nginx, front)) = start().await else { return };
    front.closes_without_wxgate().await;
}
