//! Reads the configuration again when its files change, on SIGHUP, and when the admin listener asks.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::Configuration;
use crate::config::{Fingerprint, Problems, Settings};
use crate::lifecycle::reloads::Record;
use crate::lifecycle::service_manager::ServiceManager;
use crate::lifecycle::signals::Hangup;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Files that are being written are left alone until nothing changes for so long.
const SETTLED: Duration = Duration::from_millis(100);

/// Where a configuration is read from.
pub struct Source {
    /// The file itself.
    pub file: PathBuf,
    /// Reads it, with everything that it names.
    pub read: Arc<dyn Fn() -> Result<Settings, Problems> + Send + Sync>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Follows the source for as long as the gateway runs.
pub async fn follow(
    configuration: Arc<Configuration>,
    source: Source,
    mut hangup: Hangup,
    manager: ServiceManager,
) {
    configuration.reloads().follow();
    let mut files = Vec::new();
    // Nothing: what happened between the start and now is found at the first look.
    let mut seen = Fingerprint::of([]);
    loop {
        let mut asked = tokio::select! {
            () = hangup.next() => true,
            () = configuration.reloads().wanted() => true,
            () = changed(&files, &seen) => false,
        };
        let was_asked = asked;
        if was_asked {
            manager.reloading();
        }
        loop {
            // Before they are read, so that who asks meanwhile is not answered by what was read already,
            // and a change meanwhile is found.
            let begun = configuration.reloads().begin();
            seen = look(&files).await;
            let read = source.read.clone();
            // It ends with the runtime only.
            let Ok(read) = spawn_blocking(move || read()).await else { return };
            let named = files_of(&source.file, &configuration, &read);
            configuration.reload(read, asked || begun.is_asked_for).await;
            begun.end();
            if named == files {
                break;
            }
            // Those that are new were not looked at before they were read.
            (files, asked) = (named, false);
        }
        let status = in_words(&configuration.reloads().record());
        match was_asked {
            true => manager.ready(&status),
            false => manager.status(&status),
        }
    }
}

/// What `systemctl status` says of it.
fn in_words(record: &Record) -> String {
    let generation = record.generation;
    match record.failure() {
        None => format!("configuration {generation} is in effect"),
        Some(reason) => format!("configuration {generation} stays in effect: {reason}"),
    }
}

/// The files whose change may change something: also those that are missing in one that does not work,
/// and then those of the one in effect.
fn files_of(
    file: &Path,
    configuration: &Configuration,
    read: &Result<Settings, Problems>,
) -> Vec<PathBuf> {
    let mut files = vec![file.to_owned()];
    match read {
        Ok(settings) => files.extend_from_slice(&settings.files),
        Err(problems) => {
            files.extend_from_slice(&problems.files.0);
            files.extend_from_slice(&configuration.settings().files);
        }
    }
    files
}

/// Waits until the files look otherwise, and then until they stay as they are.
async fn changed(files: &[PathBuf], seen: &Fingerprint) {
    let mut found;
    loop {
        sleep(LOOK_EVERY).await;
        found = look(files).await;
        if found != *seen || files.is_empty() {
            break;
        }
    }
    loop {
        sleep(SETTLED).await;
        let again = look(files).await;
        if again == found {
            return;
        }
        found = again;
    }
}

/// Off the threads of requests: a network file system may make one wait.
async fn look(files: &[PathBuf]) -> Fingerprint {
    let files = files.to_vec();
    let look = move || Fingerprint::of(files.iter().map(PathBuf::as_path));
    spawn_blocking(look).await.unwrap_or_else(|_| Fingerprint::of([]))
}
