//! Clients of HTTP/1.0, which do not know all that others do: health checks, scripts, old programs.

use http::Version;
use http::header::CONNECTION;
use pingora_core::protocols::http::ServerSession;

/// Prepares for a request of one. What says only that more will come would be its answer (RFC 9110, 15.2), and
/// its connection goes on where it asks for that: it reads to the end else, and would wait for it (RFC 9112, 9.3).
pub(super) fn prepare(session: &mut ServerSession) {
    let ServerSession::H1(session) = session else { return };
    let head = session.req_header();
    if head.version != Version::HTTP_10 {
        return;
    }
    let lines = head.headers.get_all(CONNECTION).iter();
    let mut tokens = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    if !tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"keep-alive")) {
        session.set_server_keepalive(None);
    }
    session.set_ignore_info_resp(true);
}
