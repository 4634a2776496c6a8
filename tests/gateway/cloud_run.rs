//! A service written for WeChat Cloud Run works behind the gateway unchanged.

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::packages::{folder_with, start};
use crate::support::config::Config;
use crate::support::gateway::Gateway;

/// The service, which prints its port; killed when the child is dropped.
async fn service(folder: &TempDir) -> Option<(Child, String)> {
    let mut service = start(folder, &["node", "service.js"])?;
    let mut lines = BufReader::new(service.stdout.take().unwrap()).lines();
    let port = lines.next_line().await.unwrap().expect("the service prints its port");
    Some((service, format!("http://127.0.0.1:{port}")))
}

#[tokio::test]
async fn the_official_sample_answers_with_the_openid() {
    let folder = folder_with("cloud-run");
    let Some((_service, url)) = service(&folder).await else { return };
    let config = Config::default()
        .variable("UPSTREAM", url)
        .route(r#"path = "/api/wx_openid", upstream = "shop", auth = "optional""#);
    let gateway = Gateway::with(config).await;
    let token = gateway.log_in("alice").await;
    let answer = gateway.get("/api/wx_openid").token(&token).await;
    assert_eq!((answer.status, answer.text()), (200, gateway.wechat.openid("alice")));

    // It believes whoever sends the header: nobody but the gateway can.
    for header in ["X-WX-SOURCE", "x_wx_source", "X.WX.SOURCE"] {
        let request = gateway.get("/api/wx_openid").header(header, "wx_client");
        let answer = request.header("X-WX-OPENID", "oFORGED").await;
        assert_eq!((answer.status, answer.text().as_str()), (403, "not from WeChat"), "{header}");
    }
}
