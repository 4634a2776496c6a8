//! The grammar of a chunked body (RFC 9112, 7.1), read strictly before pingora reads it leniently.
//!
//! pingora takes a chunk without a size for the last one, and any byte in an extension: LF too, where
//! other servers end the line (CVE-2025-22871, and the request smuggling of TERM.EXT and EXT.TERM).

use super::head::is_token;

/// More digits would be over 2^64.
const SIZE_DIGITS: usize = 16;
/// So that nothing that is added to it overflows.
const MOST: u64 = 1 << 62;
/// Nobody sends extensions, and nobody reads them (CVE-2023-39326).
const EXTENSION_SIZE: usize = 1 << 10;
/// All extensions of one body together.
const EXTENSIONS_SIZE: usize = 16 << 10;
/// They are dropped (RFC 9110, 6.5.1).
const TRAILERS_SIZE: usize = 8 << 10;

/// How far a chunked body has been read.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    expects: Expects,
    extensions: usize,
    trailers: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expects {
    Size {
        digits: usize,
        size: u64,
    },
    Extension {
        length: usize,
        size: u64,
    },
    LineFeed {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataReturn,
    DataLineFeed,
    Trailer,
    TrailerName,
    TrailerValue,
    TrailerLineFeed,
    LastLineFeed,
    /// What comes now is no part of this body.
    Nothing,
}

impl Default for Expects {
    fn default() -> Self {
        Self::Size { digits: 0, size: 0 }
    }
}

impl Chunks {
    /// Whether the body was read to its end.
    pub(crate) fn have_ended(&self) -> bool {
        self.expects == Expects::Nothing
    }

    /// Reads on; what follows the body is not looked at. Gives how many bytes are part of it, or what is
    /// malformed.
    pub(crate) fn read(&mut self, all: &[u8]) -> Result<usize, &'static str> {
        self.read_into(all, |_| ())
    }

    /// The same, and gives the data in the chunks, piece by piece.
    pub(crate) fn read_into(
        &mut self,
        all: &[u8],
        mut data: impl FnMut(&[u8]),
    ) -> Result<usize, &'static str> {
        let mut bytes = all;
        while let [first, rest @ ..] = bytes {
            match self.expects {
                Expects::Nothing => break,
                Expects::Data { left } => {
                    let here = left.min(bytes.len() as u64);
                    let (piece, rest) = bytes.split_at(here as usize);
                    data(piece);
                    bytes = rest;
                    self.expects = match left - here {
                        0 => Expects::DataReturn,
                        left => Expects::Data { left },
                    };
                }
                _ => {
                    self.expects = self.after(*first)?;
                    bytes = rest;
                }
            }
        }
        Ok(all.len() - bytes.len())
    }

    /// What is expected after this byte of the framing.
    fn after(&mut self, byte: u8) -> Result<Expects, &'static str> {
        Ok(match (self.expects, byte) {
            (Expects::Size { digits, size }, byte) => after_size(digits, size, byte)?,
            (Expects::Extension { size, .. }, b'\r') => Expects::LineFeed { size },
            (Expects::Extension { length, size }, byte) if is_text(byte) => {
                self.extensions += 1;
                if length >= EXTENSION_SIZE || self.extensions > EXTENSIONS_SIZE {
                    return Err("a chunk extension that is too long");
                }
                Expects::Extension { length: length + 1, size }
            }
            (Expects::Extension { .. }, _) => return Err("a control in a chunk extension"),
            (Expects::LineFeed { size: 0 }, b'\n') => Expects::Trailer,
            (Expects::LineFeed { size }, b'\n') => Expects::Data { left: size },
            (Expects::DataReturn, b'\r') => Expects::DataLineFeed,
            (Expects::DataLineFeed, b'\n') => Expects::default(),
            (Expects::Trailer, b'\r') => Expects::LastLineFeed,
            (Expects::LastLineFeed, b'\n') => Expects::Nothing,
            (Expects::Trailer | Expects::TrailerName, byte) if is_token(byte) => {
                self.count_trailer()?;
                Expects::TrailerName
            }
            (Expects::TrailerName, b':') => Expects::TrailerValue,
            (Expects::TrailerValue, b'\r') => Expects::TrailerLineFeed,
            (Expects::TrailerValue, byte) if is_text(byte) => {
                self.count_trailer()?;
                Expects::TrailerValue
            }
            (Expects::TrailerLineFeed, b'\n') => Expects::Trailer,
            (
                Expects::Trailer
                | Expects::TrailerName
                | Expects::TrailerValue
                | Expects::TrailerLineFeed,
                _,
            ) => return Err("a malformed trailer"),
            _ => return Err("a chunk that does not end in CRLF"),
        })
    }

    fn count_trailer(&mut self) -> Result<(), &'static str> {
        self.trailers += 1;
        if self.trailers > TRAILERS_SIZE {
            return Err("trailers that are too long");
        }
        Ok(())
    }
}

fn after_size(digits: usize, size: u64, byte: u8) -> Result<Expects, &'static str> {
    match (byte, char::from(byte).to_digit(16)) {
        (b'\r', _) if digits > 0 => Ok(Expects::LineFeed { size }),
        (b';', _) if digits > 0 => Ok(Expects::Extension { length: 0, size }),
        (_, Some(digit)) if digits < SIZE_DIGITS => {
            let size = (size << 4) | u64::from(digit);
            if size > MOST {
                return Err("a chunk size that is too large");
            }
            Ok(Expects::Size { digits: digits + 1, size })
        }
        _ => Err("a chunk size that is not 1 to 16 hexadecimal digits"),
    }
}

/// Whether a byte may stand in a line: no control but a tab.
fn is_text(byte: u8) -> bool {
    (byte >= b' ' && byte != 0x7f) || byte == b'\t'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Expects, &'static str> {
        let mut chunks = Chunks::default();
        chunks.read(bytes).map(|_| chunks.expects)
    }

    #[test]
    fn a_well_formed_body_is_read_to_its_end() {
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "00005\r\nhello\r\n000\r\n\r\n",
            "a\r\n0123456789\r\nA;x=y\r\n0123456789\r\n0;\r\n\r\n",
            "2;a=\"b c\";d\r\n\r\n\r\n0\r\n\r\n",
            "0\r\nX-Sum: 1\r\nY:\r\n\r\n",
            "0\r\n\r\nGET /next HTTP/1.1\n\0",
        ] {
            assert_eq!(read(body.as_bytes()), Ok(Expects::Nothing), "{body:?}");
        }
    }

    #[test]
    fn smg_03_what_two_parsers_may_read_differently_is_refused() {
        for body in [
            "\r\nhello\r\n0\r\n\r\n",
            "5\nhello\r\n0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhelloX\r\n0\r\n\r\n",
            "5\r\nhello\rX0\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "-5\r\nhello\r\n0\r\n\r\n",
            " 5\r\nhello\r\n0\r\n\r\n",
            "5 \r\nhello\r\n0\r\n\r\n",
            "5_\r\nhello\r\n0\r\n\r\n",
            "5;a=\nb\r\nhello\r\n0\r\n\r\n",
            "5;a=\rb\r\nhello\r\n0\r\n\r\n",
            "5;a=\0\r\nhello\r\n0\r\n\r\n",
            ";a\r\nhello\r\n0\r\n\r\n",
            "ffffffffffffffff\r\n",
            "00000000000000005\r\nhello\r\n",
            "0\r\n\n",
            "0\n\r\n",
            "0\r\nX-Sum 1\r\n\r\n",
            "0\r\n: 1\r\n\r\n",
            "0\r\n X: 1\r\n\r\n",
            "0\r\nX: 1\n\r\n",
            "0\r\nX: 1\r\n 2\r\n\r\n",
            "0\r\nX: a\0b\r\n\r\n",
        ] {
            assert!(read(body.as_bytes()).is_err(), "{body:?}");
        }
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        let extension = |length| format!("1;{}\r\nx\r\n", "e".repeat(length));
        assert!(read(extension(EXTENSION_SIZE).as_bytes()).is_ok());
        assert!(read(extension(EXTENSION_SIZE + 1).as_bytes()).is_err());
        assert!(read(extension(EXTENSION_SIZE).repeat(16).as_bytes()).is_ok());
        assert!(read(extension(EXTENSION_SIZE).repeat(17).as_bytes()).is_err());
        let trailers = |lines| format!("0\r\n{}\r\n", "X: trailer\r\n".repeat(lines));
        assert!(read(trailers(800).as_bytes()).is_ok());
        assert!(read(trailers(1000).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn pieces_are_read_like_the_whole(bytes in "([0-9a-f]{0,2}(;[a-z]{0,2})?\r?\n?[ -~]{0,3}){0,6}", at in 0usize..40) {
            let bytes = bytes.as_bytes();
            let (first, second) = bytes.split_at(at.min(bytes.len()));
            let mut chunks = Chunks::default();
            let in_pieces = chunks.read(first).and_then(|_| chunks.read(second));
            prop_assert_eq!(in_pieces.map(|_| chunks.expects), read(bytes));
        }
    }
}
