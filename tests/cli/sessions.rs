//! `wxgate health` and `wxgate sessions`, against a gateway that runs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::Value;

use crate::dev::Dev;
use crate::{Ended, Folder, SHOP, wxgate};

const TOKEN: &str = "a token for the admin listener";

/// `wxgate dev` with an admin token, and its configuration.
fn house() -> (Dev, Folder) {
    let folder = Folder::with("gateway.toml", &with_admin("127.0.0.1:9901"));
    let file = folder.path().join("gateway.toml");
    let dev = Dev::start_with(&["-c", file.to_str().unwrap()]);
    folder.write("gateway.toml", &with_admin(&dev.admin));
    (dev, folder)
}

fn with_admin(listen: &str) -> String {
    format!("[admin]\nlisten = \"{listen}\"\ntoken = \"{TOKEN}\"\n{SHOP}")
}

/// Logs a user in, and gives what was answered.
fn login(dev: &Dev, user: &str) -> Value {
    let code = Dev::get(&dev.simulator, &format!("/simulator/code?user={user}"), "");
    let answer = Dev::get(&dev.gateway, &format!("/wxLogin?code={}", code.trim()), "");
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

fn openid(login: &Value) -> &str {
    login["openid"].as_str().unwrap()
}

fn sessions_of(folder: &Folder, openid: &str) -> Vec<Value> {
    let ended =
        folder.run(&["sessions", "list", "--openid", openid, "-c", "gateway.toml", "--json"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.json()["sessions"].as_array().unwrap().clone()
}

#[test]
fn sessions_are_listed_for_people_and_for_programs() {
    let (dev, folder) = house();
    let alice = login(&dev, "alice");
    login(&dev, "alice");
    let listed = sessions_of(&folder, openid(&alice));
    assert_eq!(listed.len(), 2);

    let url = format!("http://{}", dev.admin);
    let token = folder.write("token", &format!("{TOKEN}\n"));
    let list = ["sessions", "list", "--openid", openid(&alice)];
    let by_file = ["--admin", &url, "--token-file", token.to_str().unwrap(), "--app", "shop"];
    let by_file = folder.run(&[&list[..], &by_file].concat());
    let variables = [("WXGATE_ADMIN_TOKEN", TOKEN)];
    let by_variable = folder.run_with(&[&list[..], &["--admin", &url]].concat(), &variables, "");
    for ended in [by_file, by_variable] {
        assert_eq!(ended.code, 0, "{ended:?}");
        let lines: Vec<_> = ended.stdout.lines().collect();
        let name = lines[0].strip_prefix("in the log ").unwrap();
        assert!(name.len() == 16 && !ended.stdout.contains(openid(&alice)), "{ended:?}");
        let titles: Vec<_> = lines[1].split_whitespace().collect();
        assert_eq!(titles, ["SID", "APP", "BEGUN", "ENDS", "UNIONID"]);
        assert_eq!(lines.len(), 4, "{ended:?}");
        for session in &listed {
            let sid = session["sid"].as_str().unwrap();
            let line = lines.iter().find(|line| line.starts_with(sid)).unwrap();
            assert!(line.contains("  shop  ") && line.contains(" days"), "{line}");
        }
    }
    let nobody = folder.run(&["sessions", "list", "--openid", "oNobody", "-c", "gateway.toml"]);
    assert!(nobody.code == 0 && nobody.stdout.ends_with("no sessions\n"), "{nobody:?}");
}

#[test]
fn one_session_all_of_a_user_and_all_of_an_app_are_ended() {
    let (dev, folder) = house();
    let end = |arguments: &[&str]| {
        folder.run(&[&["sessions", "end", "-c", "gateway.toml"], arguments].concat())
    };
    let told = |ended: Ended, words: &str| {
        assert_eq!((ended.code, ended.stdout.as_str()), (0, words), "{ended:?}");
    };
    let alice = login(&dev, "alice");
    let alice = openid(&alice);
    login(&dev, "alice");
    login(&dev, "alice");
    let bob = login(&dev, "bob");
    let listed = sessions_of(&folder, alice);
    let sid = listed[1]["sid"].as_str().unwrap();

    told(end(&["--openid", alice, "--sid", sid]), "1 session is ended\n");
    let left = sessions_of(&folder, alice);
    assert!(left.len() == 2 && left.iter().all(|session| session["sid"] != sid), "{left:?}");
    let again = end(&["--openid", alice, "--sid", sid]);
    assert_eq!((again.code, again.stdout.as_str()), (66, ""), "{again:?}");
    assert_eq!(again.stderr, "wxgate: the user has no such session (404)\n");
    told(end(&["--openid", alice, "--app", "shop"]), "2 sessions are ended\n");
    assert_eq!(sessions_of(&folder, alice).len(), 0);

    let token = format!("Authorization: Bearer {}\r\n", bob["token"].as_str().unwrap());
    let refused = || Dev::get(&dev.gateway, "/api/x", &token).contains("token_invalid");
    assert!(!refused());
    let unsaid = end(&["--app", "shop", "--all"]);
    assert!(unsaid.code == 64 && unsaid.stderr.contains("say so with --yes"), "{unsaid:?}");
    assert!(!refused());
    told(end(&["--app", "shop", "--all", "--yes"]), "all sessions of shop are ended\n");
    assert!(refused());
}

/// One random name of 64 begins so, and would be read as an option.
#[test]
fn a_name_may_begin_with_a_hyphen() {
    let (_dev, folder) = house();
    let end = ["sessions", "end", "-c", "gateway.toml", "--openid", "-oAlice", "--sid", "-a"];
    let none = folder.run(&end);
    assert_eq!((none.code, none.stderr.contains("no such session")), (66, true), "{none:?}");
    let list = folder.run(&["sessions", "list", "-c", "gateway.toml", "--openid", "-oAlice"]);
    assert!(list.code == 0 && list.stdout.ends_with("no sessions\n"), "{list:?}");
}

#[test]
fn who_may_not_is_77_and_what_is_not_there_69() {
    let (dev, folder) = house();
    let url = format!("http://{}", dev.admin);
    let list = ["sessions", "list", "--openid", "oAlice"];
    let none = folder.run(&[&list[..], &["--admin", &url]].concat());
    let wrong = [("WXGATE_ADMIN_TOKEN", "another")];
    let wrong = folder.run_with(&[&list[..], &["--admin", &url]].concat(), &wrong, "");
    for ended in [&none, &wrong] {
        assert_eq!((ended.code, ended.stdout.as_str()), (77, ""), "{ended:?}");
        assert!(ended.stderr.contains("show the token"), "{ended:?}");
    }
    let unknown = ["-c", "gateway.toml", "--app", "nobody"];
    let unknown = folder.run(&[&list[..], &unknown].concat());
    assert!(unknown.code == 66 && unknown.stderr.contains("no such app"), "{unknown:?}");
    for wrong in [&["sessions", "end"][..], &["sessions", "end", "--all"], &["sessions", "list"]] {
        assert_eq!(folder.run(wrong).code, 64, "{wrong:?}");
    }
    drop(dev);
    for command in [&list[..], &["top", "--once"], &["health"]] {
        let (option, path) =
            if command == ["health"] { ("--url", "/readyz") } else { ("--admin", "") };
        let ended = folder.run(&[command, &[option, &format!("{url}{path}")]].concat());
        assert_eq!((ended.code, ended.stdout.as_str()), (69, ""), "{ended:?}");
        assert!(ended.stderr.contains("nobody listens there"), "{ended:?}");
    }
}

#[test]
fn health_is_0_where_the_gateway_is_ready() {
    let (dev, folder) = house();
    let url = format!("http://{}/livez", dev.admin);
    for (arguments, word) in [
        (&["--config", "gateway.toml"][..], "ready\n"),
        (&["--config", "gateway.toml", "--live"], "live\n"),
        (&["--url", &url], "ready\n"),
    ] {
        let ended = folder.run(&[&["health"], arguments].concat());
        assert_eq!((ended.code, ended.stdout.as_str()), (0, word), "{ended:?}");
    }
    // A change that the gateway keeps out is no reason to start it anew.
    folder.write(
        "gateway.toml",
        &format!("{}\nx = 1\n[store]\nurl = \"no\"", with_admin(&dev.admin)),
    );
    assert_eq!(folder.run(&["health", "-c", "gateway.toml"]).code, 0);
    let missing = folder.run(&["health", "-c", "other.toml"]);
    assert!(missing.code == 78 && missing.stderr.contains("other.toml"), "{missing:?}");
}

/// What listens by default is another gateway, which may well be ready.
#[test]
fn nobody_is_asked_where_the_file_does_not_say_whom() {
    for (admin, what) in [
        ("[admin]\nlisten = \"${ADMIN_B}\"", "ADMIN_B"),
        ("[admin]\nlisten = \"127.0.0.1\"", "listen"),
        ("[admin]\nlisten = 9902", "listen"),
        ("[admin]\nlisen = \"127.0.0.1:9902\"", "lisen"),
        ("admin = \"127.0.0.1:9902\"", "admin"),
    ] {
        let folder = Folder::with("b.toml", &format!("{admin}\n{SHOP}"));
        let sessions = ["sessions", "list", "--openid", "oAlice"];
        for command in [&["health"][..], &["health", "--live"], &["top", "--once"], &sessions] {
            let ended = folder.run(&[command, &["-c", "b.toml"]].concat());
            assert_eq!((ended.code, ended.stdout.as_str()), (78, ""), "{ended:?}");
            assert!(ended.stderr.contains("b.toml:") && ended.stderr.contains(what), "{ended:?}");
        }
    }
}

#[test]
fn who_says_whom_to_ask_needs_no_address_in_the_file() {
    let (dev, folder) = house();
    folder.write("gateway.toml", &with_admin("${ADMIN_B}"));
    let url = format!("http://{}", dev.admin);
    let list = ["sessions", "list", "--openid", "oAlice", "-c", "gateway.toml", "--admin", &url];
    let ended = folder.run(&list);
    assert_eq!(ended.code, 0, "the token is the file's: {ended:?}");
    // A token that is not there is not in the way of what needs none.
    let token = "token_file = \"nowhere\"";
    let admin = format!("[admin]\nlisten = \"{}\"\n{token}\n{SHOP}", dev.admin);
    folder.write("gateway.toml", &admin);
    assert_eq!(folder.run(&["health", "-c", "gateway.toml"]).code, 0);
}

/// Answers one request, whatever it is, or none.
fn server(answer: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap() > 2 {
            line.clear();
        }
        match answer {
            Some(answer) => lines.get_mut().write_all(answer.as_bytes()).unwrap(),
            // Until the other side has had enough.
            None => drop(lines.read_to_end(&mut Vec::new())),
        }
    });
    format!("http://{address}/readyz")
}

#[test]
fn health_says_what_is_in_the_way() {
    let answer = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n\
                  {\"ready\":false,\"blocked\":{\"store\":\"no connection\"}}";
    let url = server(Some(answer));
    let ended = wxgate(SHOP, &["health", "--url", &url]);
    assert_eq!((ended.code, ended.stdout.as_str()), (69, ""), "{ended:?}");
    assert_eq!(ended.stderr, format!("wxgate: {url} says 503; store: no connection\n"));
}

/// What answers at one of the two may be a redirect, or nothing, at the other.
#[test]
fn health_asks_the_very_url_that_it_is_given() {
    for path in ["/ping", "/ping/", "/ping//", "/", "/ping?x=/"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}{path}", listener.local_addr().unwrap());
        let asked = std::thread::spawn(move || {
            let mut lines = BufReader::new(listener.accept().unwrap().0);
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            let answer = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
            lines.get_mut().write_all(answer.as_bytes()).unwrap();
            // To close with something unread would break the connection.
            let _ = lines.read_to_end(&mut Vec::new());
            line
        });
        let ended = wxgate(SHOP, &["health", "--url", &url]);
        assert_eq!(ended.code, 0, "{ended:?}");
        assert_eq!(asked.join().unwrap(), format!("GET {path} HTTP/1.1\r\n"));
    }
}

#[test]
fn health_does_not_wait_for_ever() {
    let ended = wxgate(SHOP, &["health", "--url", &server(None)]);
    assert_eq!(ended.code, 69, "{ended:?}");
    assert!(ended.stderr.contains("not in time"), "{ended:?}");
}

#[test]
fn the_admin_token_is_in_nothing_that_is_written() {
    let url = server(Some("HTTP/1.1 500 Oops\r\nConnection: close\r\n\r\nno JSON"));
    let base = url.strip_suffix("/readyz").unwrap();
    let list = ["sessions", "list", "--openid", "oAlice", "--admin", base];
    let ended = Folder::with("x", "").run_with(&list, &[("WXGATE_ADMIN_TOKEN", TOKEN)], "");
    assert_eq!(ended.code, 69, "{ended:?}");
    assert!(!ended.stderr.contains(TOKEN) && !ended.stdout.contains(TOKEN), "{ended:?}");
    let _ = TcpStream::connect(base.trim_start_matches("http://"));
}
