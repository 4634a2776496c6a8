//! `[apps.*]`.

use super::problem::Complaint;
use super::reader::Place;
use super::section::{Named, Section};
use super::value::{Form, TEXT};
use crate::secret::Secret;
use crate::session::store::EncryptionKey;
use crate::wechat::app::{App, AppId};

const APPID: Form =
    Form { noun: "appid", help: "an appid is \"wx\" and 16 digits or letters from a to f" };
const AES_KEY: Form = Form { noun: "EncodingAESKey", help: "it has 43 letters and digits" };
const SYMMETRIC_KEY: Form = Form { noun: "symmetric key", help: "it is base64 of 32 bytes" };

pub(super) fn read(file: &mut Section<'_>) -> Named<App> {
    let mut appids = Vec::new();
    let apps = file.named_tables("apps", |table, name| app(table, name, &mut appids));
    if apps.names.is_empty() {
        let missing = Complaint::new("there is no [apps.NAME] table, so no Mini Program to serve");
        let help = "write one with `appid` and `secret`";
        file.reader().problem(Place::default(), missing.help(help));
    }
    apps
}

fn app(app: &mut Section<'_>, name: &str, others: &mut Vec<AppId>) -> Option<App> {
    let appid =
        app.key("appid").parsed(&APPID, appid).check(|appid| match others.contains(appid) {
            true => {
                Err(Complaint::new("is another app's already")
                    .help("one table for each Mini Program"))
            }
            false => Ok(()),
        });
    others.extend(appid.value().cloned());
    let secret = app.secret("secret").parsed(&TEXT, |text| Ok(Secret::new(text))).warn(|secret| {
        (!is_of_wechats_form(secret.expose())).then(|| {
            Complaint::new("does not look like an AppSecret")
                .help("that has 32 digits and letters from a to f")
        })
    });
    let env = app.key("env").parsed(&TEXT, header_value);
    app.key("push").later().table(push).checked();
    app.key("api_security").later().table(api_security).checked();

    let appid = appid.required("it stands in WeChat's console under 开发管理");
    let secret = secret.required("set secret = \"${WX_SECRET}\" or secret_file = \"/path\"");
    Some(App { name: name.to_owned(), appid: appid?, secret: secret?, env: env.optional() })
}

fn appid(text: &str) -> Result<AppId, Complaint> {
    if is_of_wechats_form(text) {
        let help =
            "this looks like the AppSecret; that belongs into a variable or a file of its own";
        return Err(APPID.missed().help(help).hide_value());
    }
    let help = if text.starts_with("gh_") {
        "this is the original ID; the appid begins with \"wx\""
    } else {
        APPID.help
    };
    AppId::parse(text).ok_or_else(|| APPID.missed().help(help))
}

/// All AppSecrets that WeChat gives out today have it; there may be older ones.
fn is_of_wechats_form(secret: &str) -> bool {
    secret.len() == 32 && secret.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn header_value(text: &str) -> Result<String, Complaint> {
    let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    let complaint =
        || Complaint::new("cannot be sent in a header").help("write ASCII without spaces");
    fits.then(|| text.to_owned()).ok_or_else(complaint)
}

fn push(push: &mut Section<'_>) -> Option<()> {
    let token = push.secret("token").parsed(&TEXT, |_| Ok(()));
    let key = push.secret("encoding_aes_key").parsed(&AES_KEY, |text| {
        let fits = text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        fits.then_some(()).ok_or_else(|| AES_KEY.missed())
    });
    let token = token.required("it is the Token of the message push in WeChat's console");
    let key = key.required("it is the EncodingAESKey of the message push in WeChat's console");
    token.and(key)
}

fn api_security(security: &mut Section<'_>) -> Option<()> {
    security.key("symmetric_sn").text().checked();
    security
        .secret("symmetric_key")
        .parsed(&SYMMETRIC_KEY, |text| {
            EncryptionKey::parse(text).map(|_| ()).ok_or_else(|| SYMMETRIC_KEY.missed())
        })
        .checked();
    security.key("private_key_file").text().checked();
    security.key("certificate_sn").text().checked();
    security.key("certificate_file").text().checked();
    Some(())
}
