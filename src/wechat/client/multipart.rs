//! A form with one file (RFC 7578), in memory.

use bytes::{BufMut, Bytes, BytesMut};
use uuid::Uuid;

/// The only part of a form.
pub(crate) struct File {
    pub(super) field: &'static str,
    pub(super) name: &'static str,
    pub(super) media_type: &'static str,
    pub(super) bytes: Bytes,
}

impl File {
    /// The content type of the form, and its bytes.
    pub(super) fn encode(&self) -> (String, Bytes) {
        // 74 random bits: whoever made the file cannot have foreseen the boundary.
        let boundary = Uuid::now_v7().simple().to_string();
        let Self { field, name, media_type, bytes } = self;
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"; \
             filename=\"{name}\"\r\nContent-Type: {media_type}\r\n\r\n"
        );
        let end = format!("\r\n--{boundary}--\r\n");
        let mut form = BytesMut::with_capacity(head.len() + bytes.len() + end.len());
        form.put_slice(head.as_bytes());
        form.put_slice(bytes);
        form.put_slice(end.as_bytes());
        (format!("multipart/form-data; boundary={boundary}"), form.freeze())
    }
}
