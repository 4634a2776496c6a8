//! What teaches: help, completions, versions.

use std::process::Command;

use serde_json::Value;

use crate::{SHOP, wxgate};

const COMMANDS: [&[&str]; 14] = [
    &["run"],
    &["dev"],
    &["simulate"],
    &["check"],
    &["explain"],
    &["doctor"],
    &["health"],
    &["sessions", "list"],
    &["sessions", "end"],
    &["top"],
    &["schema"],
    &["keys", "generate"],
    &["token", "inspect"],
    &["completions"],
];

#[test]
fn the_help_of_every_command_has_examples() {
    for command in COMMANDS {
        let help = wxgate(SHOP, &[command, &["--help"]].concat());
        assert_eq!(help.code, 0);
        let (_, examples) =
            help.stdout.split_once("Examples:\n").unwrap_or_else(|| panic!("{command:?}"));
        assert!(examples.contains(&format!("wxgate {}", command[0])), "{examples}");
    }
}

#[test]
fn no_line_of_the_help_is_wider_than_a_terminal_of_100_columns() {
    for command in COMMANDS {
        let help = wxgate(SHOP, &[command, &["--help"]].concat()).stdout;
        for line in help.lines() {
            assert!(line.chars().count() <= 100 || line.contains("http"), "{command:?}: {line}");
        }
    }
}

#[test]
fn completions_are_scripts_that_their_shells_read() {
    for (shell, word) in
        [("bash", "_wxgate()"), ("zsh", "#compdef wxgate"), ("fish", "complete -c wxgate")]
    {
        let ended = wxgate(SHOP, &["completions", shell]);
        assert_eq!(ended.code, 0);
        assert!(ended.stdout.contains(word) && ended.stdout.contains("explain"), "{shell}");
        // A shell that is not here cannot be asked.
        if shell == "bash" {
            let read = Command::new("bash").args(["-n", "-c", &ended.stdout]).output().unwrap();
            assert!(read.status.success(), "{read:?}");
        }
    }
    assert_eq!(wxgate(SHOP, &["completions", "tcsh"]).code, 64);
}

#[test]
fn the_version_says_what_it_was_built_from() {
    let said: Value = wxgate(SHOP, &["version", "--json"]).json();
    assert_eq!(said["version"], env!("CARGO_PKG_VERSION"));
    assert!(said["target"].as_str().unwrap().ends_with("-linux"), "{said}");
    let short = wxgate(SHOP, &["--version"]).stdout;
    assert_eq!(short, format!("wxgate {}\n", env!("CARGO_PKG_VERSION")));
    assert!(wxgate(SHOP, &["version"]).stdout.starts_with(&short));
}
