//! WX-05: no way of failing to open data can be told from another by its time.
//!
//! After dudect (Reparaz, Balasch, Verbauwhede, 2017). In each batch every way of failing is tried
//! once, in random order, on data made afresh; a time counts relative to the median of its batch,
//! so that a machine that slows down slows all alike. The slowest fifth, drawn over all ways
//! together, is interrupts and is cropped. Then Welch's t is taken between each two ways.
//!
//! Of 66 pairs one passes 4.5 by chance about once in 2,000 runs, more often where the noise is not
//! independent. Hence two ways are told apart only if they are in three measurements of their own,
//! each time in the same direction. Chance then counts three times over; a leak, which is there
//! each time, is missed only if it is as small as the noise. The last two tests show what is not
//! missed: a usual implementation, and one SHA-256 of the ciphertext, measured as 0.7 % of a debug
//! build's work.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "shared with the tests of open data")]
#[path = "open_data/sealing.rs"]
mod sealing;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::hint::black_box;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use cbc::Decryptor;
use serde_json::Value;
use wxgate::wechat::open_data::{Expectation, Kind, Sealed, open};
use wxgate::wechat::session_key::SessionKey;

use sealing::{key, padded, seal_blocks};

// Short texts: a debug build takes its time.
const APPID: &str = "wx1";
const NOW: u64 = 1_700;
const KEY: [u8; 16] = *b"the right key 01";
const TRIES: usize = 20_000;
const TOLD_APART: f64 = 4.5;
const MEASUREMENTS: usize = 3;

const EXPECTED: Expectation<'_> = Expectation {
    appid: APPID,
    openid: None,
    max_age: Duration::from_secs(300),
    now: NOW,
    kind: Kind::Phone,
};

/// A way of failing. All cases have ciphertexts of one length: that the client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    TooOld,
    InTheFuture,
    AnotherApp,
    NoWatermark,
    NotJsonAtStart,
    NotJsonAtEnd,
    NotUtf8,
    WrongKey,
    Padding,
    NumbersDisagree,
    OddLength,
    EmptyRing,
}

impl Failure {
    const ALL: [Self; 12] = [
        Self::TooOld,
        Self::InTheFuture,
        Self::AnotherApp,
        Self::NoWatermark,
        Self::NotJsonAtStart,
        Self::NotJsonAtEnd,
        Self::NotUtf8,
        Self::WrongKey,
        Self::Padding,
        Self::NumbersDisagree,
        Self::OddLength,
        Self::EmptyRing,
    ];
}

/// One measurement at a time.
static MACHINE: Mutex<()> = Mutex::new(());

#[test]
fn wx_05_no_two_ways_of_failing_are_told_apart() {
    let _alone = MACHINE.lock();
    let told_apart = told_apart(&Failure::ALL, TRIES, opened);
    assert!(told_apart.is_empty(), "{told_apart:?}");
}

#[test]
fn a_usual_implementation_is_caught() {
    let _alone = MACHINE.lock();
    let told_apart = told_apart(&Failure::ALL, 500, opened_as_usual);
    for leak in [Failure::NotJsonAtStart, Failure::NotUtf8, Failure::Padding, Failure::EmptyRing] {
        assert!(told_apart.contains(&(Failure::TooOld, leak)), "{leak:?} in {told_apart:?}");
    }
}

#[test]
fn one_small_step_after_good_padding_is_caught() {
    let _alone = MACHINE.lock();
    let ways = [Failure::TooOld, Failure::Padding];
    let told_apart = told_apart(&ways, 3_000, |case| {
        if case.way != Failure::Padding {
            black_box(case.sealed.digest());
        }
        opened(case)
    });
    assert_eq!(told_apart, [(Failure::TooOld, Failure::Padding)]);
}

/// A try, and what a usual implementation needs for it.
struct Case {
    way: Failure,
    sealed: Sealed,
    keys: Vec<SessionKey>,
    ciphertext: Vec<u8>,
    iv: [u8; 16],
    secrets: Vec<[u8; 16]>,
}

fn opened(case: &Case) -> bool {
    open(&case.sealed, &case.keys, &EXPECTED).is_ok()
}

/// What SDKs do: key by key, out at the first thing that is wrong.
fn opened_as_usual(case: &Case) -> bool {
    case.secrets.iter().any(|secret| {
        let cipher = Decryptor::<Aes128>::new(secret.into(), &case.iv.into());
        let Ok(text) = cipher.decrypt_padded_vec::<Pkcs7>(&case.ciphertext) else { return false };
        let Ok(text) = String::from_utf8(text) else { return false };
        let Ok(json) = serde_json::from_str::<Value>(&text) else { return false };
        let watermark = &json["watermark"];
        json["phoneNumber"] == json["purePhoneNumber"]
            && watermark["appid"] == APPID
            && watermark["timestamp"] == NOW
    })
}

impl Case {
    fn new(way: Failure, random: &mut Random) -> Self {
        let number = 1_000 + random.below(8_000);
        let (mut other, mut timestamp, mut appid) = (number, NOW, APPID);
        match way {
            Failure::TooOld => timestamp = NOW - 700,
            Failure::InTheFuture => timestamp = NOW + 700,
            Failure::AnotherApp => appid = "wx2",
            Failure::NumbersDisagree => other += 1,
            _ => {}
        }
        let mut text = format!(
            r#"{{"phoneNumber":"{other}","purePhoneNumber":"{number}","countryCode":"86","watermark":{{"timestamp":{timestamp},"appid":"{appid}"}}}}"#
        );
        if way == Failure::NoWatermark {
            text = text.replace("watermark", "watermarc");
        }
        let mut blocks = padded(text.as_bytes());
        match way {
            Failure::NotJsonAtStart => blocks[0] = b'[',
            Failure::NotJsonAtEnd => blocks[text.len() - 1] = b']',
            Failure::NotUtf8 => blocks[17] = 0xff,
            Failure::Padding => {
                let place = text.len() + random.below((blocks.len() - text.len()) as u64) as usize;
                blocks[place] ^= 32 << random.below(3);
            }
            _ => {}
        }
        let iv = random.block();
        let mut ciphertext = seal_blocks(&blocks, KEY, iv);
        if way == Failure::OddLength {
            ciphertext.pop();
        }
        let mut secrets = vec![KEY];
        match way {
            Failure::WrongKey => secrets = vec![random.block(), random.block()],
            Failure::EmptyRing => secrets.clear(),
            _ => {}
        }
        let keys = secrets.iter().copied().map(key).collect();
        Self { way, sealed: Sealed::new(ciphertext.clone(), &iv), keys, ciphertext, iv, secrets }
    }
}

/// The pairs of ways that are told apart in every measurement, in the same direction.
fn told_apart(
    ways: &[Failure],
    tries: usize,
    opened: impl Fn(&Case) -> bool,
) -> Vec<(Failure, Failure)> {
    let mut random = Random::new();
    let mut suspects: Vec<(Failure, Failure, f64)> = Vec::new();
    for measurement in 0..MEASUREMENTS {
        let measured: Vec<Failure> = ways
            .iter()
            .copied()
            .filter(|way| measurement == 0 || suspects.iter().any(|(a, b, _)| a == way || b == way))
            .collect();
        let found = exceeding(&measured, &measure(&measured, tries, &mut random, &opened));
        if measurement == 0 {
            suspects = found;
        } else {
            suspects.retain(|(a, b, t)| {
                found.iter().any(|(c, d, u)| a == c && b == d && t.signum() == u.signum())
            });
        }
        if suspects.is_empty() {
            break;
        }
    }
    suspects.into_iter().map(|(a, b, _)| (a, b)).collect()
}

/// The times of each way, in nanoseconds relative to the median of the batch, cropped.
fn measure(
    ways: &[Failure],
    tries: usize,
    random: &mut Random,
    opened: impl Fn(&Case) -> bool,
) -> Vec<Vec<f64>> {
    let mut times = vec![Vec::with_capacity(tries); ways.len()];
    for _ in 0..tries {
        let mut order: Vec<usize> = (0..ways.len()).collect();
        random.shuffle(&mut order);
        // Made beforehand and in the order of the tries: neither the making nor the place in
        // memory says which way it is.
        let cases: Vec<Case> = order.iter().map(|way| Case::new(ways[*way], random)).collect();
        let batch: Vec<f64> = cases
            .iter()
            .map(|case| {
                let start = Instant::now();
                let opened = black_box(opened(black_box(case)));
                let time = start.elapsed();
                assert!(!opened, "{:?}", case.way);
                time.as_nanos() as f64
            })
            .collect();
        let median = percentile(&batch, 0.5);
        order.iter().zip(&batch).for_each(|(way, time)| times[*way].push(time - median));
    }
    let pooled: Vec<f64> = times.iter().flatten().copied().collect();
    let slowest = percentile(&pooled, 0.8);
    for times in &mut times {
        times.retain(|time| *time <= slowest);
    }
    times
}

fn exceeding(ways: &[Failure], times: &[Vec<f64>]) -> Vec<(Failure, Failure, f64)> {
    let mut found = Vec::new();
    for (one, way) in ways.iter().enumerate() {
        for (other, other_way) in ways.iter().enumerate().skip(one + 1) {
            let t = welch(&times[one], &times[other]);
            if t.abs() > TOLD_APART {
                found.push((*way, *other_way, t));
            }
        }
    }
    found
}

fn welch(one: &[f64], other: &[f64]) -> f64 {
    let mean = |times: &[f64]| times.iter().sum::<f64>() / times.len() as f64;
    let error = |times: &[f64], mean: f64| {
        let squares: f64 = times.iter().map(|time| (time - mean).powi(2)).sum();
        squares / (times.len() as f64 - 1.0) / times.len() as f64
    };
    let (a, b) = (mean(one), mean(other));
    (a - b) / (error(one, a) + error(other, b)).sqrt()
}

fn percentile(times: &[f64], part: f64) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(part * (sorted.len() - 1) as f64) as usize]
}

/// SplitMix64: the order of the tries has to be random, not secret.
struct Random(u64);

impl Random {
    fn new() -> Self {
        Self(RandomState::new().hash_one(0))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn block(&mut self) -> [u8; 16] {
        (u128::from(self.next()) << 64 | u128::from(self.next())).to_le_bytes()
    }

    fn shuffle(&mut self, items: &mut [usize]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}
