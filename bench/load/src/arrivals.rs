//! When requests come that do not wait for each other.

use std::time::{Duration, Instant};

/// Independent users: the times between requests are exponentially distributed (a Poisson process), so that some come
/// together, as they do. The same ones in every run, for every contestant.
pub struct Arrivals {
    mean: f64,
    due: Instant,
    end: Instant,
    state: u64,
}

impl Arrivals {
    pub fn new(begin: Instant, rate: f64, time: Duration) -> Self {
        Self { mean: 1.0 / rate, due: begin, end: begin + time, state: 0x9E37_79B9_7F4A_7C15 }
    }

    /// When the next request is due; none after the end.
    pub fn next_due(&self) -> Option<Instant> {
        (self.due < self.end).then_some(self.due)
    }

    pub fn advance(&mut self) {
        let wait = -(1.0 - self.random()).ln() * self.mean;
        self.due += Duration::from_secs_f64(wait);
    }

    /// xorshift64*, from 0 to 1: no more than that is asked of it.
    fn random(&mut self) -> f64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        (self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }
}
