//! `wxgate check`.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::{Ended, Folder, SHOP, wxgate};

#[test]
fn a_file_that_works_says_what_it_holds() {
    let ended = wxgate(SHOP, &["check"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(ended.stdout, "gateway.toml works: 1 app, 1 upstream, 2 routes\n");
    assert_eq!(ended.stderr, "");
}

#[test]
fn problems_and_warnings_come_together_each_at_its_place() {
    let text = SHOP.replace("path = \"/api/**\"", "path = \"/api/**\"\ntimeout = \"soon\"");
    let text = text + "[upstreams.bakery]\nservers = [\"http://127.0.0.1:1\"]\n";
    let ended = wxgate(&text, &["check"]);
    assert_eq!(ended.code, 65, "{ended:?}");
    let lines: Vec<_> = ended.stdout.lines().collect();
    let [problem, warning, summary] = lines.as_slice() else { panic!("{ended:?}") };
    assert_eq!(
        *problem,
        "gateway.toml:15:11: error: timeout: \"soon\" is no duration; \
         write \"500ms\", \"10s\", \"5m\", \"24h\" or \"7d\""
    );
    assert!(warning.starts_with("gateway.toml:17:"), "{warning}");
    assert!(warning.contains(" warning: no route leads to the upstream \"bakery\""), "{warning}");
    assert_eq!(*summary, "gateway.toml does not work: 1 problem, 1 warning");
}

#[test]
fn strict_makes_warnings_problems() {
    let text = format!("{SHOP}[upstreams.bakery]\nservers = [\"http://127.0.0.1:1\"]\n");
    assert_eq!(wxgate(&text, &["check"]).code, 0);
    let ended = wxgate(&text, &["check", "--strict"]);
    assert_eq!(ended.code, 65);
    assert!(ended.stdout.contains(" error: no route leads"), "{ended:?}");
}

#[test]
fn json_holds_the_same() {
    let ended = wxgate(&format!("lisen = 1\n{SHOP}"), &["check", "--json"]);
    assert_eq!(ended.code, 65);
    let expected = json!({
        "file": "gateway.toml",
        "works": false,
        "problems": [{
            "severity": "error",
            "line": 1,
            "column": 1,
            "message": "unknown key \"lisen\" at the top of the file",
            "help": ended.json()["problems"][0]["help"],
        }],
    });
    assert_eq!(ended.json(), expected);
}

#[test]
fn a_secret_is_never_shown_and_not_at_home_in_a_file_that_all_can_read() {
    let secret = "fedcba9876543210fedcba9876543210";
    let text = SHOP.replace("${WX_SECRET}", secret);
    let folder = Folder::with("gateway.toml", &text);
    let path = folder.path().join("gateway.toml");
    let said_at_mode = |mode| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let ended = folder.run(&["check"]);
        assert!(ended.code == 0 && !ended.stdout.contains(secret), "{ended:?}");
        ended.stdout
    };
    let said = said_at_mode(0o644);
    assert!(
        said.starts_with("gateway.toml:4:1: warning: \"secret\" in [apps.shop] stands in a file"),
        "{said}"
    );
    assert!(said.contains("or name a file in secret_file"), "{said}");
    assert!(!said_at_mode(0o640).contains("warning"));
}

#[track_caller]
fn warning_of(ended: &Ended) -> &str {
    assert_eq!(ended.code, 0, "{ended:?}");
    let mut warnings = ended.stdout.lines().filter(|line| line.contains(": warning: "));
    let warning = warnings.next().unwrap_or_else(|| panic!("{ended:?}"));
    assert_eq!(warnings.next(), None);
    warning
}

#[test]
fn a_route_that_can_never_win_is_said() {
    let all = r#"methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]"#;
    let route = format!("[[routes]]\npath = \"/api/**\"\nupstream = \"shop\"\n{all}\n");
    let ended = wxgate(&format!("{SHOP}{route}"), &["check"]);
    let warning = warning_of(&ended);
    assert!(warning.starts_with("gateway.toml:14:"), "{warning}");
    assert!(warning.contains("no request ever gets to this route"), "{warning}");
}

#[test]
fn an_app_without_a_login_is_said() {
    let text = SHOP.replace("action = \"login\"", "upstream = \"shop\"");
    let ended = wxgate(&text, &["check"]);
    assert!(warning_of(&ended).contains("users of the app \"shop\" can get no token"), "{ended:?}");
    let text = SHOP.replace(
        "[upstreams",
        "[apps.b]\nappid = \"wx0000000000000000\"\nsecret = \"${WX_SECRET}\"\n[upstreams",
    );
    let text = text.replace("path", "app = \"shop\"\npath");
    let ended = wxgate(&text, &["check"]);
    assert!(warning_of(&ended).contains("no route serves the app \"b\""), "{ended:?}");
}

#[test]
fn sessions_in_the_memory_of_a_pod_are_said() {
    let pod = [("KUBERNETES_SERVICE_HOST", "10.0.0.1")];
    let folder = Folder::with("gateway.toml", SHOP);
    let ended = folder.run_with(&["check"], &pod, "");
    assert!(warning_of(&ended).contains("in this pod's memory"), "{ended:?}");
    let meant = Folder::with("gateway.toml", &format!("[store]\nurl = \"memory:\"\n{SHOP}"));
    assert!(!meant.run_with(&["check"], &pod, "").stdout.contains("warning"));
}
