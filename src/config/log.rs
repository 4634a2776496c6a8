//! `[log]`.

use super::problem::Complaint;
use super::section::Section;
use crate::telemetry::log::{Format, Level, Openid, Settings};

pub(super) fn read(log: &mut Section<'_>) -> Settings {
    let default = Settings::default();
    let formats = [("auto", Format::Auto), ("json", Format::Json), ("text", Format::Text)];
    let openids = [("hash", Openid::Hash), ("plain", Openid::Plain), ("none", Openid::None)];
    let sample = log.key("sample").number().check(|part| match (0.0..=1.0).contains(part) {
        true => Ok(()),
        false => Err(Complaint::new("is no part of all").help("write a number from 0.0 to 1.0")),
    });
    Settings {
        level: log.key("level").choice(&Level::NAMES).or(default.level),
        format: log.key("format").choice(&formats).or(default.format),
        access: log.key("access").boolean().or(default.access),
        sample: sample.or(default.sample),
        openid: log.key("openid").choice(&openids).or(default.openid),
    }
}
