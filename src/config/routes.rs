//! `[[routes]]`.

mod action;
mod changes;
mod cors;
mod profile;
mod route;

use super::problem::Complaint;
use super::reader::{Place, Reader};
use super::section::{Named, Section};
use super::value::Form;
use crate::identity::assertion::Audience;
use crate::identity::{self, HeaderRules};
use crate::policy::route::{Action, Auth, Conflict, Route, Table};
use crate::upstream;
use crate::wechat::app::App;

const ROUTES: Form = Form { noun: "list of routes", help: "begin each with [[routes]]" };

pub(super) fn read(
    file: &mut Section<'_>,
    apps: &Named<App>,
    upstreams: &Named<upstream::Settings>,
    identity: &identity::Settings,
) -> Vec<Route> {
    let rules = HeaderRules::new(identity);
    let names = route::Names { apps: &apps.names, upstreams: &upstreams.names, rules: &rules };
    let (mut routes, mut places) = (Vec::new(), Vec::new());
    let list = file.key("routes").items(&ROUTES, |item| {
        if let Some((route, place)) = item.table(|table| route::read(table, &names)) {
            routes.push(route);
            places.push(place);
        }
        Some(())
    });
    let reader = file.reader();
    if !list.is_given() {
        let missing =
            Complaint::new("there are no [[routes]]: every request would be answered 404");
        let help = "write one with `path`, and `action` or `upstream`";
        reader.problem(Place::default(), missing.help(help));
    }
    list.not_empty().checked();
    match Table::build(routes.clone()) {
        Ok(table) => warn_of_unreachable(reader, &table, &places),
        Err(conflicts) => report_conflicts(reader, &routes, &places, &conflicts),
    }
    check_assertions(reader, &routes, &places, identity);
    warn_of_unused(reader, &routes, upstreams);
    warn_without_login(reader, &routes, apps);
    routes
}

/// What routes need of `[identity.assertion]`.
fn check_assertions(
    reader: &Reader<'_>,
    routes: &[Route],
    places: &[Place],
    identity: &identity::Settings,
) {
    for (route, place) in routes.iter().zip(places) {
        match (route.action, &identity.assertion) {
            (Action::Jwks, None) => {
                let nothing = Complaint::new(
                    "action \"jwks\" publishes the keys of assertions, of which there are none",
                );
                reader.problem(*place, nothing.help("write [identity.assertion]"));
            }
            (Action::Authorize, Some(assertion)) if assertion.audience == Audience::Upstream => {
                let without = Complaint::new(
                    "answers of action \"authorize\" have no assertion: there is no upstream whose \
                     name it could be for",
                );
                reader.warning(*place, without.help("write `audience` in [identity.assertion]"));
            }
            _ => {}
        }
    }
}

/// Each conflict is reported once, at the later route, and names the line of the other.
fn report_conflicts(
    reader: &Reader<'_>,
    routes: &[Route],
    places: &[Place],
    conflicts: &[Conflict],
) {
    for Conflict(one, other) in conflicts {
        let (earlier, later) = (one.min(other), one.max(other));
        let (Some(first), Some(second)) = (places.get(*earlier), places.get(*later)) else {
            continue;
        };
        let complaint = Complaint::new(format!(
            "the route in line {} and this one can both win",
            reader.line(*first)
        ));
        reader
            .problem(*second, complaint.help(difference(routes.get(*earlier), routes.get(*later))));
    }
}

/// What would tell two routes apart.
fn difference(one: Option<&Route>, other: Option<&Route>) -> &'static str {
    let has = |has: fn(&Route) -> bool| one.is_some_and(has) && other.is_some_and(has);
    if has(|route| !route.methods.is_empty()) {
        return "name different methods or hosts";
    }
    "take one away, or name its methods or its host"
}

fn warn_of_unreachable(reader: &Reader<'_>, table: &Table, places: &[Place]) {
    for position in table.unreachable() {
        if let Some(place) = places.get(position) {
            let complaint = Complaint::new("no request ever gets to this route");
            let help = "other routes take every method of its path, or ask for more under another \
                        spelling of it; `wxgate explain` says which";
            reader.warning(*place, complaint.help(help));
        }
    }
}

/// Tokens come from logins alone: without one, nobody passes where a token is asked for.
fn warn_without_login(reader: &Reader<'_>, routes: &[Route], apps: &Named<App>) {
    for (index, (name, place)) in apps.names.iter().zip(&apps.places).enumerate() {
        let of_app = || routes.iter().filter(|route| route.apps.contains(&index));
        let message = if of_app().next().is_none() {
            format!("no route serves the app {name:?}")
        } else if of_app().any(|route| route.authentication() == Auth::Required)
            && !of_app().any(|route| route.action == Action::Login)
        {
            format!("users of the app {name:?} can get no token: none of its routes is a login")
        } else {
            continue;
        };
        let help = "write a route with action = \"login\"";
        reader.warning(*place, Complaint::new(message).help(help));
    }
}

fn warn_of_unused(reader: &Reader<'_>, routes: &[Route], upstreams: &Named<upstream::Settings>) {
    for (index, (name, place)) in upstreams.names.iter().zip(&upstreams.places).enumerate() {
        if !routes.iter().any(|route| route.upstream == Some(index)) {
            reader.warning(
                *place,
                Complaint::new(format!("no route leads to the upstream {name:?}")),
            );
        }
    }
}
