//! A chunked body on its way to pingora, which reads it leniently: read strictly before.

use std::task::Context;

use super::chunks::Chunks;
use super::watched::{Verdict, Watch};

#[derive(Debug)]
pub(super) struct ChunkedBody(Chunks);

impl ChunkedBody {
    /// A body that was read so far.
    pub(super) fn new(chunks: Chunks) -> Self {
        Self(chunks)
    }
}

impl Watch for ChunkedBody {
    fn read(&mut self, _: &mut Context<'_>, read: &[u8]) -> Verdict {
        match self.0.read(read) {
            Ok(_) => Verdict::Pass,
            Err(malformed) => Verdict::Refuse(malformed),
        }
    }
}
