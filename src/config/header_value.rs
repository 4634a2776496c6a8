//! Values of headers that the gateway sends.

use http::HeaderValue;

use super::problem::Complaint;
use super::value::Form;

pub(super) const VALUE: Form = Form {
    noun: "header value",
    help: "write visible ASCII on one line, without spaces around it",
};

/// Reads a value, which may be a secret.
pub(super) fn parse(text: &str) -> Result<HeaderValue, Complaint> {
    let visible = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let mut value = HeaderValue::from_str(text).map_err(|_| VALUE.missed())?;
    value.set_sensitive(true);
    match visible && text.trim() == text && !text.is_empty() {
        true => Ok(value),
        false => Err(VALUE.missed()),
    }
}
