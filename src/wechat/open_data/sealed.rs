//! Data as WeChat's client hands them over: a ciphertext and an iv.

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::Encryptor;
use ring::digest::{self, SHA256};

use crate::wechat::base64_repair::{self, NotBase64};
use crate::wechat::session_key::SessionKey;

/// The block of AES.
const BLOCK: usize = 16;

/// Sealed data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    iv: [u8; BLOCK],
    /// Whole blocks, at least one.
    ciphertext: Vec<u8>,
    /// Whether both came with the right length. If not, they were filled up with zeros so that
    /// failing takes as long as for others.
    whole: bool,
}

impl Sealed {
    /// Reads the two fields of a request, damaged base64 included. Lengths that no sealed data have
    /// are no error here but fail to open.
    pub fn parse(encrypted_data: &str, iv: &str) -> Result<Self, NotBase64> {
        Ok(Self::new(base64_repair::bytes(encrypted_data)?, &base64_repair::bytes(iv)?))
    }

    /// Takes any bytes.
    pub fn new(mut ciphertext: Vec<u8>, iv: &[u8]) -> Self {
        let whole =
            iv.len() == BLOCK && !ciphertext.is_empty() && ciphertext.len().is_multiple_of(BLOCK);
        ciphertext.resize(ciphertext.len().max(1).next_multiple_of(BLOCK), 0);
        let mut block = [0; BLOCK];
        block.iter_mut().zip(iv).for_each(|(place, byte)| *place = *byte);
        Self { iv: block, ciphertext, whole }
    }

    /// Seals a text as WeChat does: for the simulator and for tests.
    pub fn seal(text: &str, key: &SessionKey, iv: [u8; BLOCK]) -> Self {
        let cipher = Encryptor::<Aes128>::new(key.bytes().into(), &iv.into());
        Self::new(cipher.encrypt_padded_vec::<Pkcs7>(text.as_bytes()), &iv)
    }

    /// The fields `encryptedData` and `iv` as WeChat's client gives them.
    pub fn fields(&self) -> (String, String) {
        (STANDARD.encode(&self.ciphertext), STANDARD.encode(self.iv))
    }

    /// What marks the data as used: SHA-256 of the ciphertext. Without the iv, which can be changed
    /// so that data which were opened once open again; WeChat never seals two texts to one
    /// ciphertext.
    pub fn digest(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let digest = digest::digest(&SHA256, &self.ciphertext);
        bytes.iter_mut().zip(digest.as_ref()).for_each(|(place, byte)| *place = *byte);
        bytes
    }

    pub(super) fn iv(&self) -> &[u8; BLOCK] {
        &self.iv
    }

    pub(super) fn ciphertext(&self) -> &[u8] {
        &self.ciphertext
    }

    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }
}
