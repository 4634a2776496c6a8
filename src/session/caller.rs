//! Who makes a request.

use std::ops::Deref;
use std::sync::Arc;

use super::Live;

/// The session of who makes a request, as one configuration sees it.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The session.
    pub live: Arc<Live>,
    /// The position of its app in the settings, which may be another after a reload.
    pub app: usize,
}

impl Deref for Caller {
    type Target = Live;

    fn deref(&self) -> &Live {
        &self.live
    }
}
