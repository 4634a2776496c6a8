//! `[traces]`: what stands there is used, or said to be of no use; and what may be secret is not shown.

use std::os::unix::fs::PermissionsExt;

use super::{file, lines, problems, settings};

fn traces(rest: &str) -> String {
    file(&format!("[traces]\n{rest}"))
}

#[test]
fn keys_of_traces_without_an_endpoint_are_told_of() {
    let text = traces(
        "sample = 0.5\nservice_name = \"a\"\ntimeout = \"1s\"\n\
         headers = { X-A = \"${A:-a}\" }\nheaders_file = {}",
    );
    let found = lines(&settings(&text).warnings);
    for (line, key) in
        ["sample", "service_name", "timeout", "headers", "headers_file"].iter().enumerate()
    {
        let said = format!("{}:1: {key:?} in [traces] does nothing without an endpoint", line + 2);
        assert!(found.contains(&said), "{said}: {found:#?}");
    }
}

#[test]
fn a_header_for_the_collector_that_would_not_be_sent_is_a_problem() {
    let with =
        |headers: &str| traces(&format!("endpoint = \"http://a:4318\"\nheaders = {{ {headers} }}"));
    for name in ["Content-Type", "content-encoding", "Content-Length", "Connection", "User-Agent"] {
        let found = problems(&with(&format!("{name} = \"${{A:-a}}\"")));
        let said = format!(
            "3:13: {:?} is the gateway's own to say; leave it out",
            name.to_ascii_lowercase()
        );
        assert_eq!(found, [said]);
    }
    assert_eq!(
        problems(&with("Authorization = \"${A:-a}\", authorization = \"${A:-a}\"")),
        ["3:40: \"authorization\" stands here twice, in other letters; keep one of them"]
    );
    assert_eq!(problems(&with("Host = \"${A:-a}\", X-A = \"${A:-a}\"")), [] as [&str; 0]);
}

#[test]
fn a_header_for_the_collector_in_a_file_that_all_can_read_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    let headers = "headers = { Authorization = \"Bearer hunter2\", X-A = \"${A:-a}\" }";
    std::fs::write(&path, traces(&format!("endpoint = \"http://a:4318\"\n{headers}"))).unwrap();
    for (mode, count) in [(0o600, 0), (0o644, 1)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let warnings = wxgate::config::load(&path, &|_| None).unwrap().warnings.to_string();
        let found: Vec<_> =
            warnings.lines().filter(|line| line.contains("Authorization")).collect();
        assert_eq!(found.len(), count, "{warnings}");
        assert!(!warnings.contains("hunter2") && !warnings.contains("X-A"), "{warnings}");
        assert!(found.iter().all(|line| line.contains("headers_file")), "{warnings}");
    }
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
