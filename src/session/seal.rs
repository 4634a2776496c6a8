//! Sealing for values at rest: AES-256-GCM, with the purpose and the owner as associated data, so that
//! a value moved to another place in the store does not open there.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

use super::random_bytes;

const VERSION: u8 = 1;
const KEY_TAG_LENGTH: usize = 4;
const HEADER: usize = 1 + KEY_TAG_LENGTH + NONCE_LEN;

/// A ring of encryption keys: the first seals, all of them open.
pub struct Sealer {
    /// Never empty.
    keys: Vec<(KeyTag, LessSafeKey)>,
}

type KeyTag = [u8; KEY_TAG_LENGTH];

/// The value does not open: damaged, sealed with a key that is gone, or not sealed for this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed value does not open")]
pub struct NotOpened;

/// What a sealed value is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// An app's access_token.
    AccessToken,
    /// The outcome of a code exchange.
    Exchange,
    /// The answer to encrypted data that was opened before.
    Replay,
    /// A user's session key.
    SessionKey,
}

impl Sealer {
    /// Takes the keys over: the first seals, all of them open.
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a [u8; 32]>) -> Self {
        Self { keys: keys.into_iter().map(sealing_key).collect() }
    }

    /// Seals a value for one purpose and owner.
    pub fn seal(&self, purpose: Purpose, owner: &[&[u8]], value: &[u8]) -> Vec<u8> {
        // The configuration leaves at least one key.
        let Some((tag, key)) = self.keys.first() else { return Vec::new() };
        // 96 random bits: far below 2^32 values with one key (NIST SP 800-38D, 8.3).
        let nonce: [u8; NONCE_LEN] = random_bytes();
        let mut sealed = Vec::with_capacity(HEADER + value.len() + AES_256_GCM.tag_len());
        sealed.push(VERSION);
        sealed.extend_from_slice(tag);
        sealed.extend_from_slice(&nonce);
        let mut body = value.to_vec();
        let aad = Aad::from(associated_data(purpose, owner));
        let unique = Nonce::assume_unique_for_key(nonce);
        // Fails only for values beyond 64 GiB.
        if key.seal_in_place_append_tag(unique, aad, &mut body).is_err() {
            return Vec::new();
        }
        sealed.append(&mut body);
        sealed
    }

    /// Opens a value that was sealed for this purpose and owner.
    pub fn open(
        &self,
        purpose: Purpose,
        owner: &[&[u8]],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
        let (&version, rest) = sealed.split_first().ok_or(NotOpened)?;
        let (tag, rest) = rest.split_first_chunk::<KEY_TAG_LENGTH>().ok_or(NotOpened)?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or(NotOpened)?;
        if version != VERSION {
            return Err(NotOpened);
        }
        let (_, key) = self.keys.iter().find(|(known, _)| known == tag).ok_or(NotOpened)?;
        let mut value = Zeroizing::new(body.to_vec());
        let aad = Aad::from(associated_data(purpose, owner));
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = key.open_in_place(nonce, aad, &mut value).map_err(|_| NotOpened)?.len();
        value.truncate(length);
        Ok(value)
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealer({} keys)", self.keys.len())
    }
}

fn sealing_key(bytes: &[u8; 32]) -> (KeyTag, LessSafeKey) {
    let labelled = [b"wxgate sealing key\0".as_slice(), bytes].concat();
    let mut tag = KeyTag::default();
    for (to, from) in tag.iter_mut().zip(digest(&SHA256, &labelled).as_ref()) {
        *to = *from;
    }
    #[allow(clippy::expect_used, reason = "an AES-256 key has 32 bytes, and so has this")]
    let key = UnboundKey::new(&AES_256_GCM, bytes).expect("32 bytes are an AES-256 key");
    (tag, LessSafeKey::new(key))
}

/// Each part with its length before it, so that no two owners meet.
fn associated_data(purpose: Purpose, owner: &[&[u8]]) -> Vec<u8> {
    let purpose: &[u8] = match purpose {
        Purpose::AccessToken => b"access_token",
        Purpose::Exchange => b"exchange",
        Purpose::Replay => b"replay",
        Purpose::SessionKey => b"session_key",
    };
    let mut data = vec![VERSION];
    for part in std::iter::once(&purpose).chain(owner) {
        data.extend_from_slice(&(part.len() as u64).to_be_bytes());
        data.extend_from_slice(part);
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: &[&[u8]] = &[b"wx1", b"o1"];

    #[test]
    fn what_was_sealed_opens_and_does_not_show() {
        let sealer = Sealer::new(&[[1; 32]]);
        let sealed = sealer.seal(Purpose::SessionKey, OWNER, b"tiihtNczf5v6AKRyjwEUhQ==");
        let opened = sealer.open(Purpose::SessionKey, OWNER, &sealed).unwrap();
        assert_eq!(opened.as_slice(), b"tiihtNczf5v6AKRyjwEUhQ==");
        assert!(!sealed.windows(6).any(|window| window == b"tiihtN"));
        assert_ne!(sealed, sealer.seal(Purpose::SessionKey, OWNER, b"tiihtNczf5v6AKRyjwEUhQ=="));
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let old = Sealer::new(&[[1; 32]]).seal(Purpose::Replay, OWNER, b"value");
        let rotated = Sealer::new(&[[2; 32], [1; 32]]);
        assert!(rotated.open(Purpose::Replay, OWNER, &old).is_ok());
        let new = rotated.seal(Purpose::Replay, OWNER, b"value");
        assert_eq!(Sealer::new(&[[1; 32]]).open(Purpose::Replay, OWNER, &new), Err(NotOpened));
    }

    #[test]
    fn another_place_or_a_changed_bit_does_not_open() {
        let sealer = Sealer::new(&[[1; 32]]);
        let sealed = sealer.seal(Purpose::Replay, OWNER, b"value");
        assert_eq!(sealer.open(Purpose::Exchange, OWNER, &sealed), Err(NotOpened));
        assert_eq!(sealer.open(Purpose::Replay, &[b"wx1o", b"1"], &sealed), Err(NotOpened));
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(sealer.open(Purpose::Replay, OWNER, &damaged), Err(NotOpened));
        }
        for length in 0..sealed.len() {
            assert_eq!(sealer.open(Purpose::Replay, OWNER, &sealed[..length]), Err(NotOpened));
        }
    }
}
