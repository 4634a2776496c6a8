//! Headers that a route changes.

use http::{HeaderName, HeaderValue};

/// The `request_headers` or `response_headers` of a route. The configuration lets no name through that
/// is the gateway's to set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderChanges {
    /// Taken off, all lines of the name.
    pub remove: Vec<HeaderName>,
    /// Set in the place of all lines of the name. The values may be credentials, and are shown nowhere.
    pub set: Vec<(HeaderName, HeaderValue)>,
}
