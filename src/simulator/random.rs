//! What WeChat draws by lot: codes, keys, tokens and request ids.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};

const ALPHANUMERIC: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Random bytes.
pub(super) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[allow(clippy::expect_used, reason = "a system without randomness cannot run anything here")]
    SystemRandom::new().fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

/// A code of wx.login: 32 alphanumerics of which the first is a 0.
pub(super) fn login_code() -> String {
    format!("0{}", alphanumeric(31))
}

/// A code of getPhoneNumber: 64 lowercase hex digits.
pub(super) fn phone_code() -> String {
    hex(&bytes::<32>())
}

/// A session_key: 16 bytes in base64.
pub(super) fn session_key() -> String {
    STANDARD.encode(bytes::<16>())
}

/// An access_token in today's shape: a number, an underscore, about 150 characters in all.
pub(super) fn access_token() -> String {
    format!("98_{}", alphanumeric(147))
}

/// The id of a request, also of a content check: the second it came, then two random groups.
pub(super) fn rid(now: u64) -> String {
    let [a, b, c, d, e, f, g, h] = bytes::<8>();
    format!(
        "{:08x}-{:08x}-{:08x}",
        now & 0xffff_ffff,
        u32::from_be_bytes([a, b, c, d]),
        u32::from_be_bytes([e, f, g, h])
    )
}

/// The hint that stands in errors of the phone API, such as `WiEBWV0sf-Te2URA`.
pub(super) fn hint() -> String {
    format!("{}-{}", alphanumeric(9), alphanumeric(6))
}

/// Lowercase hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn alphanumeric(length: usize) -> String {
    let mut text = String::with_capacity(length);
    while text.len() < length {
        for byte in bytes::<64>() {
            // 248 is the greatest multiple of 62 in a byte: above it, some letters would be likelier.
            if byte < 248
                && text.len() < length
                && let Some(letter) = ALPHANUMERIC.get(usize::from(byte) % ALPHANUMERIC.len())
            {
                text.push(char::from(*letter));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_those_of_wechat() {
        let code = login_code();
        assert!(code.len() == 32 && code.starts_with('0'));
        assert!(code.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let phone = phone_code();
        assert!(phone.len() == 64 && phone.bytes().all(|byte| b"0123456789abcdef".contains(&byte)));
        assert_eq!(session_key().len(), 24);
        assert_eq!(access_token().len(), 150);
    }

    #[test]
    fn rid_starts_with_the_second() {
        let rid = rid(0x63e6_0657);
        let groups: Vec<_> = rid.split('-').collect();
        assert_eq!(groups[0], "63e60657");
        assert!(groups.len() == 3 && groups.iter().all(|group| group.len() == 8));
    }
}
