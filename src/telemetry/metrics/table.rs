//! Every metric that there is: its name, its kind, its labels and what it tells. Dashboards and alerts
//! stand on these names: they do not change. `docs/metrics.md` has the same, and a test holds them together.
//!
//! No label takes a value that a client chooses: the routes, upstreams and apps are the configuration's,
//! everything else is a closed list (CVE-2022-21698).

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its whole name, with the unit and `_total` as Prometheus' conventions have them.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it tells, without the full stop.
    pub help: &'static str,
}

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only goes up, from 0 at the start.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Durations in buckets. A series of it appears with its first observation.
    Histogram,
}

macro_rules! metrics {
    ($($id:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $id: Metric = Metric {
                name: $name,
                kind: Kind::$kind,
                labels: &[$($label),*],
                help: $help,
            };
        )*

        /// All of them, in the order in which they are shown.
        pub const METRICS: &[Metric] = &[$($id),*];
    };
}

metrics! {
    BUILD_INFO = Gauge "wxgate_build_info" ["version"] "Always 1; the version is its label";
    CONFIG_RELOADS = Counter "wxgate_config_reloads_total" ["result"]
        "Times that the configuration was read anew: success, or failure, in which the old one stayed";
    CONFIG_LAST_RELOAD_SUCCESS = Gauge "wxgate_config_last_reload_success_timestamp_seconds" []
        "When the configuration that is in use was read, in seconds since 1970";
    READY = Gauge "wxgate_ready" [] "1 where requests are welcome, 0 where /readyz says 503";
    LOG_LINES_DROPPED = Counter "wxgate_log_lines_dropped_total" ["log", "reason"]
        "Lines of the log that were not written: the buffer was full, or writing failed";
    TRACE_SPANS = Counter "wxgate_trace_spans_total" ["result"]
        "Spans that ended: sent, or dropped since the collector did not take them in time";

    REQUESTS = Counter "wxgate_requests_total" ["route", "method", "status"]
        "Requests that ended, by the class of their status; none where the client was gone before one was sent";
    REQUEST_DURATION = Histogram "wxgate_request_duration_seconds" ["route", "method", "status"]
        "From the head of a request to the end of its answer; tunnels are not in it";
    REQUESTS_IN_FLIGHT = Gauge "wxgate_requests_in_flight" [] "Requests under way";
    REQUEST_BODY_BYTES = Counter "wxgate_request_body_bytes_total" ["route"]
        "Bytes of request bodies that were read from clients";
    RESPONSE_BODY_BYTES = Counter "wxgate_response_body_bytes_total" ["route"]
        "Bytes of response bodies that were sent to clients";
    REFUSALS = Counter "wxgate_refusals_total" ["code"]
        "Requests that the gateway refused itself, by the code that the client was told";
    AUTHENTICATIONS = Counter "wxgate_authentications_total" ["outcome"]
        "Requests on routes that look at tokens, by what became of it";
    EXT_AUTHZ_CHECKS = Counter "wxgate_ext_authz_checks_total" ["result"]
        "Requests that Envoy asked about over gRPC: passed_on, refused, failed (5xx)";
    EXT_AUTHZ_CHECK_DURATION = Histogram "wxgate_ext_authz_check_duration_seconds" []
        "How long it took to decide on a request that Envoy asked about";
    TUNNELS = Gauge "wxgate_tunnels" [] "WebSockets that are open";

    CONNECTIONS = Gauge "wxgate_connections" [] "Connections of clients that are open";
    CONNECTIONS_ACCEPTED = Counter "wxgate_connections_accepted_total" [] "Connections that were accepted";
    CONNECTIONS_REFUSED = Counter "wxgate_connections_refused_total" []
        "Connections that were closed at once, being over the limit of connections";

    SESSIONS_BEGUN = Counter "wxgate_sessions_begun_total" ["app"] "Sessions that began with a login";
    SESSIONS_ENDED = Counter "wxgate_sessions_ended_total" ["reason"]
        "Sessions that were ended, by why; those that ran out are not in it";
    SESSION_LOOKUPS = Counter "wxgate_session_lookups_total" ["from"]
        "Sessions looked up, by what knew the answer: the verdict on the token, the cache of sessions, the store";

    STORE_CALL_DURATION = Histogram "wxgate_store_call_duration_seconds" ["operation"]
        "How long calls to the session store took, failed ones too";
    STORE_ERRORS = Counter "wxgate_store_errors_total" ["operation"] "Calls to the session store that failed";
    STORE_UP = Gauge "wxgate_store_up" [] "1 where the session store answers, 0 where it is known not to";
    STORE_DAMAGED_VALUES = Counter "wxgate_store_damaged_values_total" []
        "Values in the session store that could not be read: sessions and the like count as missing, a user is an error";

    WECHAT_CALLS = Counter "wxgate_wechat_calls_total" ["app", "api", "errcode"]
        "Calls to WeChat by errcode: 0, a known one, other; no_connection, no_answer, bad_answer where none came";
    WECHAT_CALL_DURATION = Histogram "wxgate_wechat_call_duration_seconds" ["app", "api"]
        "How long calls to WeChat took, failed ones too";
    ACCESS_TOKEN_RENEWALS = Counter "wxgate_access_token_renewals_total" ["app", "result"]
        "Renewals of the access_token by this process: success, failure";
    ACCESS_TOKEN_AGE = Gauge "wxgate_access_token_age_seconds" ["app"]
        "For how long this process has had its access_token; not there before the first need";
    ACCESS_TOKEN_EXPIRES_IN = Gauge "wxgate_access_token_expires_in_seconds" ["app"]
        "For how long the access_token still holds; not there before the first need";

    UPSTREAM_RESPONSES = Counter "wxgate_upstream_responses_total" ["upstream", "status"]
        "Answers of the upstream by the class of their status";
    UPSTREAM_RESPONSE_DURATION = Histogram "wxgate_upstream_response_duration_seconds" ["upstream"]
        "From the choice of a server to the head of its answer, connecting included";
    UPSTREAM_FAILURES = Counter "wxgate_upstream_failures_total" ["upstream", "kind"]
        "Tries that came to no answer: not_connected, timed_out, broken";
    UPSTREAM_RETRIES = Counter "wxgate_upstream_retries_total" ["upstream"] "Tries after the first";
    UPSTREAM_RETRIES_DENIED = Counter "wxgate_upstream_retries_denied_total" ["upstream"]
        "Tries that were not made because a fifth of the requests had been tried again";
    UPSTREAM_UNAVAILABLE = Counter "wxgate_upstream_unavailable_total" ["upstream"]
        "Requests that were refused at once because no server could get them";
    UPSTREAM_EJECTIONS = Counter "wxgate_upstream_ejections_total" ["upstream", "reason"]
        "Times that a server was left out: failures, no_connection, health";
    UPSTREAM_SERVERS = Gauge "wxgate_upstream_servers" ["upstream", "state"]
        "Servers by their state: in, ejected, unhealthy, unreachable, drained";
    UPSTREAM_SERVER_REQUESTS_IN_FLIGHT = Gauge "wxgate_upstream_server_requests_in_flight" ["upstream", "address"]
        "Requests under way at each server";

    PROCESS_CPU = Counter "process_cpu_seconds_total" [] "User and system time of the process";
    PROCESS_RESIDENT_MEMORY = Gauge "process_resident_memory_bytes" [] "Resident memory of the process";
    PROCESS_OPEN_FDS = Gauge "process_open_fds" [] "File descriptors that are open";
    PROCESS_MAX_FDS = Gauge "process_max_fds" [] "File descriptors that may be open";
    PROCESS_THREADS = Gauge "process_threads" [] "Threads of the process";
    PROCESS_START_TIME = Gauge "process_start_time_seconds" [] "When the gateway started, in seconds since 1970";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions_of_prometheus() {
        let mut names: Vec<_> = METRICS.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), METRICS.len());
        for Metric { name, kind, help, .. } in METRICS {
            assert!(name.starts_with("wxgate_") || name.starts_with("process_"), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert!(*kind != Kind::Histogram || name.ends_with("_seconds"), "{name}");
            assert!(!help.is_empty() && !help.ends_with('.'), "{name}");
        }
    }
}
