//! Sessions: whoever shares connections with others never becomes one of them.

mod echo;
mod soak;

use std::time::Duration;

use soak::{Soak, Until};

/// Many users over few connections, HTTP/1.1 and HTTP/2, while the services behind die and come back: no
/// openid reaches another's request, and no answer another's client (CVE-2026-33433 is one of many ways
/// to it). `bench/soak` runs it for minutes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses_04_no_openid_ever_reaches_anothers_request() {
    let seconds = std::env::var("SOAK_SECONDS").ok().map(|text| text.parse().expect("a number"));
    let until = match seconds {
        Some(seconds) => Until::Elapsed(Duration::from_secs(seconds)),
        None => Until::Requests(4_000),
    };
    let soak = Soak::begin(200).await;
    let counts = soak.run(until).await;
    println!("{counts}");
    assert_eq!(counts.mismatches, 0, "{counts}");
    assert!(counts.answered > counts.requests / 2, "{counts}");
    assert!(counts.breaks > 0 && counts.deaths > 2, "nothing broke, this shows little: {counts}");
}
