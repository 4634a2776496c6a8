//! `jwks`: the public keys by which upstreams verify assertions, where they cannot ask the admin listener.

use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use super::answer::{self, Answer};
use crate::identity::assertion::{Assertions, KeySet};
use crate::refusal::{Reason, Refusal};

/// Gives the keys out.
pub fn jwks(assertions: Option<&Assertions>) -> answer::Result {
    // The configuration lets no such route through.
    let none = || Refusal::new(Reason::NoRoute, "there are no assertions");
    let keys = assertions.ok_or_else(none)?.published();
    let mut answer = Answer::json_text(keys.json().to_owned());
    let (media_type, cache_control) = (KeySet::MEDIA_TYPE, KeySet::CACHE_CONTROL);
    answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer.headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache_control));
    Ok(answer)
}
