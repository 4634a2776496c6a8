//! getPhoneNumber: a phone code for the number.

use serde_json::{Value, json};

use crate::simulator::code::CodeError;
use crate::simulator::errcode::Failure;
use crate::simulator::incoming::{self, Incoming};
use crate::simulator::state::State;
use crate::simulator::{open_data, user};

/// `/wxa/business/getuserphonenumber`. With an openid, the code must be of that user.
pub(super) fn number(
    state: &mut State,
    appid: &str,
    incoming: &Incoming,
) -> Result<Value, Failure> {
    let request = incoming.json()?;
    let code = incoming::text(&request, "code").unwrap_or_default();
    if code.is_empty() {
        return Err(Failure::of(41008).with_hint());
    }
    let name = match state.phone_codes.find(code, appid, incoming.now) {
        Ok(code) => code.user.clone(),
        Err(CodeError::OtherApp) => return Err(Failure::of(40013).with_hint()),
        // The page knows one errcode for all the rest.
        Err(_) => return Err(Failure::of(40029).with_hint()),
    };
    if let Some(openid) = incoming::text(&request, "openid")
        && openid != user::openid(appid, &name)
    {
        return Err(Failure::of(state.settings.phone_mismatch_errcode).with_hint());
    }
    state.phone_codes.use_up(code, appid);
    state.visit(appid, &name, incoming.now);
    let mut phone_info = open_data::phone(&state.user(&name));
    if let Some(members) = phone_info.as_object_mut() {
        let watermark = json!({ "timestamp": incoming.now, "appid": appid });
        members.insert("watermark".to_owned(), watermark);
    }
    Ok(json!({ "errcode": 0, "errmsg": "ok", "phone_info": phone_info }))
}
