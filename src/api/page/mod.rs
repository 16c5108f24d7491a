//! The page: HTML made here, for which forms and links are enough. Its script only keeps what is at work up to date.

mod acts;
mod assets;
mod browse;
mod calendar;
mod charts;
mod compare;
mod confirm;
mod drills;
mod frame;
mod health;
mod icons;
mod login;
mod overview;
mod plan;
mod refusal;
mod restore;
mod retention;
mod run;
mod runs;
mod search;
mod settings;
mod sites;
mod snapshot;
mod snapshots;
mod undo;
mod visit;
mod words;
mod work;

use axum::response::Html;

use super::guard::Rule;
use super::router::Routes;
use crate::access::Scope;

pub(super) use self::plan::Plans;
pub(super) use self::refusal::Asker;

type Page = Html<String>;

/// All pages, and what can be done on them.
pub(super) fn routes() -> Routes {
    let scope = Rule::Scope;
    let looks = Routes::default()
        .get("/login", Rule::Open, login::form)
        .post("/login", Rule::Open, login::log_in)
        .post("/logout", scope(Scope::Read), login::log_out)
        .get("/assets/{name}", Rule::Open, assets::asset)
        .get("/", scope(Scope::Read), sites::page)
        .get("/sites/{site}", scope(Scope::Read), overview::page)
        .get("/sites/{site}/snapshots", scope(Scope::Read), snapshots::page)
        .get("/sites/{site}/snapshots/{snapshot}", scope(Scope::Read), snapshot::page)
        .get("/sites/{site}/snapshots/{snapshot}/browse", scope(Scope::Read), browse::page)
        .get("/sites/{site}/compare", scope(Scope::Read), compare::page)
        .get("/sites/{site}/search", scope(Scope::Read), search::page)
        .get("/sites/{site}/runs", scope(Scope::Read), runs::page)
        .get("/sites/{site}/runs/{run}", scope(Scope::Read), run::page)
        .get("/sites/{site}/drills", scope(Scope::Read), drills::page)
        .get("/sites/{site}/retention", scope(Scope::Read), retention::page)
        .get("/sites/{site}/settings", scope(Scope::Read), settings::page);
    let acts = Routes::default()
        .post("/sites/{site}/backup", scope(Scope::Backup), acts::backup)
        .post("/sites/{site}/drill", scope(Scope::Backup), acts::drill)
        .post("/sites/{site}/check", scope(Scope::Backup), acts::check)
        .post("/sites/{site}/runs/{run}/cancel", scope(Scope::Backup), acts::cancel)
        .post("/sites/{site}/snapshots/{snapshot}/pin", scope(Scope::Backup), acts::pin)
        .post("/sites/{site}/snapshots/{snapshot}/unpin", scope(Scope::Admin), acts::unpin)
        .get("/sites/{site}/restore", scope(Scope::Restore), restore::page)
        .post("/sites/{site}/restore", scope(Scope::Restore), restore::make_plan)
        .get("/sites/{site}/plans/{plan}", scope(Scope::Restore), plan::page)
        .post("/sites/{site}/plans/{plan}", scope(Scope::Restore), plan::confirmed)
        .get("/sites/{site}/undo", scope(Scope::Restore), undo::page)
        .post("/sites/{site}/undo", scope(Scope::Restore), undo::confirmed);
    looks.and(acts)
}
