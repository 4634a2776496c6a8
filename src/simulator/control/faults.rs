//! What goes wrong.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Answer, json_answer, no_content, parse};
use crate::simulator::fault::{Cut, Effect, Fault, Garble};
use crate::simulator::world::{World, Wrong};

/// A fault as JSON: at most one of the effects.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Form {
    #[serde(skip_serializing_if = "Option::is_none")]
    api: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<u64>,
    delay_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    processed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errcode: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errmsg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<Cut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    garble: Option<Garble>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect: Option<String>,
}

impl TryFrom<Form> for Fault {
    type Error = Wrong;

    fn try_from(form: Form) -> Result<Self, Wrong> {
        if form.errmsg.is_some() && form.errcode.is_none() {
            return Err(Wrong("\"errmsg\" goes with an \"errcode\".".to_owned()));
        }
        let errmsg = form.errmsg;
        let effects: Vec<_> = [
            form.errcode.map(|errcode| Effect::Errcode(errcode, errmsg)),
            form.cut.map(Effect::Cut),
            form.garble.map(Effect::Garble),
            form.http_status.map(Effect::HttpStatus),
            form.redirect.map(Effect::Redirect),
        ]
        .into_iter()
        .flatten()
        .collect();
        let effect = match effects.as_slice() {
            [] => Effect::Nothing,
            [effect] => effect.clone(),
            _ => return Err(Wrong("One fault has one effect: add them one by one.".to_owned())),
        };
        let delay = Duration::from_millis(form.delay_ms);
        let (api, times, processed) = (form.api, form.times, form.processed);
        Ok(Self { api, times, delay, effect, processed })
    }
}

impl From<Fault> for Form {
    fn from(fault: Fault) -> Self {
        let mut form = Self {
            delay_ms: u64::try_from(fault.delay.as_millis()).unwrap_or(u64::MAX),
            api: fault.api,
            times: fault.times,
            processed: fault.processed,
            ..Self::default()
        };
        match fault.effect {
            Effect::Cut(cut) => form.cut = Some(cut),
            Effect::Errcode(errcode, errmsg) => {
                (form.errcode, form.errmsg) = (Some(errcode), errmsg);
            }
            Effect::Garble(garble) => form.garble = Some(garble),
            Effect::HttpStatus(status) => form.http_status = Some(status),
            Effect::Nothing => {}
            Effect::Redirect(to) => form.redirect = Some(to),
        }
        form
    }
}

/// `GET /simulator/faults`
pub(super) async fn list(State(world): State<Arc<World>>) -> Answer {
    json_answer(&world.faults().into_iter().map(Form::from).collect::<Vec<_>>())
}

/// `POST /simulator/faults`
pub(super) async fn add(State(world): State<Arc<World>>, body: Bytes) -> Answer {
    let form: Form = parse(&body)?;
    world.add_fault(form.try_into()?)?;
    list(State(world)).await
}

/// `DELETE /simulator/faults`
pub(super) async fn clear(State(world): State<Arc<World>>) -> Response {
    world.clear_faults();
    no_content()
}
