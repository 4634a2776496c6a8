//! `[limits]`.

use std::num::NonZeroUsize;

use super::problem::Complaint;
use super::rate;
use super::section::Section;
use crate::policy::limits::Limits;

/// Below these, requests of ordinary browsers and of `wx.request` are refused.
const LEAST_HEADER_SIZE: u64 = 1 << 10;
const LEAST_HEADER_COUNT: u32 = 16;
const LEAST_URI_LENGTH: u64 = 256;
/// What a connection may make the gateway hold.
const MOST_HEADER_SIZE: u64 = 1 << 20;

pub(super) fn read(limits: &mut Section<'_>) -> Limits {
    let default = Limits::default();
    let header_size = limits.key("header_size").size(LEAST_HEADER_SIZE);
    let header_size = header_size.check(|size| at_most(*size, MOST_HEADER_SIZE));
    let header_size = header_size.or(default.header_size as u64);
    let uri_length = limits.key("uri_length").size(LEAST_URI_LENGTH);
    let uri_length = uri_length.check(|length| match *length <= header_size {
        true => Ok(()),
        false => {
            Err(Complaint::new("is more than `header_size`, which holds the request line too"))
        }
    });
    Limits {
        header_timeout: limits.key("header_timeout").timeout().or(default.header_timeout),
        header_size: header_size as usize,
        header_count: limits
            .key("header_count")
            .integer(LEAST_HEADER_COUNT, 10_000)
            .or(default.header_count),
        uri_length: uri_length.or(header_size.min(default.uri_length as u64)) as usize,
        body_size: limits.key("body_size").size(1).or(default.body_size),
        body_idle: limits.key("body_idle").timeout().or(default.body_idle),
        keepalive: limits.key("keepalive").timeout().or(default.keepalive),
        connections: limits.key("connections").integer(1, 10_000_000).or(default.connections),
        // 0: no limit but that of all together.
        connections_per_address: NonZeroUsize::new(
            limits.key("connections_per_address").integer(0, 10_000_000).or(0),
        ),
        login_rate: limits.key("login_rate").table(rate::of_logins).or(default.login_rate),
    }
}

fn at_most(size: u64, most: u64) -> Result<(), Complaint> {
    match size <= most {
        true => Ok(()),
        false => Err(Complaint::new(format!("is too large; it must be {most}B or less"))),
    }
}
