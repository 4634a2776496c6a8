//! Who asks for a reload is told of one that read what was there when he asked.

use std::sync::{Arc, Mutex, mpsc};

use futures_util::poll;
use tokio::sync::mpsc::unbounded_channel;
use wxgate::app::{Source, follow};
use wxgate::lifecycle::service_manager::ServiceManager;
use wxgate::lifecycle::signals::Hangup;

use crate::support::config::Config;
use crate::support::gateway::Gateway;

fn limited(body_size: &str) -> Config {
    Config::default().table("limits", &format!("body_size = \"{body_size}\""))
}

#[tokio::test]
async fn a_reload_that_read_the_file_before_does_not_answer() {
    let gateway = Gateway::start().await;
    let in_file = Arc::new(Mutex::new(gateway.read(&limited("1KiB")).unwrap()));
    let (reads, mut is_read) = unbounded_channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let (file, may_go_on) = (in_file.clone(), Mutex::new(may_go_on));
    let read = move || {
        let read = file.lock().unwrap().clone();
        let _ = reads.send(());
        // An error means that it may go on for good.
        let _ = may_go_on.lock().unwrap().recv();
        Ok(read)
    };
    let configuration = gateway.app.configuration().clone();
    let file = tempfile::NamedTempFile::new().unwrap();
    let source = Source { file: file.path().to_owned(), read: Arc::new(read) };
    let (hangup, nobody) = (Hangup::catch().unwrap(), ServiceManager::default());
    tokio::spawn(follow(configuration.clone(), source, hangup, nobody));

    // The gateway has read the file by itself, and is slow to go on; it is written anew meanwhile.
    is_read.recv().await.unwrap();
    *in_file.lock().unwrap() = gateway.read(&limited("2KiB")).unwrap();
    let mut answer = Box::pin(configuration.reloads().ask());
    assert!(poll!(&mut answer).is_pending());
    go_on.send(()).unwrap();
    is_read.recv().await.unwrap();
    assert_eq!(configuration.reloads().record().applied, 1, "what was there before");
    assert!(poll!(&mut answer).is_pending());
    drop(go_on);
    let record = answer.await.unwrap();
    assert_eq!(record.applied, 2, "{record:?}");
    assert_eq!(configuration.settings().limits, gateway.read(&limited("2KiB")).unwrap().limits);
}
