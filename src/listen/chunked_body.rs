//! A chunked body on its way to pingora: read strictly, and its end read by itself.
//!
//! An action that reads the body and sends another one to an upstream has to leave the end to pingora, which
//! otherwise sends nothing, and the upstream waits (pingora 0.9.1 knows a body that was read by its retry
//! buffer of 64 KiB only). Where the length is not told, the end is known when it was read. So its last byte
//! is held back for one poll, in which whoever reads hears that all data has come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;

use pingora_core::protocols::Stream;

use super::chunks::Chunks;
use super::watched::{Verdict, Watch, Watched};

/// Whether all of a body's data has come; its end is still to be read.
#[derive(Clone, Debug, Default)]
pub struct BodyEnd(Arc<AtomicBool>);

impl BodyEnd {
    /// Whether it has.
    pub fn is_next(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The end of a request's chunked body; none where it is not chunked, or all of it came with the head.
pub fn end_of_body(stream: Option<&Stream>) -> Option<BodyEnd> {
    let watched = stream?.as_ref().as_any().downcast_ref::<Watched<ChunkedBody>>()?;
    let body = watched.watch();
    (body.stage == Stage::Data).then(|| body.end.clone())
}

#[derive(Debug)]
pub(super) struct ChunkedBody {
    chunks: Chunks,
    end: BodyEnd,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Data,
    /// The last byte is held back.
    Held,
    Ended,
}

impl ChunkedBody {
    /// A body that was read so far.
    pub(super) fn new(chunks: Chunks) -> Self {
        let stage = if chunks.have_ended() { Stage::Ended } else { Stage::Data };
        Self { chunks, end: BodyEnd::default(), stage }
    }

    /// All that was read before the last byte has been taken. Who reads on has it with the next poll.
    fn tell(&mut self, cx: &Context<'_>) -> Verdict {
        self.stage = Stage::Ended;
        self.end.0.store(true, Ordering::Relaxed);
        cx.waker().wake_by_ref();
        Verdict::Hold(0)
    }
}

impl Watch for ChunkedBody {
    fn read(&mut self, cx: &mut Context<'_>, read: &[u8]) -> Verdict {
        match self.stage {
            Stage::Data => match self.chunks.read(read) {
                Err(malformed) => Verdict::Refuse(malformed),
                Ok(_) if !self.chunks.have_ended() => Verdict::Pass,
                Ok(length) => {
                    self.stage = Stage::Held;
                    match length.saturating_sub(1) {
                        0 => self.tell(cx),
                        before_the_last => Verdict::Hold(before_the_last),
                    }
                }
            },
            Stage::Held => self.tell(cx),
            Stage::Ended => Verdict::Pass,
        }
    }
}
