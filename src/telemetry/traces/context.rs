//! A place in a trace, and the ids that name one.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A place in a trace: what one service tells the next (W3C Trace Context).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace; never all zeros.
    pub trace_id: [u8; 16],
    /// The span that speaks; never all zeros.
    pub span_id: [u8; 8],
    /// Whether who speaks may have recorded it.
    pub sampled: bool,
}

impl TraceContext {
    /// A trace that begins here. What is not recorded here is for the others to record.
    pub fn begin() -> Self {
        let (first, second) = (random(), random());
        let mut trace_id = [0; 16];
        trace_id[..8].copy_from_slice(&first);
        trace_id[8..].copy_from_slice(&second);
        Self { trace_id, span_id: random(), sampled: true }
    }

    /// The trace as it is written: 32 hexadecimal digits.
    pub fn trace_id_text(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.trace_id))
    }

    /// A span of the gateway's own below this one.
    pub fn child(self) -> Self {
        Self { span_id: random(), ..self }
    }
}

/// Never zeros. SplitMix64 from a random start: no value comes twice in a process, no system call is made
/// for one, and to guess one is worth nothing.
fn random() -> [u8; 8] {
    static START: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(()));
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let mut mixed =
        START.wrapping_add(COUNT.fetch_add(1, Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)).max(1).to_be_bytes()
}
