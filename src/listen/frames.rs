//! What an HTTP/2 client may send that costs it nothing and the gateway something.
//!
//! h2 itself bounds CONTINUATION and empty DATA frames, header lists, resets of streams that nobody has
//! taken yet, and those that a client provokes (CVE-2024-27316, CVE-2025-8671). It does not bound
//! resets of streams that were taken (CVE-2023-44487) nor the frames that it answers itself
//! (CVE-2019-9512, CVE-2019-9515) or ignores, and gives half a frame all the time that there is.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use super::head::HTTP2_PREFACE;
use super::watched::{Verdict, Watch};
use crate::policy::limits::LINGER;

/// For how long frames are counted together.
const WINDOW: Duration = Duration::from_secs(10);
/// Frames of one kind that are taken in a window.
const ALLOWED: [(u8, u32); 4] = [(RESET, 200), (SETTINGS, 50), (PING, 200), (WINDOW_UPDATE, 200)];
/// Of all others that carry no request: PRIORITY, GOAWAY, and what nobody knows.
const OTHERS_ALLOWED: u32 = 200;
/// One more PING or WINDOW_UPDATE for so many bytes of answers: clients measure and allow by them.
const BYTES_FOR_ONE: u64 = 1 << 10;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;
const HEADER_SIZE: usize = 9;

/// More than the CONTINUATION frames that h2 takes of one header block, whatever `header_size` is.
const TOO_MANY: usize = 256;

/// How far the frames of a connection have been read, and how many there were of late.
#[derive(Debug)]
pub(super) struct Frames {
    preface_left: usize,
    header: [u8; HEADER_SIZE],
    header_read: usize,
    payload_left: usize,
    /// The fields of a request began and go on in the next frame.
    in_header_block: bool,
    began: Instant,
    /// How many there were of each kind that is [`ALLOWED`], and then of the others.
    counts: [u32; ALLOWED.len() + 1],
    written: u64,
    condemned: bool,
    /// For what is not to be left half done.
    patience: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Frames {
    /// Those of a new connection, whose preface, and each request after it, have to come in this time.
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            preface_left: HTTP2_PREFACE.len(),
            header: [0; HEADER_SIZE],
            header_read: 0,
            payload_left: 0,
            in_header_block: false,
            began: Instant::now(),
            counts: [0; ALLOWED.len() + 1],
            written: 0,
            condemned: false,
            patience,
            deadline: Some(Box::pin(sleep(patience))),
        }
    }

    /// Reads on, and tells after how many bytes the connection has to end.
    fn count(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let skipped = rest.len().min(self.preface_left + self.payload_left);
            if skipped > 0 {
                rest = rest.get(skipped..).unwrap_or_default();
                // The preface and a payload are never both awaited.
                self.preface_left = self.preface_left.saturating_sub(skipped);
                self.payload_left = self.payload_left.saturating_sub(skipped);
            } else if let [byte, after @ ..] = rest {
                rest = after;
                if let Some(place) = self.header.get_mut(self.header_read) {
                    *place = *byte;
                }
                self.header_read += 1;
                if self.header_read == HEADER_SIZE {
                    self.header_read = 0;
                    self.begin_frame();
                }
            }
            if self.condemned && self.header_read == 0 && self.payload_left == 0 {
                return Some(bytes.len() - rest.len());
            }
        }
        None
    }

    fn begin_frame(&mut self) {
        let [a, b, c, kind, flags, ..] = self.header;
        self.payload_left = u32::from_be_bytes([0, a, b, c]) as usize;
        match kind {
            HEADERS | CONTINUATION => self.in_header_block = flags & END_HEADERS == 0,
            DATA => {}
            _ => self.count_frame(kind),
        }
    }

    fn count_frame(&mut self, kind: u8) {
        if self.began.elapsed() > WINDOW {
            self.began = Instant::now();
            self.counts = Default::default();
            self.written = 0;
        }
        let place = ALLOWED.iter().position(|(known, _)| *known == kind);
        let place = place.unwrap_or(ALLOWED.len());
        let allowed = ALLOWED.get(place).map_or(OTHERS_ALLOWED, |(_, allowed)| *allowed);
        let earned = match kind {
            PING | WINDOW_UPDATE => self.written / BYTES_FOR_ONE,
            _ => 0,
        };
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
            self.condemned |= u64::from(*count) > u64::from(allowed) + earned;
        }
    }

    /// Whether something was begun that its reader waits for. What is left of DATA is for the request.
    fn is_half_done(&self) -> bool {
        let in_data = matches!(self.header, [_, _, _, DATA, ..]);
        self.preface_left > 0
            || self.header_read > 0
            || self.in_header_block
            || (self.payload_left > 0 && !in_data)
    }
}

impl Watch for Frames {
    fn read(&mut self, cx: &mut Context<'_>, read: &[u8]) -> Verdict {
        let end = self.count(read);
        if self.condemned {
            self.deadline = Some(Box::pin(sleep(LINGER)));
        } else if !self.is_half_done() {
            self.deadline = None;
        } else if self.deadline.is_none() {
            self.deadline = Some(Box::pin(sleep(self.patience)));
        }
        // So that it wakes who reads, who will be asked to read again only then.
        let _ = self.too_late(cx);
        end.map_or(Verdict::Pass, |end| Verdict::Replace(end, too_many_continuations()))
    }

    fn too_late(&mut self, cx: &mut Context<'_>) -> bool {
        self.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready())
    }

    fn wrote(&mut self, length: usize) {
        self.written += length as u64;
    }

    /// A client that takes the rest of its answers says so, frame by frame.
    fn hears_out(&mut self) -> bool {
        self.deadline = Some(Box::pin(sleep(LINGER)));
        true
    }
}

/// What makes h2 take leave with GOAWAY and ENHANCE_YOUR_CALM: a header block that never ends. Nothing
/// else reaches its way of ending a connection in order from here.
fn too_many_continuations() -> Vec<u8> {
    let frame = |kind| [0, 0, 0, kind, 0, 0, 0, 0, 1];
    let mut frames = frame(HEADERS).to_vec();
    frames.extend(frame(CONTINUATION).repeat(TOO_MANY));
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let [_, a, b, c] = u32::try_from(payload).unwrap().to_be_bytes();
        [vec![a, b, c, kind, flags, 0, 0, 0, 1], vec![0xff; payload]].concat()
    }

    fn after_the_preface() -> Frames {
        let mut frames = Frames::new(Duration::from_secs(10));
        assert_eq!(frames.count(HTTP2_PREFACE), None);
        frames
    }

    #[tokio::test]
    async fn a_kind_of_frame_is_counted_however_it_is_cut() {
        for (kind, allowed) in ALLOWED.into_iter().chain([(2, OTHERS_ALLOWED), (99, 200)]) {
            for piece in [1, 7, 13, 1000] {
                let mut frames = after_the_preface();
                let fine = frame(kind, 0, 4).repeat(allowed as usize);
                assert!(fine.chunks(piece).all(|piece| frames.count(piece).is_none()));
                let more = frame(kind, 0, 4).repeat(2);
                let ends: Vec<_> = more.chunks(piece).map(|piece| frames.count(piece)).collect();
                let end = ends.iter().position(Option::is_some).unwrap();
                // At the end of the frame that is one too many.
                assert_eq!(end * piece + ends[end].unwrap(), 13, "{kind} in pieces of {piece}");
            }
        }
    }

    #[tokio::test]
    async fn answers_earn_pings_and_window_updates() {
        for (kind, more) in [(PING, true), (WINDOW_UPDATE, true), (RESET, false), (SETTINGS, false)]
        {
            let mut frames = after_the_preface();
            frames.wrote(1 << 20);
            let end = frames.count(&frame(kind, 0, 8).repeat(1000));
            assert_eq!(end.is_none(), more, "{kind}");
        }
    }

    #[tokio::test]
    async fn requests_and_bodies_are_no_control_frames() {
        let mut frames = after_the_preface();
        let request = [frame(HEADERS, END_HEADERS, 20), frame(DATA, 0, 16 << 10)].concat();
        assert_eq!(frames.count(&request.repeat(1000)), None);
        assert!(!frames.is_half_done());
    }

    #[tokio::test]
    async fn what_is_begun_has_to_be_ended() {
        let half_done = |bytes: &[u8]| {
            let mut frames = after_the_preface();
            frames.count(bytes);
            frames.is_half_done()
        };
        assert!(Frames::new(Duration::ZERO).is_half_done());
        assert!(half_done(&frame(HEADERS, 0, 5)));
        assert!(half_done(&frame(PING, 0, 8)[..8]));
        assert!(half_done(&frame(PING, 0, 8)[..16]));
        assert!(!half_done(&frame(DATA, 0, 8)[..16]));
        assert!(!half_done(&[frame(HEADERS, 0, 5), frame(CONTINUATION, END_HEADERS, 5)].concat()));
    }
}
