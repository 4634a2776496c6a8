//! gRPC through the gateway: HTTP/2 to it, with and without TLS, and HTTP/2 to the service behind it.

use std::sync::Arc;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::certificates::Authority;
use crate::support::PATIENCE;
use crate::support::gateway::{Gateway, file};
use crate::support::grpc::{GrpcServer, message};

const NAME: &str = "gateway.test";

struct House {
    service: GrpcServer,
    gateway: Gateway,
    authority: Authority,
    _folder: tempfile::TempDir,
}

impl House {
    async fn open() -> Self {
        let (service, authority) = (GrpcServer::start().await, Authority::new());
        let folder = tempfile::tempdir().unwrap();
        authority.sign(NAME).write(&folder.path().join("tls.crt"), &folder.path().join("tls.key"));
        let listen = r#"["127.0.0.1:0", { address = "127.0.0.1:0", tls = { cert = "tls.crt", key = "tls.key" } }]"#;
        let text = file(&[format!("h2c://{}", service.address)], "", "");
        let text = text.replace(r#"["127.0.0.1:0"]"#, listen)
            + "[[routes]]\npath = \"/logout\"\naction = \"logout\"\n[identity.assertion]\n";
        let gateway = Gateway::reading(&text, folder.path()).await;
        Self { service, gateway, authority, _folder: folder }
    }

    /// A client on the plain listener, and one on that with TLS.
    async fn clients(&self) -> [(SendRequest<Bytes>, &'static str); 2] {
        let plain = TcpStream::connect(self.gateway.address).await.unwrap();
        let secure = TcpStream::connect(self.gateway.listener(1)).await.unwrap();
        let config = Arc::new(self.authority.client(&["h2"], None));
        let name = ServerName::try_from(NAME).unwrap();
        let secure = TlsConnector::from(config).connect(name, secure).await.unwrap();
        assert_eq!(secure.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (plain, driving) = h2::client::handshake(plain).await.unwrap();
        tokio::spawn(driving);
        let (secure, driving) = h2::client::handshake(secure).await.unwrap();
        tokio::spawn(driving);
        [(plain, "http"), (secure, "https")]
    }
}

/// A call that has begun.
struct Call {
    there: SendStream<Bytes>,
    head: Response<()>,
    back: RecvStream,
}

impl Call {
    async fn begin(
        client: &mut SendRequest<Bytes>,
        scheme: &str,
        method: &str,
        token: Option<&str>,
    ) -> Self {
        let request = Request::post(format!("{scheme}://{NAME}/echo.Echo/{method}"))
            .header("content-type", "application/grpc+proto")
            .header("te", "trailers")
            .header("proxy-authorization", "Basic eDp5")
            .header("grpc-timeout", "10S");
        let request = match token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        let (head, there) = client.send_request(request.body(()).unwrap(), false).unwrap();
        let (head, back) = timeout(PATIENCE, head).await.unwrap().unwrap().into_parts();
        Self { there, head: Response::from_parts(head, ()), back }
    }

    fn send(&mut self, text: &str, last: bool) {
        self.there.send_data(message(text), last).unwrap();
    }

    async fn next(&mut self) -> Result<Bytes, h2::Error> {
        let data = timeout(PATIENCE, self.back.data()).await.unwrap().expect("a message")?;
        self.back.flow_control().release_capacity(data.len()).unwrap();
        Ok(data)
    }

    async fn trailers(&mut self) -> HeaderMap {
        assert!(timeout(PATIENCE, self.back.data()).await.unwrap().is_none(), "no more messages");
        self.back.trailers().await.unwrap().expect("trailers")
    }
}

#[tokio::test]
async fn a_unary_call_has_its_answer_and_its_trailers() {
    let house = House::open().await;
    for (mut client, scheme) in house.clients().await {
        client = client.ready().await.unwrap();
        let mut call = Call::begin(&mut client, scheme, "Unary", None).await;
        assert_eq!(call.head.headers()["content-type"], "application/grpc");
        call.send("hello", true);
        assert_eq!(call.next().await.unwrap(), message("hello"));
        assert_eq!(call.trailers().await["grpc-status"], "0");
        let seen = house.service.last();
        assert_eq!(seen["te"], "trailers", "gRPC asks for it");
        assert!(!seen.contains_key("proxy-authorization"), "it is the gateway's, or nobody's");
        assert_eq!(seen["grpc-timeout"], "10S");
        assert_eq!(seen["x-forwarded-proto"], scheme);
    }
}

#[tokio::test]
async fn a_call_of_a_user_is_signed_once() {
    let house = House::open().await;
    let token = house.gateway.log_in("alice").await;
    for (mut client, scheme) in house.clients().await {
        for token in [Some(token.as_str()), None] {
            let mut call = Call::begin(&mut client, scheme, "Unary", token).await;
            call.send("hello", true);
            assert_eq!(call.next().await.unwrap(), message("hello"));
            let seen = house.service.last();
            let signed = usize::from(token.is_some());
            assert_eq!(seen.get_all("x-wx-assertion").iter().count(), signed);
            assert_eq!(seen.get_all("x-wx-openid").iter().count(), signed);
        }
    }
}

#[tokio::test]
async fn a_call_that_is_refused_has_its_status() {
    let house = House::open().await;
    for (mut client, scheme) in house.clients().await {
        let call = Call::begin(&mut client, scheme, "Refuse", None).await;
        assert_eq!(call.head.headers()["grpc-status"], "5");
        assert_eq!(call.head.headers()["grpc-message"], "no such thing");
        assert!(call.back.is_end_stream());
    }
}

#[tokio::test]
async fn messages_go_both_ways_as_they_come() {
    let house = House::open().await;
    for (mut client, scheme) in house.clients().await {
        let mut call = Call::begin(&mut client, scheme, "Stream", None).await;
        for text in ["one", "two", "three"] {
            call.send(text, false);
            assert_eq!(call.next().await.unwrap(), message(text), "before the next one is sent");
        }
        call.there.send_data(Bytes::new(), true).unwrap();
        assert_eq!(call.trailers().await["grpc-status"], "0");
    }
}

#[tokio::test]
async fn a_stream_ends_with_the_session_and_the_connection_goes_on() {
    let house = House::open().await;
    for (mut client, scheme) in house.clients().await {
        let token = house.gateway.log_in("alice").await;
        let mut call = Call::begin(&mut client, scheme, "Stream", Some(&token)).await;
        call.send("one", false);
        assert_eq!(call.next().await.unwrap(), message("one"));
        let bearer = format!("Bearer {token}");
        let authorization = [("authorization", bearer.as_str())];
        let logout = house.gateway.ask(reqwest::Method::GET, "/logout", &authorization).await;
        assert_eq!(logout.status, 204);
        // The next message after it has come through here is not passed on.
        let mut passed = 0;
        let reset = loop {
            if call.there.send_data(message("two"), false).is_err() {
                break None;
            }
            match call.next().await {
                Ok(_) => passed += 1,
                Err(reset) => break reset.reason(),
            }
            assert!(passed < 2_000, "it never ends");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        };
        assert_ne!(reset, Some(h2::Reason::NO_ERROR), "it is no clean end");
        let mut other = Call::begin(&mut client, scheme, "Unary", None).await;
        other.send("hello", true);
        assert_eq!(other.next().await.unwrap(), message("hello"));
    }
}
