//! Envoy's side of `envoy.service.auth.v3`, as far as the tests speak it.

use std::collections::HashMap;
use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

use crate::support::request::client;

#[derive(Clone, PartialEq, Message)]
struct CheckRequest {
    #[prost(message, optional, tag = "1")]
    attributes: Option<Attributes>,
}

#[derive(Clone, PartialEq, Message)]
struct Attributes {
    #[prost(message, optional, tag = "1")]
    source: Option<Peer>,
    #[prost(message, optional, tag = "4")]
    request: Option<Request>,
}

#[derive(Clone, PartialEq, Message)]
struct Peer {
    #[prost(message, optional, tag = "1")]
    address: Option<Address>,
}

#[derive(Clone, PartialEq, Message)]
struct Address {
    #[prost(message, optional, tag = "1")]
    socket_address: Option<Socket>,
}

#[derive(Clone, PartialEq, Message)]
struct Socket {
    #[prost(string, tag = "2")]
    address: String,
    #[prost(uint32, tag = "3")]
    port: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(message, optional, tag = "2")]
    http: Option<Http>,
}

#[derive(Clone, PartialEq, Message)]
struct Http {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, tag = "2")]
    method: String,
    #[prost(map = "string, string", tag = "3")]
    headers: HashMap<String, String>,
    #[prost(bytes = "vec", tag = "4")]
    path: Vec<u8>,
    #[prost(string, tag = "5")]
    host: String,
    #[prost(string, tag = "6")]
    scheme: String,
    #[prost(message, optional, tag = "13")]
    header_map: Option<HeaderMap>,
}

#[derive(Clone, PartialEq, Message)]
struct HeaderMap {
    #[prost(message, repeated, tag = "1")]
    headers: Vec<Header>,
}

#[derive(Clone, PartialEq, Message)]
struct Header {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
    #[prost(bytes = "vec", tag = "3")]
    raw_value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct HeaderOption {
    #[prost(message, optional, tag = "1")]
    header: Option<Header>,
    #[prost(int32, tag = "3")]
    append_action: i32,
}

#[derive(Clone, PartialEq, Message)]
struct CheckResponse {
    #[prost(message, optional, tag = "1")]
    status: Option<Code>,
    #[prost(message, optional, tag = "2")]
    denied: Option<Denied>,
    #[prost(message, optional, tag = "3")]
    ok: Option<Passed>,
}

#[derive(Clone, PartialEq, Message)]
struct Code {
    #[prost(int32, tag = "1")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Denied {
    #[prost(message, optional, tag = "1")]
    status: Option<Code>,
    #[prost(message, repeated, tag = "2")]
    headers: Vec<HeaderOption>,
    #[prost(string, tag = "3")]
    body: String,
}

#[derive(Clone, PartialEq, Message)]
struct Passed {
    #[prost(message, repeated, tag = "2")]
    headers: Vec<HeaderOption>,
    #[prost(string, repeated, tag = "5")]
    headers_to_remove: Vec<String>,
    #[prost(message, repeated, tag = "6")]
    response_headers: Vec<HeaderOption>,
    #[prost(string, repeated, tag = "8")]
    query_parameters_to_remove: Vec<String>,
}

/// A request that Envoy asks about.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    http: Http,
    source: Option<String>,
    /// What the call itself shows.
    call: Vec<(&'static str, String)>,
}

/// What becomes of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdict {
    /// 200 where it goes on.
    pub(super) status: i32,
    /// Set on the request, or on the answer where it is denied.
    pub(super) headers: HashMap<String, String>,
    pub(super) removed: Vec<String>,
    pub(super) answer_headers: HashMap<String, String>,
    pub(super) parameters_removed: Vec<String>,
    pub(super) body: String,
}

impl Asked {
    pub(super) fn of(method: &str, path: &str) -> Self {
        let http = Http {
            method: method.to_owned(),
            path: path.as_bytes().to_vec(),
            host: "shop.example.com".to_owned(),
            scheme: "http".to_owned(),
            ..Http::default()
        };
        let asked = Self { http, source: Some("192.0.2.7".to_owned()), call: Vec::new() };
        // Envoy's own names stand among the headers.
        asked.header(":method", method).header(":path", path).header(":authority", "a")
    }

    pub(super) fn path(mut self, path: &[u8]) -> Self {
        self.http.path = path.to_vec();
        self
    }

    pub(super) fn host(mut self, host: &str) -> Self {
        self.http.host = host.to_owned();
        self
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.http.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// As `encode_raw_headers` has them.
    pub(super) fn raw_header(mut self, name: &str, value: &[u8]) -> Self {
        let (key, raw_value) = (name.to_owned(), value.to_vec());
        let header = Header { key, raw_value, value: String::new() };
        self.http.header_map.get_or_insert_default().headers.push(header);
        self
    }

    pub(super) fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(super) fn from(mut self, address: &str) -> Self {
        self.source = Some(address.to_owned());
        self
    }

    pub(super) fn showing(mut self, name: &'static str, value: &str) -> Self {
        self.call.push((name, value.to_owned()));
        self
    }

    fn message(&self) -> Vec<u8> {
        let socket = |address: &String| Socket { address: address.clone(), port: 4711 };
        let source = self.source.as_ref().map(|address| Peer {
            address: Some(Address { socket_address: Some(socket(address)) }),
        });
        let request = Some(Request { http: Some(self.http.clone()) });
        CheckRequest { attributes: Some(Attributes { source, request }) }.encode_to_vec()
    }

    /// The body of the call.
    pub(super) fn framed(&self) -> Bytes {
        framed(&self.message())
    }

    /// What the gateway at this address decides.
    pub(super) async fn ask(&self, address: SocketAddr) -> Verdict {
        let (status, message) = call(address, "Check", &self.message(), &self.call).await;
        assert_eq!(status, None, "{self:?}");
        Verdict::of(CheckResponse::decode(message.as_slice()).unwrap())
    }

    /// The gRPC status with which the call itself fails.
    pub(super) async fn failure(&self, address: SocketAddr) -> Option<String> {
        call(address, "Check", &self.message(), &self.call).await.0
    }
}

/// A message as gRPC has it in a body.
fn framed(message: &[u8]) -> Bytes {
    let mut body = BytesMut::new();
    body.put_u8(0);
    body.put_u32(message.len().try_into().unwrap());
    body.put_slice(message);
    body.freeze()
}

/// A unary call, by gRPC's own bytes: its failure, or its answer.
pub(super) async fn call(
    address: SocketAddr,
    method: &str,
    message: &[u8],
    headers: &[(&str, String)],
) -> (Option<String>, Vec<u8>) {
    let url = format!("http://{address}/envoy.service.auth.v3.Authorization/{method}");
    let mut request = client(true).post(url).header("content-type", "application/grpc");
    request = request.header("te", "trailers").body(framed(message));
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let answer = request.send().await.unwrap();
    let failed = answer.headers().get("grpc-status").map(|it| it.to_str().unwrap().to_owned());
    let body = answer.bytes().await.unwrap();
    (failed, body.get(5..).unwrap_or_default().to_vec())
}

impl Verdict {
    fn of(response: CheckResponse) -> Self {
        let code = response.status.unwrap_or_default().code;
        let mut verdict = match (response.ok, response.denied) {
            (Some(ok), None) => {
                assert_eq!(code, 0);
                Self {
                    status: 200,
                    headers: texts(ok.headers),
                    removed: ok.headers_to_remove,
                    answer_headers: texts(ok.response_headers),
                    parameters_removed: ok.query_parameters_to_remove,
                    body: String::new(),
                }
            }
            (None, Some(denied)) => {
                assert_ne!(code, 0, "Envoy would let it through");
                Self {
                    status: denied.status.unwrap().code,
                    headers: texts(denied.headers),
                    body: denied.body,
                    ..Self::default()
                }
            }
            other => panic!("{other:?}"),
        };
        verdict.removed.sort();
        verdict
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The stable code of a problem document.
    pub(super) fn code(&self) -> String {
        let problem: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        problem["code"].as_str().unwrap().to_owned()
    }

    pub(super) fn removes(&self, name: &str) -> bool {
        self.removed.iter().any(|removed| removed == name)
    }
}

/// Each of a name of its own, in the place of what was there.
fn texts(options: Vec<HeaderOption>) -> HashMap<String, String> {
    const OVERWRITE_IF_EXISTS_OR_ADD: i32 = 2;
    let text = |option: HeaderOption| {
        let header = option.header.unwrap();
        if header.key != "vary" {
            assert_eq!(option.append_action, OVERWRITE_IF_EXISTS_OR_ADD, "{header:?}");
        }
        (header.key, header.value)
    };
    let count = options.len();
    let texts: HashMap<_, _> = options.into_iter().map(text).collect();
    assert_eq!(texts.len(), count);
    texts
}
