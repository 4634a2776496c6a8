//! The keys of a route whose action is `profile`.

use http::Uri;

use crate::config::key::Read;
use crate::config::problem::Complaint;
use crate::config::section::Section;
use crate::config::value::Form;
use crate::policy::route::{Action, OnCheckOutage, OnReview, ProfileRules};

const AVATAR_URL: Form =
    Form { noun: "URL of avatars", help: r#"write "https://cdn.example.com/avatars/{name}""# };
const NAME: &str = "{name}";

pub(super) fn read(table: &mut Section<'_>, action: Option<Action>) -> ProfileRules {
    let on_review =
        table.key("on_review").choice(&[("pass", OnReview::Pass), ("deny", OnReview::Deny)]);
    let on_check_outage = table
        .key("on_check_outage")
        .choice(&[("deny", OnCheckOutage::Deny), ("allow", OnCheckOutage::Allow)]);
    let avatar_url = table.key("avatar_url").parsed(&AVATAR_URL, avatar_url);
    let avatar_size = table.key("avatar_size").size(1);
    if action.is_some_and(|action| action != Action::Profile) {
        only_for_profiles(&on_review);
        only_for_profiles(&on_check_outage);
        only_for_profiles(&avatar_url);
        only_for_profiles(&avatar_size);
    }
    let default = ProfileRules::default();
    ProfileRules {
        on_review: on_review.or(default.on_review),
        on_check_outage: on_check_outage.or(default.on_check_outage),
        avatar_url: avatar_url.optional(),
        avatar_size: avatar_size.or(default.avatar_size),
    }
}

fn only_for_profiles<T>(read: &Read<'_, T>) {
    read.misplaced("but at action \"profile\"");
}

/// WeChat fetches the avatar from it, and so does the Mini Program, which asks for https.
fn avatar_url(text: &str) -> Result<String, Complaint> {
    if text.matches(NAME).count() != 1 {
        return Err(Complaint::new("does not hold {name} exactly once").help(AVATAR_URL.help));
    }
    let with_name = |name| text.replace(NAME, name).parse::<Uri>().map_err(|_| AVATAR_URL.missed());
    let (one, other) = (with_name("a")?, with_name("b")?);
    let is_https = one.scheme_str() == Some("https");
    let has_user = one.authority().is_some_and(|authority| authority.as_str().contains('@'));
    match is_https && !has_user && one.authority() == other.authority() && !text.contains('#') {
        true => Ok(text.to_owned()),
        false => Err(AVATAR_URL.missed()),
    }
}
