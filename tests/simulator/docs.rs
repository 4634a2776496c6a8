//! The examples of docs/simulator.md, run from top to bottom.

use tokio::process::Command;

use crate::support::{APPID, Wechat};

#[tokio::test]
async fn each_example_of_the_page_works() {
    let page = include_str!("../../docs/simulator.md");
    let blocks = page.split("```sh\n").skip(1).filter_map(|block| block.split("```").next());
    let wechat = Wechat::with_apps(&[]).await;
    // A control call that is refused ends the script, and names itself.
    let script = format!(
        "set -eu\ncurl() {{ command curl --noproxy '*' -sS --fail-with-body \"$@\" || \
         {{ echo \"failed: $*\" >&2; exit 1; }}; }}\n{}",
        blocks.collect::<String>()
    )
    .replace("http://127.0.0.1:8090", &wechat.simulator.base_url());
    let output = Command::new("sh").args(["-c", &script]).output().await.unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert!(stdout.contains(&wechat.world().openid(APPID, "alice")));
    assert!(stdout.contains("\"phone_info\":{\"phoneNumber\":\"138"));
    assert!(stdout.contains("\"encryptedData\":"));
}

#[test]
fn the_page_has_each_control_call() {
    let page = include_str!("../../docs/simulator.md");
    for line in wxgate::simulator::CONTROL_CALLS.lines() {
        let path = line.split_whitespace().nth(1).unwrap();
        let path = path.split(['?', '{']).next().unwrap();
        assert!(page.contains(path), "{path}");
    }
}
