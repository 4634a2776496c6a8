//! How commands end: the exit codes of sysexits(3).

use std::net::TcpListener;

use wxgate::cli::exit::Exit;

use crate::{Folder, SHOP, wxgate};

#[test]
fn wrong_arguments_are_64_and_help_is_0() {
    for arguments in [&["no-such-command"][..], &["check", "--no-such-flag"], &[]] {
        let ended = wxgate(SHOP, arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (64, ""), "{ended:?}");
    }
    for arguments in [["--help"], ["--version"]] {
        let ended = wxgate(SHOP, &arguments);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
    }
}

#[test]
fn what_is_not_there_is_66_where_it_is_to_be_checked() {
    let ended = Folder::with("other.toml", SHOP).run(&["check"]);
    assert_eq!(ended.code, 66, "{ended:?}");
    assert!(ended.stderr.starts_with("wxgate: cannot read gateway.toml: "), "{ended:?}");
}

#[test]
fn an_address_that_is_taken_is_69() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text =
        format!("[server]\nlisten = [\"{address}\"]\n[admin]\nlisten = \"127.0.0.1:0\"\n{SHOP}");
    let ended = wxgate(&text, &["run"]);
    assert_eq!(ended.code, 69, "{ended:?}");
    assert!(ended.stderr.contains(&address.to_string()), "{ended:?}");
}

#[test]
fn a_configuration_that_does_not_work_is_78_to_all_who_use_it() {
    for command in ["run", "dev"] {
        let ended = wxgate("x = 1", &[command, "--config", "gateway.toml"]);
        assert_eq!(ended.code, 78, "{ended:?}");
        assert!(ended.stderr.contains("gateway.toml:1:1: unknown key"), "{ended:?}");
    }
}

#[test]
fn the_help_lists_every_exit_code() {
    let help = wxgate(SHOP, &["--help"]).stdout;
    for (exit, code, meaning) in Exit::TABLE {
        assert_eq!(exit.code(), code);
        assert!(help.contains(&format!("{code}")) && help.contains(meaning), "{help}");
    }
}

#[test]
fn every_exit_code_is_documented() {
    let page = include_str!("../../docs/commands.md").split("## Exit codes").nth(1).unwrap();
    let told: Vec<_> =
        page.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()).collect();
    let codes = Exit::TABLE.map(|(_, code, _)| code.to_string());
    assert_eq!(told[1..], codes);
}
