//! The head of an HTTP/1 request as it stands on the wire, read strictly before pingora reads it
//! leniently: one mechanism for the deadline, the size, and what two parsers may read differently. What
//! pingora would answer itself is refused here too, in the words of all refusals.

mod judge;

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Poll, ready};

use bytes::BytesMut;
use pingora_core::protocols::Stream;
use pingora_timeout::timeout;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use self::judge::{Lines, malformed};
use super::chunks::Chunks;
use crate::policy::guard::METHODS;
use crate::policy::limits::Limits;
use crate::refusal::{Reason, Refusal};

pub use self::judge::{Judged, check_whole, judge};
pub(crate) use self::judge::{check_field, has_control, is_token};

/// The preface of HTTP/2 (RFC 9113, 3.4).
pub(super) const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Enough for most heads in one read.
const READ_SIZE: usize = 4 << 10;
/// What is allocated for a head at least: most fit in.
const HEAD_CAPACITY: usize = 1 << 10;

/// What a connection begins with.
pub(super) enum Beginning {
    /// The head of an HTTP/1 request, and what came after it; and where its body is chunked, how far
    /// that was read.
    Http1(BytesMut, Option<Chunks>),
    /// The preface of HTTP/2, and what came after it.
    Http2(BytesMut),
    /// Nothing: the client went away or was silent for too long.
    Nothing,
    /// Something that is answered with this and nothing else.
    Refused(Refusal),
}

/// Waits for the next request on a connection; gives what came first of it. None where the client went
/// away.
pub(super) async fn first_bytes(stream: &mut Stream) -> Option<BytesMut> {
    let read = poll_fn(|cx| {
        // On the stack: a connection that waits holds no buffer.
        let mut buffer = [MaybeUninit::uninit(); READ_SIZE];
        let mut buffer = ReadBuf::uninit(&mut buffer);
        ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
        let mut read = BytesMut::with_capacity(HEAD_CAPACITY.max(buffer.filled().len()));
        read.extend_from_slice(buffer.filled());
        Poll::Ready(io::Result::Ok(read))
    });
    read.await.ok().filter(|read| !read.is_empty())
}

/// Reads the head of a request that begins with these bytes.
pub(super) async fn next(
    stream: &mut Stream,
    limits: &Limits,
    first: BytesMut,
    http2: bool,
) -> Beginning {
    match timeout(limits.header_timeout, read(stream, limits, first, http2)).await {
        Ok(Ok(beginning)) => beginning,
        Ok(Err(_)) => Beginning::Nothing,
        Err(_) => Beginning::Refused(Reason::RequestTimeout.into()),
    }
}

async fn read(
    stream: &mut Stream,
    limits: &Limits,
    mut head: BytesMut,
    http2: bool,
) -> io::Result<Beginning> {
    let mut checked = 0;
    loop {
        if http2 && head.starts_with(HTTP2_PREFACE) {
            return Ok(Beginning::Http2(head));
        }
        // No method begins with `PRI`, and no HTTP/1 request is shorter than the preface.
        if !(http2 && HTTP2_PREFACE.starts_with(&head)) {
            match judge(&head, &mut checked, limits) {
                Ok(Some(judged)) => {
                    let body = body_so_far(&head, judged);
                    return Ok(
                        body.map_or_else(Beginning::Refused, |it| Beginning::Http1(head, it))
                    );
                }
                Ok(None) if head.len() > limits.header_size + limits.uri_length => {
                    let in_request_line = checked == 0;
                    let reason =
                        if in_request_line { Reason::UriTooLong } else { Reason::HeadersTooLarge };
                    return Ok(Beginning::Refused(reason.into()));
                }
                Ok(None) => {}
                Err(_) if http2 && is_foreign(&head) => return Ok(Beginning::Nothing),
                Err(refusal) => return Ok(Beginning::Refused(refusal)),
            }
        }
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(Beginning::Nothing);
        }
    }
}

/// Whether a line is of neither protocol: it names no method and no HTTP. That is an invalid preface,
/// which is answered by closing (RFC 9113, 3.4).
fn is_foreign(head: &[u8]) -> bool {
    let line = Lines(head).next().unwrap_or_default();
    let names_method = METHODS.iter().any(|method| line.starts_with(method.as_str().as_bytes()));
    !names_method && memchr::memmem::find(line, b"HTTP/").is_none()
}

/// What of a chunked body came with its head, read.
fn body_so_far(read: &[u8], head: Judged) -> Result<Option<Chunks>, Refusal> {
    if !head.chunked {
        return Ok(None);
    }
    let mut chunks = Chunks::default();
    match chunks.read(read.get(head.end..).unwrap_or_default()) {
        Ok(_) => Ok(Some(chunks)),
        Err(note) => malformed(note),
    }
}
