//! `[traces]`: what may be secret is not shown.

use super::{file, problems, settings};

fn traces(rest: &str) -> String {
    file(&format!("[traces]\n{rest}"))
}

/// Collectors exist that have their token in the path.
#[test]
fn the_path_of_the_endpoint_is_nowhere_to_be_read() {
    let with = |endpoint: &str| traces(&format!("endpoint = \"{endpoint}\""));
    let shown = settings(&with("https://collector:1/hunter2/v1")).effective;
    assert_eq!(shown["traces"]["endpoint"], "https://collector:1/***");
    assert!(!shown.to_string().contains("hunter2"), "{shown}");
    for wrong in [
        "https://collector/hunter2?x",
        "https://collector/hunter2#x",
        "grpc://collector/hunter2",
        "https://me:hunter2@collector/x",
        "https://collector:0/hunter2",
        "collector/hunter2",
        "https://collector/hunter2 x",
        "${A:-grpc://collector/hunter2}",
    ] {
        let found = problems(&with(wrong));
        let [found] = found.as_slice() else { panic!("{wrong}: {found:#?}") };
        assert!(found.starts_with("2:12: endpoint: the value "), "{found}");
        assert!(!found.contains("hunter2"), "{found}");
    }
}
