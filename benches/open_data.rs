//! How many sealed phone numbers and profiles are opened in a second, by one core.
#![allow(missing_docs, reason = "criterion's macros")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark may panic")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::Value;
use wxgate::wechat::open_data::{Expectation, Kind, NotOpened, Opened, Sealed, open};
use wxgate::wechat::session_key::SessionKey;

const APPID: &str = "wx4f4bc4dec97d474b";
const SEALED_AT: u64 = 1_477_314_187;

criterion_group!(benches, openings);
criterion_main!(benches);

fn openings(criterion: &mut Criterion) {
    let vectors: Value = serde_json::from_str(include_str!("../tests/vectors.json")).unwrap();
    let field = |name: &str| vectors["open_data"][name].as_str().unwrap();
    let key = SessionKey::parse(field("session_key")).unwrap();
    let other = SessionKey::parse("HyVFkGl5F5OQWJZZaNzBBg==").unwrap();

    let profile = Sealed::parse(field("encrypted_data"), field("iv")).unwrap();
    let phone = Sealed::seal(
        r#"{"phoneNumber":"13580006666","purePhoneNumber":"13580006666","countryCode":"86","watermark":{"timestamp":1477314187,"appid":"wx4f4bc4dec97d474b"}}"#,
        &key,
        [7; 16],
    );

    let mut group = criterion.benchmark_group("open_data");
    group.throughput(Throughput::Elements(1));
    group.sample_size(50);
    group.measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    group
        .bench_function("phone", |bench| bench.iter(|| opened(&phone, &key, Kind::Phone).unwrap()));
    group.bench_function("profile", |bench| {
        bench.iter(|| opened(&profile, &key, Kind::Any).unwrap())
    });
    group.bench_function("fails", |bench| {
        bench.iter(|| opened(&profile, &other, Kind::Any).unwrap_err())
    });
    group.finish();
}

/// With the JSON value, as an action needs it.
fn opened(sealed: &Sealed, key: &SessionKey, kind: Kind) -> Result<Opened, NotOpened> {
    let expected = Expectation {
        appid: APPID,
        openid: None,
        max_age: Duration::from_secs(300),
        now: SEALED_AT + 10,
        kind,
    };
    let opened = open(black_box(sealed), std::slice::from_ref(key), &expected)?;
    black_box(opened.clone().into_json()?);
    Ok(opened)
}
