//! PKCS#7 (RFC 5652 section 6.3) without a branch.

use super::mask::mask;

/// The block of AES.
const BLOCK: u64 = 16;

/// What the padding says. If it is not sound, the length means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unpadded {
    /// All ones where the padding is right.
    pub(super) sound: u64,
    /// How long the text before it is.
    pub(super) length: u64,
}

/// Looks at the last block, always at all of it.
pub(super) fn unpad(padded: &[u8]) -> Unpadded {
    let padding = u64::from(padded.last().copied().unwrap_or(0));
    let mut wrong = mask(padding == 0) | mask(padding > BLOCK);
    for (place, byte) in (0..BLOCK).zip(padded.iter().rev()) {
        wrong |= mask(place < padding) & mask(u64::from(*byte) != padding);
    }
    Unpadded { sound: !wrong, length: (padded.len() as u64).wrapping_sub(padding) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_padding_of_every_length() {
        for padding in 1..=16_u8 {
            let mut text = vec![b'x'; 32 - usize::from(padding)];
            text.resize(32, padding);
            let length = 32 - u64::from(padding);
            assert_eq!(unpad(&text), Unpadded { sound: !0, length });
        }
    }

    #[test]
    fn every_wrong_byte_is_seen() {
        for padding in 2..=16_u8 {
            for place in 1..usize::from(padding) {
                let mut text = vec![padding; 16];
                text[15 - place] ^= 1;
                assert_eq!(unpad(&text).sound, 0, "{padding} {place}");
            }
        }
        for padding in (17..=255).chain([0]) {
            assert_eq!(unpad(&[padding; 32]).sound, 0, "{padding}");
        }
    }
}
