//! A collector of traces, which reads what it gets with OpenTelemetry's own types.

use std::collections::HashMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use super::config::Config;
use super::eventually;
use crate::upstream::{Reply, Seen, Upstream};

pub(crate) struct Collector(pub(crate) Upstream);

impl Collector {
    pub(crate) async fn start() -> Self {
        let collector = Upstream::start().await;
        collector.on("/v1/traces", Reply::ok(""));
        Self(collector)
    }

    /// A configuration that sends spans here.
    pub(crate) fn config(&self) -> Config {
        Config::default()
            .variable("COLLECTOR", self.0.url())
            .table("traces", "endpoint = \"${COLLECTOR}\"")
    }

    /// What came, batch by batch.
    pub(crate) fn batches(&self) -> Vec<Seen> {
        self.0.requests().into_iter().filter(|seen| seen.whole).collect()
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        let batches = self.batches().into_iter();
        let requests =
            batches.map(|batch| ExportTraceServiceRequest::decode(&*batch.body).unwrap());
        let resources = requests.flat_map(|request| request.resource_spans);
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }

    /// Waits for a span of this name.
    pub(crate) async fn span(&self, name: &str) -> Span {
        eventually(name, async || self.spans().iter().any(|span| span.name == name)).await;
        self.spans().into_iter().find(|span| span.name == name).unwrap()
    }
}

/// The attributes as texts.
pub(crate) fn attributes(span: &Span) -> HashMap<&str, String> {
    let text = |value: Option<&Value>| match value {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{other:?}"),
    };
    let attributes = span.attributes.iter();
    attributes
        .map(|attribute| {
            let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
            (attribute.key.as_str(), text(value))
        })
        .collect()
}

pub(crate) fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
