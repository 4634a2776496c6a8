//! What is on its way to a server, and was not taken yet.

use std::io::IoSlice;

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The end of a chunk's data (RFC 9112, 7.1).
const CHUNK_END: &[u8] = b"\r\n";
/// The same, and of the whole body.
const LAST_CHUNK_END: &[u8] = b"\r\n0\r\n\r\n";
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// How a body goes to a server of HTTP/1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Framing {
    /// As it is: it has a length that was told, or is none, or is a tunnel's.
    Plain,
    Chunked,
}

/// Heads and frames, then data as it came, then the rest of its frame: written without a copy.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    front: BytesMut,
    data: Bytes,
    back: Bytes,
}

impl Outbox {
    /// What is written before anything else.
    pub(super) fn front(&mut self) -> &mut BytesMut {
        &mut self.front
    }

    /// A part of the body. What was there before was taken, but for the head.
    pub(super) fn put(&mut self, data: Bytes, ends: bool, framing: Framing) {
        if framing == Framing::Plain {
            self.data = data;
            return;
        }
        match (data.is_empty(), ends) {
            (true, true) => self.front.put_slice(LAST_CHUNK),
            // It would be the last one.
            (true, false) => {}
            (false, ends) => {
                self.front.put_slice(format!("{:x}\r\n", data.len()).as_bytes());
                self.data = data;
                self.back = Bytes::from_static(if ends { LAST_CHUNK_END } else { CHUNK_END });
            }
        }
    }

    /// Nobody takes it.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Buf for Outbox {
    fn remaining(&self) -> usize {
        self.front.len() + self.data.len() + self.back.len()
    }

    fn chunk(&self) -> &[u8] {
        let mut pieces = [&self.front[..], &self.data, &self.back].into_iter();
        pieces.find(|piece| !piece.is_empty()).unwrap_or_default()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let pieces = [&self.front[..], &self.data, &self.back].into_iter();
        let pieces = pieces.filter(|piece| !piece.is_empty());
        slices.iter_mut().zip(pieces).map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }

    fn advance(&mut self, mut count: usize) {
        for piece in [&mut self.front as &mut dyn Buf, &mut self.data, &mut self.back] {
            let here = count.min(piece.remaining());
            piece.advance(here);
            count -= here;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(outbox: &mut Outbox) -> String {
        let bytes = outbox.copy_to_bytes(outbox.remaining());
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn a_chunked_body_ends_once() {
        let mut outbox = Outbox::default();
        outbox.front().put_slice(b"head ");
        outbox.put(Bytes::from_static(b"a longer part"), false, Framing::Chunked);
        assert_eq!(written(&mut outbox), "head d\r\na longer part\r\n");
        outbox.put(Bytes::new(), false, Framing::Chunked);
        assert_eq!(written(&mut outbox), "");
        outbox.put(Bytes::from_static(b"x"), true, Framing::Chunked);
        assert_eq!(written(&mut outbox), "1\r\nx\r\n0\r\n\r\n");
        outbox.put(Bytes::new(), true, Framing::Chunked);
        assert_eq!(written(&mut outbox), "0\r\n\r\n");
    }

    proptest! {
        #[test]
        fn whatever_is_taken_at_a_time_all_is_written(steps in prop::collection::vec(1usize..9, 0..20)) {
            let mut outbox = Outbox::default();
            outbox.front().put_slice(b"front");
            outbox.put(Bytes::from_static(b"data of it"), true, Framing::Chunked);
            let mut taken = Vec::new();
            for step in steps {
                let step = step.min(outbox.remaining());
                let mut slices = [IoSlice::new(&[]); 3];
                let count = outbox.chunks_vectored(&mut slices);
                let all: Vec<u8> = slices[..count].iter().flat_map(|it| it.to_vec()).collect();
                prop_assert_eq!(all.len(), outbox.remaining());
                taken.extend_from_slice(&all[..step]);
                outbox.advance(step);
            }
            taken.extend_from_slice(written(&mut outbox).as_bytes());
            prop_assert_eq!(taken, b"fronta\r\ndata of it\r\n0\r\n\r\n");
        }
    }
}
