//! A service of gRPC, as far as a gateway sees it: HTTP/2, messages in both directions, trailers.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::{BufMut, Bytes, BytesMut};
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use tokio::net::TcpListener;

/// It sends back every message as it comes, and says at the end that all is well.
pub(crate) struct GrpcServer {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<HeaderMap>>>,
}

impl GrpcServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<HeaderMap>>>::default();
        let all = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let all = all.clone();
                tokio::spawn(async move {
                    let mut connection = h2::server::handshake(stream).await.ok()?;
                    while let Some(Ok((request, respond))) = connection.accept().await {
                        all.lock().unwrap().push(request.headers().clone());
                        tokio::spawn(serve(request, respond));
                    }
                    Some(())
                });
            }
        });
        Self { address, seen }
    }

    /// The headers of the last request.
    pub(crate) fn last(&self) -> HeaderMap {
        self.seen.lock().unwrap().last().cloned().expect("a request")
    }
}

async fn serve(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) -> Option<()> {
    let head = Response::builder().header("content-type", "application/grpc");
    if request.uri().path().ends_with("/Refuse") {
        let head = head.header("grpc-status", "5").header("grpc-message", "no such thing");
        respond.send_response(head.body(()).unwrap(), true).ok()?;
        return Some(());
    }
    let mut back = respond.send_response(head.body(()).unwrap(), false).ok()?;
    let mut body = request.into_body();
    while let Some(data) = body.data().await {
        let data = data.ok()?;
        body.flow_control().release_capacity(data.len()).ok()?;
        back.send_data(data, false).ok()?;
    }
    let sent = body.trailers().await.ok()?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    trailers.insert("x-seen-trailers", sent.is_some().to_string().parse().unwrap());
    back.send_trailers(trailers).ok()
}

/// A message with its prefix: not compressed, and its length.
pub(crate) fn message(text: &str) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(text.len().try_into().unwrap());
    bytes.put_slice(text.as_bytes());
    bytes.freeze()
}
