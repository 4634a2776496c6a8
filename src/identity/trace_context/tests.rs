use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn headers(fields: &[(HeaderName, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(name.clone(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn state_of(lines: &[&str]) -> Option<String> {
    let lines: Vec<_> = lines.iter().map(|line| (TRACESTATE, *line)).collect();
    state(&headers(&lines)).map(|value| value.to_str().unwrap().to_owned())
}

#[test]
fn the_example_of_the_standard_is_read_and_written() {
    let context = TraceContext::parse(PARENT).unwrap();
    assert_eq!(context.header(), PARENT);
    assert_eq!(context.span_id, 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
    assert!(context.sampled);
}

#[test]
fn what_is_not_to_the_letter_is_none() {
    for text in [
        "",
        "00",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
        "0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.x",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0é",
    ] {
        assert_eq!(TraceContext::parse(text), None, "{text}");
    }
}

#[test]
fn a_later_version_is_read_as_far_as_it_is_like_ours() {
    let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09";
    for text in [later.to_owned(), format!("{later}-what the future holds")] {
        assert_eq!(TraceContext::parse(&text).unwrap().header(), PARENT);
    }
}

#[test]
fn a_trusted_peers_trace_goes_on_as_it_came() {
    let given = headers(&[(TRACEPARENT, PARENT), (TRACESTATE, "a=1")]);
    let mut written = HeaderMap::new();
    Trace::of(Traces::Trusted, Some(&given)).unwrap().write(&mut written);
    assert_eq!(written, given);
    assert!(Trace::of(Traces::Trusted, None).is_none());
    assert!(Trace::of(Traces::Trusted, Some(&headers(&[(TRACESTATE, "a=1")]))).is_none());
    let two = headers(&[(TRACEPARENT, PARENT), (TRACEPARENT, PARENT)]);
    assert!(Trace::of(Traces::Trusted, Some(&two)).is_none());
}

#[test]
fn a_span_of_ones_own_is_below_the_callers() {
    let given = headers(&[(TRACEPARENT, PARENT), (TRACESTATE, "a=1")]);
    let caller = TraceContext::parse(PARENT).unwrap();
    let trace = Trace::of(Traces::Own, Some(&given)).unwrap();
    assert_eq!(trace.context.trace_id, caller.trace_id);
    assert_eq!(trace.parent, Some(caller.span_id));
    assert_ne!(trace.context.span_id, caller.span_id);
    let begun = Trace::of(Traces::Own, None).unwrap();
    assert_ne!(begun.context.trace_id, caller.trace_id);
    assert!(begun.context.sampled && begun.parent.is_none() && begun.state.is_none());
}

#[test]
fn no_two_traces_are_one() {
    let traces: HashSet<_> = (0..10_000).map(|_| TraceContext::begin().trace_id).collect();
    assert_eq!(traces.len(), 10_000);
}

#[test]
fn a_state_is_one_line_within_its_bounds() {
    assert_eq!(state_of(&["a=1,b@c=2 ", "", "d=x y"]).unwrap(), "a=1,b@c=2,d=x y");
    for malformed in ["a", "=1", "a=", "A=1", "a=1,b", "a=1=2", "@a=1", "a b=1"] {
        assert_eq!(state_of(&[malformed]), None, "{malformed}");
    }
    let many: Vec<_> = (0..40).map(|n| format!("k{n}=v")).collect();
    assert_eq!(state_of(&[&many.join(",")]).unwrap().split(',').count(), MAX_STATE_MEMBERS);
    let most = "x".repeat(256);
    assert_eq!(state_of(&[&format!("a={most},b={most},c=1")]).unwrap(), format!("a={most},c=1"));
}

proptest! {
    #[test]
    fn nothing_panics_and_what_is_read_is_written(text in "[0-9a-f-]{50,60}|\\PC*") {
        if let Some(context) = TraceContext::parse(&text) {
            prop_assert_eq!(TraceContext::parse(context.header().to_str().unwrap()), Some(context));
        }
    }

    #[test]
    fn every_context_is_read_as_it_was_written(trace_id: [u8; 16], span_id: [u8; 8], sampled: bool) {
        prop_assume!(trace_id != [0; 16] && span_id != [0; 8]);
        let context = TraceContext { trace_id, span_id, sampled };
        prop_assert_eq!(TraceContext::parse(context.header().to_str().unwrap()), Some(context));
    }
}
