//! OTLP's request for spans in protobuf: `ExportTraceServiceRequest` of opentelemetry-proto 1.x, whose
//! numbers never change. Its messages are few and only written, so that ten lines of varints stand in for a
//! protobuf library.

use super::span::{Finished, Kind, Value};

/// The types of fields on the wire.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// `SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE` and `…_IS_REMOTE`, beside the flags of the trace.
const PARENT_IS_KNOWN: u32 = 0x100;
const PARENT_IS_REMOTE: u32 = 0x200;
const SAMPLED: u32 = 1;
const STATUS_ERROR: u64 = 2;

/// The body of a request that hands over these spans.
pub(super) fn request(service_name: &str, spans: &[Finished]) -> Vec<u8> {
    let mut request = Message::default();
    request.message(1, |resource_spans| {
        resource_spans.message(1, |resource| {
            resource.text_attribute(1, "service.name", service_name);
            resource.text_attribute(1, "service.version", env!("CARGO_PKG_VERSION"));
        });
        resource_spans.message(2, |scope_spans| {
            scope_spans.message(1, |scope| {
                scope.bytes(1, b"wxgate");
                scope.bytes(2, env!("CARGO_PKG_VERSION").as_bytes());
            });
            for span in spans {
                scope_spans.message(2, |message| write(span, message));
            }
        });
    });
    request.0
}

fn write(span: &Finished, message: &mut Message) {
    message.bytes(1, &span.context.trace_id);
    message.bytes(2, &span.context.span_id);
    let mut flags = SAMPLED | PARENT_IS_KNOWN;
    if let Some(parent) = &span.parent {
        message.bytes(4, parent);
        if span.kind == Kind::Server {
            flags |= PARENT_IS_REMOTE;
        }
    }
    message.bytes(5, span.name.as_bytes());
    message.number(6, kind(span.kind));
    message.fixed64(7, span.begun);
    message.fixed64(8, span.ended);
    for (name, value) in &span.attributes {
        match value {
            Value::Text(text) => message.text_attribute(9, name, text),
            Value::Integer(number) => message.attribute(9, name, |value| {
                value.number(3, number.cast_unsigned());
            }),
        }
    }
    if span.failed {
        message.message(15, |status| status.number(3, STATUS_ERROR));
    }
    message.fixed32(16, flags);
}

fn kind(kind: Kind) -> u64 {
    match kind {
        Kind::Internal => 1,
        Kind::Server => 2,
        Kind::Client => 3,
    }
}

/// A message in the making.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn number(&mut self, field: u64, number: u64) {
        self.tag(field, VARINT);
        self.varint(number);
    }

    fn fixed64(&mut self, field: u64, number: u64) {
        self.tag(field, FIXED64);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn fixed32(&mut self, field: u64, number: u32) {
        self.tag(field, FIXED32);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.tag(field, BYTES);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn message(&mut self, field: u64, fill: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        fill(&mut inner);
        self.bytes(field, &inner.0);
    }

    fn text_attribute(&mut self, field: u64, name: &str, text: &str) {
        self.attribute(field, name, |value| value.bytes(1, text.as_bytes()));
    }

    fn attribute(&mut self, field: u64, name: &str, value: impl FnOnce(&mut Self)) {
        self.message(field, |attribute| {
            attribute.bytes(1, name.as_bytes());
            attribute.message(2, value);
        });
    }

    fn tag(&mut self, field: u64, of_type: u64) {
        self.varint(field << 3 | of_type);
    }

    /// Seven bits a byte, the lowest first; all but the last have the eighth set.
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }
}
