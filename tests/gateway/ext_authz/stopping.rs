//! The end of a gateway that Envoy asks.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::{config, get};
use crate::support::process::Process;
use crate::upstream::Upstream;

/// Asks one question after the other over one connection, until the gateway takes leave of it. What
/// became of them, and of the connection.
async fn ask_on(at: SocketAddr, answered: UnboundedSender<()>) -> Vec<String> {
    let stream = TcpStream::connect(at).await.unwrap();
    let (calls, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut outcomes = Vec::new();
    let mut ready = calls.ready().await;
    while let Ok(mut calls) = ready {
        outcomes.push(match ask(&mut calls).await {
            Ok(status) => status,
            Err(error) => outcome("a question", &error),
        });
        // An error means that nobody counts them any more.
        let _ = answered.send(());
        ready = calls.ready().await;
    }
    outcomes.extend(ready.err().map(|error| outcome("no more", &error)));
    outcomes.push(match connection.await.unwrap() {
        Ok(()) => "left".to_owned(),
        Err(error) => outcome("the connection", &error),
    });
    outcomes
}

/// What is not begun before the gateway takes leave is for another one; everything else would be a failure.
fn outcome(of: &str, error: &h2::Error) -> String {
    match error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR) {
        true => "left".to_owned(),
        false => format!("{of}: {error:?}"),
    }
}

async fn ask(calls: &mut SendRequest<Bytes>) -> Result<String, h2::Error> {
    let call = http::Request::post("http://a/envoy.service.auth.v3.Authorization/Check");
    let call = call.header("content-type", "application/grpc").header("te", "trailers");
    let (answer, mut body) = calls.send_request(call.body(()).unwrap(), false)?;
    body.send_data(get("/public/x").framed(), true)?;
    let mut answer = answer.await?.into_body();
    while let Some(data) = answer.data().await {
        answer.flow_control().release_capacity(data?.len())?;
    }
    let trailers = answer.trailers().await?;
    let status = trailers.and_then(|it| it.get("grpc-status")?.to_str().ok().map(str::to_owned));
    Ok(status.unwrap_or_else(|| "no status".to_owned()))
}

#[tokio::test]
async fn rel_06_sigterm_under_load_fails_no_check() {
    let upstream = Upstream::start().await;
    let config =
        config().variable("WECHAT", "http://127.0.0.1:1").variable("UPSTREAM", upstream.url());
    let mut process = Process::quiet(&config).await;
    let at = process.ext_authz();
    let (answered, mut answers) = unbounded_channel();
    let clients: Vec<_> = (0..16).map(|_| tokio::spawn(ask_on(at, answered.clone()))).collect();
    for _ in 0..500 {
        answers.recv().await.unwrap();
    }
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
    let mut counted = BTreeMap::<String, usize>::new();
    for client in clients {
        for outcome in client.await.unwrap() {
            *counted.entry(outcome).or_default() += 1;
        }
    }
    assert_eq!(counted.keys().collect::<Vec<_>>(), ["0", "left"], "{counted:?}");
}
