//! `wxgate keys generate`.

use std::os::unix::fs::PermissionsExt;

use wxgate::identity::assertion::AssertionKey;
use wxgate::session::store::EncryptionKey;
use wxgate::session::token::SigningKey;

use crate::{Folder, SHOP, wxgate};

#[test]
fn every_kind_of_key_is_one_that_the_configuration_takes() {
    for (arguments, kind) in [
        (&["keys", "generate"][..], "HS256"),
        (&["keys", "generate", "--signing", "hs256"], "HS256"),
        (&["keys", "generate", "--signing", "ed25519"], "EdDSA"),
        (&["keys", "generate", "--signing", "es256"], "ES256"),
    ] {
        let (one, other) = (wxgate(SHOP, arguments), wxgate(SHOP, arguments));
        assert_eq!((one.code, one.stderr.as_str()), (0, ""));
        assert_ne!(one.stdout, other.stdout);
        let key = SigningKey::parse(one.stdout.trim()).unwrap();
        assert!(format!("{key:?}").contains(kind), "{key:?}");
        let text = format!("[session]\nsigning_keys = [\"${{KEY}}\"]\n{SHOP}");
        let folder = Folder::with("gateway.toml", &text);
        assert_eq!(folder.run_with(&["check"], &[("KEY", &one.stdout)], "").code, 0, "{kind}");
    }
    for kind in ["ed25519", "es256"] {
        let pem = wxgate(SHOP, &["keys", "generate", "--signing", kind]).stdout;
        assert!(AssertionKey::parse(&pem).is_ok(), "{kind}");
    }
    let sealing = wxgate(SHOP, &["keys", "generate", "--store"]).stdout;
    assert!(EncryptionKey::parse(sealing.trim()).is_some());
}

#[test]
fn a_key_in_a_file_is_for_its_owner_and_never_written_over() {
    let folder = Folder::with("gateway.toml", SHOP);
    let arguments = ["keys", "generate", "--signing", "ed25519", "--out", "key.pem"];
    let ended = folder.run(&arguments);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""));
    let path = folder.path().join("key.pem");
    let key = std::fs::read_to_string(&path).unwrap();
    assert!(SigningKey::parse(&key).is_ok());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let ended = folder.run(&arguments);
    assert_eq!(ended.code, 73, "{ended:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), key);
}
