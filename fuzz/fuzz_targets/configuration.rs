//! gateway.toml: no text makes reading it panic, every problem has its place, and no secret is quoted.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use wxgate::config;

/// What a variable holds that the file may name anywhere. Another secret stands in the file itself.
const IN_VARIABLE: &str = "markedsecretinavariable012345678";

const SOUND: &str = r#"
[apps.shop]
appid = "wx4f4bc4dec97d474b"
secret = "markedsecretinthefile0123456789a"
[upstreams.shop]
servers = ["http://127.0.0.1:3000"]
"#;

fuzz_target!(|text: &str| {
    // Whoever writes a secret a second time writes it where it is none.
    if text.contains("markedsecret") {
        return;
    }
    // As a file of its own, and as the rest of a sound one.
    for text in [text.to_owned(), format!("{SOUND}{text}")] {
        read(&text);
    }
});

fn read(text: &str) {
    let variable = |name: &str| match name {
        "EMPTY" => Some(String::new()),
        "PORT" => Some("8080".to_owned()),
        name if name.starts_with('S') => Some(IN_VARIABLE.to_owned()),
        _ => None,
    };
    // The names of files in it lead nowhere.
    let nowhere = Path::new("/nonexistent/wxgate-fuzz");
    match config::parse("gateway.toml", text, nowhere, &variable) {
        Ok(settings) => {
            let shown = format!("{settings:?} {}", settings.warnings);
            assert!(!shown.contains("markedsecret"), "{shown}");
        }
        Err(problems) => {
            assert!(!problems.list.is_empty(), "refused for no reason");
            let lines = text.split('\n').count();
            for problem in &problems.list {
                assert!(problem.line <= lines, "{problem:?}");
                assert_eq!(problem.line == 0, problem.column == 0, "{problem:?}");
                assert!(!problem.message.is_empty());
            }
            let shown = problems.to_string();
            assert!(!shown.contains("markedsecret"), "{shown}");
        }
    }
}
