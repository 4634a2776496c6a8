//! `wxgate schema`: the schema, the reference and `gateway.toml` know the same.

use serde_json::Value;

use crate::packages::{NPM_INSTALL, folder_with, installed, run};
use crate::{SHOP, wxgate};
use wxgate::config::reference;

const SCHEMA: &str = include_str!("../../gateway.schema.json");
const PAGE: &str = include_str!("../../docs/configuration.md");

#[test]
fn the_files_are_those_that_make_generate_makes() {
    let schema = wxgate(SHOP, &["schema"]);
    let page = wxgate(SHOP, &["schema", "--markdown"]);
    assert_eq!((schema.code, page.code), (0, 0));
    assert!(schema.stdout == SCHEMA, "gateway.schema.json is old: run `make generate`");
    assert!(page.stdout == PAGE, "docs/configuration.md is old: run `make generate`");
}

#[test]
fn every_key_is_explained_and_every_explanation_is_of_a_key() {
    assert_eq!(reference::gaps(), [] as [&str; 0]);
}

#[test]
fn the_reference_file_names_the_schema() {
    let first = include_str!("../../gateway.toml").lines().next();
    assert_eq!(first, Some("#:schema ./gateway.schema.json"));
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

/// What another's validator says of each file.
async fn validated(files: &[String]) -> Option<Vec<Value>> {
    let folder = folder_with("schema");
    if !installed(&folder, &NPM_INSTALL).await {
        return None;
    }
    let documents: Vec<Value> = files.iter().map(|text| toml::from_str(text).unwrap()).collect();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("schema.json", SCHEMA);
    write("documents.json", &serde_json::to_string(&documents).unwrap());
    let found = run(&folder, &["node", "validate.js"], &[]).await;
    Some(found.as_array().unwrap().clone())
}

#[tokio::test]
async fn what_works_is_valid_by_the_schema_and_what_it_can_tell_is_not() {
    let readme = include_str!("../../README.md").split("```toml\n").skip(1);
    let readme = readme.map(|rest| rest.split("```").next().unwrap().to_owned());
    let whole = readme.filter(|block| block.contains("[apps."));
    let right: Vec<_> = [
        include_str!("../../gateway.toml").to_owned(),
        include_str!("../../src/cli/dev/gateway.toml").to_owned(),
        SHOP.to_owned(),
        format!("server.listen = [\"unix:/x\", {{ address = \"0.0.0.0:1\" }}]\n{SHOP}"),
        format!("session.idle = \"${{IDLE}}\"\nsession.revocation = \"${{R:-none}}\"\n{SHOP}"),
        format!("session.signing_keys_file = \"one\"\n{SHOP}"),
        format!("identity.claims = {{ user_id = \"X-User-Id\" }}\n{SHOP}"),
        SHOP.replace("secret = \"${WX_SECRET}\"", "secret_file = \"/run/secret\""),
    ]
    .into_iter()
    .chain(whole)
    .collect();
    let wrong = [
        ("server.lisen = [\"0.0.0.0:1\"]", "must NOT have additional properties"),
        ("server.h2c = \"yes\"", "/server/h2c must be boolean"),
        ("server.workers = 1025", "/server/workers must be <= 1024"),
        ("session.idle = \"soon\"", "/session/idle must match pattern"),
        ("session.idle = 5", "/session/idle must be string"),
        ("session.revocation = \"now\"", "/session/revocation must be equal to one of the allowed"),
        ("session.cookie = {}", "/session/cookie must have required property 'name'"),
        ("apps.b = { appid = \"wx0000000000000000\" }", "must have required property 'secret'"),
        ("upstreams.b = {}", "must have required property 'servers'"),
        ("identity.claims = { a = 1 }", "/identity/claims/a must be string"),
    ];
    let wrong_files = wrong.map(|(line, _)| format!("{line}\n{SHOP}"));
    for text in &wrong_files {
        // The reader agrees.
        assert_ne!(wxgate(text, &["check"]).code, 0, "{text}");
    }
    let files: Vec<_> = right.iter().cloned().chain(wrong_files).collect();
    let Some(found) = validated(&files).await else { return };
    for (text, errors) in right.iter().zip(&found) {
        assert_eq!(errors.as_array().unwrap().len(), 0, "{errors} in\n{text}");
    }
    for ((line, error), errors) in wrong.iter().zip(&found[right.len()..]) {
        let said = errors.to_string();
        assert!(said.contains(error), "{line}: {said}");
    }
}
