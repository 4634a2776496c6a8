//! Following the files of a certificate. They are read again every second: a notice of the system would
//! be lost where Kubernetes swaps a folder's link, or where a network holds the files.

use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

use super::{Fingerprint, Tls, Unusable};

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is served now: always a certificate with its own key.
#[derive(Debug)]
pub(in crate::listen) struct Served {
    files: Tls,
    config: ArcSwap<ServerConfig>,
}

impl Served {
    /// Loads the files, and follows them for as long as this is used.
    pub(in crate::listen) fn start(files: Tls) -> Result<Arc<Self>, Unusable> {
        let contents = files.contents()?;
        let config = ArcSwap::from_pointee(files.server_config(&contents)?);
        let watched = Arc::new(Self { files, config });
        tokio::spawn(follow(Arc::downgrade(&watched), contents.fingerprint()));
        Ok(watched)
    }

    /// For one handshake.
    pub(in crate::listen) fn acceptor(&self) -> TlsAcceptor {
        self.config.load_full().into()
    }
}

/// What the looks at the files have found so far.
#[derive(Debug)]
struct Looks {
    /// What was loaded, or refused and said to be, last.
    judged: Found,
    /// What stood there at the last look: files are written one after the other, and in pieces, so that
    /// only what has stayed as it is from one look to the next counts.
    last: Found,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    Contents(Fingerprint),
    /// What is wrong, in words.
    Unreadable(String),
}

async fn follow(watched: Weak<Served>, served: Fingerprint) {
    let served = Found::Contents(served);
    let mut looks = Looks { judged: served.clone(), last: served };
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(watched) = watched.upgrade() else { return };
        let look = tokio::task::spawn_blocking(move || {
            looks.look(&watched);
            looks
        });
        // It fails where the runtime ends.
        let Ok(looked) = look.await else { return };
        looks = looked;
    }
}

impl Looks {
    fn look(&mut self, served: &Served) {
        let contents = served.files.contents();
        let found = match &contents {
            Ok(contents) => Found::Contents(contents.fingerprint()),
            Err(unusable) => Found::Unreadable(unusable.to_string()),
        };
        let settled = found == self.last;
        self.last = found.clone();
        if !settled || found == self.judged {
            return;
        }
        self.judged = found;
        match contents.and_then(|contents| served.files.server_config(&contents)) {
            Ok(config) => {
                served.config.store(Arc::new(config));
                info!("the certificate in {} was loaded anew", served.files.cert.display());
            }
            Err(unusable) => warn!(
                "a changed certificate is not used, the one before it stays: {unusable}; put a \
                 certificate and its own key there, which is noticed by itself"
            ),
        }
    }
}
