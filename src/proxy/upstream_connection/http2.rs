//! A request over HTTP/2 and its answer, on one of pingora's connections.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Method, StatusCode};
use pingora_core::protocols::http::HttpTask;
use pingora_core::protocols::http::v2::client::Http2Session;
use pingora_error::{Error, ErrorType, OrErr};
use pingora_http::RequestHeader;

use super::waiting::Waiting;
use super::{Fault, Patience};

type Body = h2::SendStream<Bytes>;

/// A stream for one request.
pub(in crate::proxy) struct Http2 {
    session: Http2Session,
    body: Option<Body>,
    outbox: Option<Part>,
    is_whole: bool,
    is_refused: bool,
    expects: Expects,
    patience: Patience,
    pub(super) waiting: Waiting,
}

/// A part of the request's body.
struct Part {
    data: Bytes,
    ends: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expects {
    Head,
    Body,
    Trailers,
    Nothing,
}

impl std::fmt::Debug for Http2 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http2").field("expects", &self.expects).finish_non_exhaustive()
    }
}

impl Http2 {
    /// Sends the head, and the end of the request with it where it has no body.
    pub(in crate::proxy) fn new(
        mut session: Http2Session,
        patience: Patience,
        head: RequestHeader,
        ends: bool,
    ) -> Result<Self, Fault> {
        session.write_request_header(Box::new(head), ends).map_err(Fault::Http2)?;
        let body = session.take_request_body_writer();
        Ok(Self {
            session,
            body,
            outbox: None,
            is_whole: ends,
            is_refused: false,
            expects: Expects::Head,
            patience,
            waiting: Waiting::default(),
        })
    }

    /// Whether the server still takes the request, as far as is known.
    pub(super) fn takes_body(&self) -> bool {
        !self.is_refused
    }

    /// Whether another part of the body may be sent.
    pub(super) fn has_room(&self) -> bool {
        self.outbox.is_none()
    }

    /// Sends a part of the body, for which there is room; with the last one the request is whole.
    pub(super) fn send(&mut self, data: Bytes, ends: bool) {
        if !self.is_whole && (ends || !data.is_empty()) {
            self.is_whole = ends;
            self.outbox = Some(Part { data, ends });
            self.waiting.begin_anew();
        }
    }

    /// The stream, which goes back to its connection.
    pub(in crate::proxy) fn into_session(self) -> Http2Session {
        self.session
    }

    /// What came of the answer; nothing where there is room for more of the request again.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<HttpTask>, Fault>> {
        let was_full = !self.has_room();
        self.poll_write(cx);
        let mut parts = Vec::new();
        while self.expects != Expects::Nothing {
            match self.poll_part(cx) {
                Poll::Ready(Ok(part)) => parts.extend(part),
                Poll::Ready(Err(error)) => match parts.is_empty() {
                    true => return Poll::Ready(Err(Fault::Http2(error))),
                    // What came before goes on first.
                    false => parts.push(HttpTask::Failed(error)),
                },
                Poll::Pending => break,
            }
            if parts.len() >= 4 || matches!(parts.last(), Some(HttpTask::Failed(_))) {
                break;
            }
        }
        if !parts.is_empty() {
            self.waiting.begin_anew();
            return Poll::Ready(Ok(parts));
        }
        if was_full && self.has_room() && !self.is_whole {
            return Poll::Ready(Ok(Vec::new()));
        }
        if self.waiting.is_over(&mut self.patience, cx) {
            return Poll::Ready(match (self.has_room(), self.expects) {
                (true, _) => Err(Fault::Late),
                // It has said what it had to say.
                (false, Expects::Nothing) => {
                    (self.is_refused, self.outbox) = (true, None);
                    Ok(Vec::new())
                }
                (false, _) => Err(Fault::TakesNothing),
            });
        }
        Poll::Pending
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) {
        let (Some(body), Some(part)) = (&mut self.body, &mut self.outbox) else { return };
        match poll_send(body, part, cx) {
            Poll::Pending => {}
            Poll::Ready(sent) => {
                self.is_refused |= sent.is_err();
                self.outbox = None;
                self.waiting.begin_anew();
            }
        }
    }

    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<HttpTask>, Box<Error>>> {
        match self.expects {
            Expects::Nothing => Poll::Ready(Ok(None)),
            Expects::Head => {
                ready!(pin!(self.session.read_response_header()).poll(cx))?;
                Poll::Ready(self.head().map(Some))
            }
            Expects::Body => {
                let Some(data) = ready!(pin!(self.session.read_response_body()).poll(cx))? else {
                    self.expects = Expects::Trailers;
                    return Poll::Ready(Ok(None));
                };
                let ends = self.session.check_response_end_or_error()?;
                self.end_if(ends);
                // Nothing would be the last chunk to a client of HTTP/1.1.
                let is_part = ends || !data.is_empty();
                Poll::Ready(Ok(is_part.then_some(HttpTask::Body(Some(data), ends))))
            }
            Expects::Trailers => {
                let trailers = ready!(pin!(self.session.read_trailers()).poll(cx))?;
                self.expects = Expects::Nothing;
                let trailers = trailers.map(|trailers| HttpTask::Trailer(Some(Box::new(trailers))));
                Poll::Ready(Ok(Some(trailers.unwrap_or(HttpTask::Done))))
            }
        }
    }

    fn end_if(&mut self, ends: bool) {
        if ends {
            self.expects = Expects::Nothing;
        }
    }

    /// The head that has come. h2 does not look for data that a length promises after a head that was the
    /// end (RFC 9113, 8.1.1).
    fn head(&mut self) -> Result<HttpTask, Box<Error>> {
        self.expects = Expects::Body;
        let Some(head) = self.session.response_header().cloned() else {
            return Error::e_explain(ErrorType::H2Error, "no head");
        };
        let ends = self.session.check_response_end_or_error()?;
        self.end_if(ends);
        let is_to_head =
            self.session.request_header().is_some_and(|request| request.method == Method::HEAD);
        let has_none = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let length = head.headers.get(CONTENT_LENGTH);
        let promises = length.is_some_and(|length| length.as_bytes().iter().any(|it| *it != b'0'));
        if ends && promises && !is_to_head && !has_none {
            return Error::e_explain(ErrorType::H2Error, "less data than its length says");
        }
        Ok(HttpTask::Header(Box::new(head), ends))
    }
}

/// Sends as much as the server has room for, until all is sent.
fn poll_send(
    body: &mut Body,
    part: &mut Part,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Box<Error>>> {
    let failed = || "while sending a request's body";
    while !part.data.is_empty() {
        body.reserve_capacity(part.data.len());
        let room = match ready!(body.poll_capacity(cx)) {
            Some(room) => room.or_err(ErrorType::WriteError, failed())?,
            None => return Poll::Ready(Error::e_explain(ErrorType::WriteError, failed())),
        };
        let data = part.data.split_to(room.min(part.data.len()));
        let ends = part.ends && part.data.is_empty();
        body.send_data(data, ends).or_err(ErrorType::WriteError, failed())?;
        if ends {
            return Poll::Ready(Ok(()));
        }
    }
    if part.ends {
        body.send_data(Bytes::new(), true).or_err(ErrorType::WriteError, failed())?;
    }
    Poll::Ready(Ok(()))
}
