//! A service that knows nothing of WeChat: it answers with what it was sent.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::Bytes;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The service while it runs; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Echo {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Echo {
    /// Listens on a free port and serves.
    pub(super) async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let routes = Router::new().fallback(echo);
        let serving = tokio::spawn(async move {
            // It ends with the task; accept errors are retried inside.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { address, serving })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn echo(head: Parts, body: Bytes) -> Response {
    let mut headers = Map::new();
    for (name, value) in &head.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let lines = headers.entry(name.as_str()).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(lines) = lines {
            lines.push(value.into());
        }
    }
    for lines in headers.values_mut() {
        if let Value::Array(several) = lines
            && let [one] = several.as_mut_slice()
        {
            *lines = one.take();
        }
    }
    let seen = json!({
        "method": head.method.as_str(),
        "path": head.uri.path(),
        "query": head.uri.query(),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    });
    let text = serde_json::to_string_pretty(&seen).unwrap_or_default() + "\n";
    ([(http::header::CONTENT_TYPE, "application/json")], text).into_response()
}
