//! A server that speaks nothing but HTTP/2.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub(crate) struct Http2Server {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Http2Server {
    /// Answers with the method, the authority and the path; `/hang` never.
    pub(crate) async fn start(tls: Option<rustls::ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::<AtomicUsize>::default();
        let requests = Arc::<AtomicUsize>::default();
        let (count, asked) = (connections.clone(), requests.clone());
        let tls = tls.map(|mut tls| {
            tls.alpn_protocols = vec![b"h2".to_vec()];
            TlsAcceptor::from(Arc::new(tls))
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (tls, asked) = (tls.clone(), asked.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, asked).await,
                        Some(tls) => serve(tls.accept(stream).await.ok()?, asked).await,
                    }
                });
            }
        });
        Self { address, connections, requests }
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    requests: Arc<AtomicUsize>,
) -> Option<()> {
    let mut connection = h2::server::handshake(stream).await.ok()?;
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        requests.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            let (request, mut body) = request.into_parts();
            if request.uri.path() == "/slow" {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            if request.uri.path() == "/hang" {
                std::future::pending::<()>().await;
            }
            if request.uri.path() == "/wait" {
                while let Some(Ok(_)) = body.data().await {}
            }
            let uri = &request.uri;
            let authority = uri.authority().map_or("-", |authority| authority.as_str());
            let text = format!("{} {authority} {}", request.method, uri.path());
            if uri.path() == "/refused" {
                return respond.send_reset(h2::Reason::REFUSED_STREAM);
            }
            if let Ok(mut body) = respond.send_response(http::Response::new(()), false) {
                let _ = body.send_data(Bytes::from(text), true);
            }
        });
    }
    Some(())
}
