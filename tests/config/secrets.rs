//! Secrets come from variables or files of their own, and are never shown.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use proptest::prelude::prop_assert;
use wxgate::config;

use super::{KEY, ROUTES, file, lines, problems, settings};

/// A file whose only app takes its secret by this line.
fn with_secret(line: &str) -> String {
    format!(
        "[apps.shop]\nappid = \"wx4f4bc4dec97d474b\"\n{line}\n\
         [upstreams.shop]\nservers = [\"http://127.0.0.1:3000\"]\n{ROUTES}"
    )
}

fn write(path: &Path, content: impl AsRef<[u8]>, mode: u32) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_secret_file_is_relative_to_the_configuration_and_loses_one_newline() {
    let folder = tempfile::tempdir().unwrap();
    let (path, secret) = (folder.path().join("gateway.toml"), folder.path().join("shop.secret"));
    fs::write(&path, with_secret("secret_file = \"shop.secret\"")).unwrap();
    for (content, expected) in [
        ("hunter2", "hunter2"),
        ("hunter2\n", "hunter2"),
        ("hunter2\r\n", "hunter2"),
        ("hunter2\n\n", "hunter2\n"),
    ] {
        write(&secret, content, 0o600);
        let settings = config::load(&path, &|_| None).unwrap();
        assert_eq!(settings.apps[0].secret.expose(), expected);
        assert_eq!(settings.files, std::slice::from_ref(&secret));
    }
}

#[test]
fn a_secret_file_that_is_no_secret_is_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::create_dir(path("folder")).unwrap();
    write(Path::new(&path("empty")), "\n", 0o600);
    write(Path::new(&path("bytes")), b"\xff\xfe", 0o600);
    write(Path::new(&path("large")), "x".repeat(70_000), 0o600);
    for (name, message) in [
        ("none", "cannot be read: No such file or directory (os error 2)"),
        ("folder", "is no regular file"),
        ("empty", "is empty"),
        ("bytes", "holds something other than text"),
        ("large", "is too large for a secret"),
    ] {
        let path = path(name);
        let found = problems(&with_secret(&format!("secret_file = \"{path}\"")));
        let [found] = found.as_slice() else { panic!("{found:#?}") };
        assert!(found.starts_with("3:15: secret_file: ") && found.ends_with(message), "{found}");
    }
}

#[test]
fn a_secret_file_for_everybody_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let text = with_secret(&format!("secret_file = \"{}\"", path.display()));
    write(&path, "0123456789abcdef0123456789abcdef", 0o644);
    let warnings = lines(&settings(&text).warnings);
    assert!(
        warnings[0].starts_with("3:15: secret_file: ")
            && warnings[0].contains("can be read by every user")
    );
    write(&path, "0123456789abcdef0123456789abcdef", 0o640);
    assert_eq!(lines(&settings(&text).warnings), [] as [&str; 0]);
}

#[test]
fn a_secret_stands_in_one_place() {
    assert_eq!(
        problems(&with_secret("secret = \"x\"\nsecret_file = \"/nowhere\"")).first().unwrap(),
        "4:1: \"secret_file\" in [apps.shop] and the key without `_file` are both given; keep one of them"
    );
    assert_eq!(problems(&with_secret("secret = \"\"")), ["3:10: secret: the value is empty"]);
    assert_eq!(
        problems(&with_secret("secret = 7")),
        ["3:10: secret: an integer is no string; write it in quotes"]
    );
    assert_eq!(
        problems(&with_secret("secret = \"${NONE}\"")),
        [
            "3:11: secret: the environment variable NONE is not set; export NONE=…, or name a file that holds it in secret_file"
        ]
    );
    assert_eq!(
        lines(&settings(&with_secret("secret = \"hunter2\"")).warnings),
        [
            "3:10: secret: the value does not look like an AppSecret; that has 32 digits and letters from a to f"
        ]
    );
}

#[test]
fn keys_come_from_one_file_or_several() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    write(Path::new(&path("one")), KEY, 0o600);
    write(Path::new(&path("other")), "A".repeat(43), 0o600);
    write(Path::new(&path("short")), "AAEC", 0o600);
    let (one, other, short) = (path("one"), path("other"), path("short"));

    let given = settings(&file(&format!("store.encryption_keys_file = \"{one}\"")));
    assert_eq!(given.store.encryption_keys[0].expose()[..3], [0, 1, 2]);
    let given = settings(&file(&format!("session.signing_keys_file = [\"{one}\", \"{other}\"]")));
    assert_eq!((given.session.signing_keys.len(), given.files.len()), (2, 2));
    assert_eq!(
        problems(&file(&format!("session.signing_keys_file = [\"{one}\", \"{short}\"]"))),
        [format!(
            "1:{}: signing_keys_file: the content of \"{short}\" is no signing key; \
             an HS256 signing key has 32 bytes or more: make one with `openssl rand -base64 32`",
            34 + one.len()
        )]
    );
}

#[test]
fn keys_may_be_left_out_where_the_store_is_memory() {
    // The gateway makes them then, once: a reload must not make others.
    let given = settings(&file(""));
    assert!(given.session.signing_keys.is_empty() && given.store.encryption_keys.is_empty());
    assert_eq!(
        problems(&file("[store]\nurl = \"redis://r\"\n[session]"))
            .iter()
            .filter(|found| found.contains("are missing: replicas must have the same"))
            .map(|found| found.split(": ").next().unwrap())
            .collect::<Vec<_>>(),
        ["2:7", "3:1"]
    );
}

/// Everywhere where a secret can stand, and where one is easily put by mistake.
const EVERYWHERE: &str = r#"
admin.token = "SECRET"
admin.listen = "${SECRET}"
apps.a = { appid = "wx0000000000000000", secret = "SECRET", push = { token = "SECRET", encoding_aes_key = "SECRET" } }
apps.b = { appid = "${SECRET}", secret = ["SECRET"], api_security = { symmetric_key = "SECRET" } }
apps.c = { appid = "wx0000000000000000", secret = { x = "SECRET" }, secret_file = "${SECRET}", env = "${SECRET} " }
wechat.base_url = "http://me:SECRET@wechat"
wechat.proxy = "SECRET@egress:x"
store.url = "redis://me:SECRET@redis/?SECRET@"
store.password = "SECRET"
store.key_prefix = "${SECRET} "
store.encryption_keys = ["SECRET", 7, "${SECRET}"]
session.signing_keys = ["SECRET", "-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----"]
session.token_from = ["cookie:${SECRET} "]
server.workers = "SECRET"
server.listen = ["${SECRET}", "${SECRET}:1", ":${SECRET}"]
identity.openid = "${SECRET} "
limits.body_size = "${SECRET}"
upstreams.a = { servers = ["http://me:SECRET@a", "${SECRET}", "http://${SECRET}/x"], pass_headers = ["${SECRET}"], balance = "${SECRET}" }
routes = [
  { path = "/x/../${SECRET}", upstream = "${SECRET}", app = "${SECRET}", methods = ["${SECRET}"], auth = "${SECRET}" },
  { path = "/${SECRET}", action = "login" }, { path = "/${SECRET}", action = "login" },
  { path = "//${SECRET}", action = "${SECRET}", host = "${SECRET} ", rewrite = "//${SECRET}" },
]
"#;

proptest::proptest! {
    #[test]
    fn no_secret_is_in_any_message(marker in "[a-zA-Z0-9]{12,40}") {
        let text = EVERYWHERE.replace("${SECRET}", "${VARIABLE}").replace("SECRET", &marker);
        let variable = |_: &str| Some(marker.clone());
        let problems = config::parse("gateway.toml", &text, Path::new("/nowhere"), &variable).unwrap_err();
        prop_assert!(problems.list.len() > 35, "{}", problems);
        let shown = format!("{problems} {problems:?}").to_lowercase();
        prop_assert!(!shown.contains(&marker.to_lowercase()), "{}", shown);

        let broken = text.replace("\"\n", "\n").replace("[[", "[");
        let problems = config::parse("gateway.toml", &broken, Path::new(""), &variable).unwrap_err();
        prop_assert!(!problems.to_string().contains(&marker), "{}", problems);
    }

    #[test]
    fn no_secret_is_in_settings_that_are_printed(marker in "[a-zA-Z0-9]{44}") {
        let text = file(&format!(
            "admin.token = \"{marker}\"\nstore.encryption_keys = [\"{KEY}\"]\nsession.signing_keys = [\"{marker}\"]\n\
             [apps.b]\nappid = \"wx0000000000000000\"\nsecret = \"{marker}\""
        ));
        let shown = format!("{:?}", settings(&text));
        prop_assert!(!shown.contains(&marker) && !shown.contains(KEY), "{}", shown);
    }
}

#[test]
fn headers_for_the_collector_may_stand_in_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    write(Path::new(&path("good")), "Bearer hunter2\n", 0o600);
    write(Path::new(&path("bad")), "Bearer hunter2\nX-Other: 1\n", 0o600);
    let traces = |rest: &str| file(&format!("[traces]\nendpoint = \"http://a:4318\"\n{rest}"));
    let good = traces(&format!("headers_file = {{ Authorization = \"{}\" }}", path("good")));
    let read = settings(&good);
    let headers = read.traces.unwrap().headers;
    assert_eq!(headers.len(), 1);
    let (name, value) = &headers[0];
    assert_eq!((name.as_str(), value.as_bytes()), ("authorization", &b"Bearer hunter2"[..]));
    assert!(value.is_sensitive());
    assert_eq!(read.files, [Path::new(&path("good"))]);
    let both = good.replace("headers_file", "headers = { authorization = \"x\" }\nheaders_file");
    assert_eq!(
        problems(&both),
        ["4:18: \"authorization\" stands in `headers` too; keep one of them"]
    );
    for name in ["bad", "none"] {
        let found = problems(&good.replace(&path("good"), &path(name)));
        let [found] = found.as_slice() else { panic!("{found:#?}") };
        assert!(found.starts_with("3:34: ") && !found.contains("hunter2"), "{found}");
    }
}
