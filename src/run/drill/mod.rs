//! The story of a drill: a snapshot is restored beside the site, looked at, and removed again; what it proved is remembered.

mod inspect;
mod plan;
mod record;
mod stand_in;

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use serde::Serialize;

pub(crate) use record::newest_proven;
pub use record::{Drill, Failure, Standing, Verdict, drills, drills_of, follow, last_passed, standing};

use self::plan::Plan;
use super::journal::Aside;
use super::scope::{Alone, Run};
use super::work::Work;
use super::{Estimate, Job, claim_site, open, pace, recover};
use crate::error::{Error, Kind, Result};
use crate::event::{Cx, Step, What};
use crate::repo::Mode;
use crate::schedule::Wanted;

/// What is asked of one drill.
#[derive(Clone, Debug)]
pub struct DrillRequest {
    pub wanted: Wanted,
    /// How many drills the files are spread over; databases are restored whole each time.
    pub parts: u32,
    /// Restore at most about so many bytes at once: more drills, if need be, in which the databases take turns.
    pub max_bytes: Option<u64>,
    /// The same in seconds, by what was measured on this node.
    pub max_seconds: Option<u64>,
}

/// What a drill did and found.
#[derive(Clone, Debug, Serialize)]
pub struct Drilled {
    #[serde(flatten)]
    pub drill: Drill,
    /// How long a restore of the whole site would take.
    pub whole_site: Estimate,
}

/// Nothing live is touched, and no hook of a restore's steps is asked: only `drill`, which may look at what came back.
pub fn drill(job: &Job, request: &DrillRequest, cx: &Cx) -> Result<Drilled> {
    let storage = crate::storage::open(&job.storage);
    let mut run = Run::new(&Alone, cx);

    claim_site(&mut run, job, "drill")?;
    recover::first(&mut run, job, cx)?;
    let opened = open(&mut run, job, storage.as_ref(), Mode::Shared, cx)?;
    let mut plan = run.step(Step::Find, || Plan::make(job, request, &opened.repo, cx))?;
    run.step(Step::Preflight, || plan.room())?;
    let mut drill = plan.begin();
    record::store(job, &drill)?;
    let begun = Instant::now();

    // Whatever fails, the rest is tried as well: one drill names all that it finds.
    let whole = run.step(Step::Preflight, || plan.whole(&opened.repo, cx));
    drill.note("what it refers to", whole)?;
    let ready = run.step(Step::Preflight, || plan.prepare(cx));
    drill.note("databases", ready)?;
    let work = run.hold(Step::Stage, || Work::begin(job, plan.journal()?, cx), Work::end)?;
    let fetched = run.step(Step::Fetch, || plan.fetch(&work.tree(), cx));
    let fetched = drill.note("files", fetched)?.unwrap_or_default();
    let loaded = run.step(Step::Load, || plan.load(&work, cx));
    drill.note("databases", loaded)?;
    // No server to load into is no fault of the snapshot.
    let started = run.hold(Step::Stage, || plan::server(&work, cx).map(Arc::new), |_server| Ok(()))?;
    let mut inside = Vec::new();
    if let Some(server) = started.as_ref() {
        let loaded = run.step(Step::Load, || plan.load_inside(server, cx));
        inside = drill.note("databases", loaded)?.unwrap_or_default();
        drill.server = Some(server.version()?);
    }
    let beside = work.asides();
    announce(&work, &inside, cx);
    let found = run.step(Step::Probe, || plan.inspect(&beside, &inside, cx));
    for failure in drill.note("the site", found)?.unwrap_or_default() {
        cx.missed(&failure.what, &failure.why);
        drill.failures.push(failure);
    }
    let asked = run.step(Step::Probe, || job.hooks_at("drill", cx));
    drill.note("drill hook", asked)?;

    if let Some(first) = drill.failures.first() {
        plan.answers(&opened.repo).map_err(|why| no_verdict(&drill, first, &why))?;
    }
    drill.files = fetched.files;
    drill.bytes = fetched.bytes;
    let copies: Vec<_> = beside.into_iter().chain(inside).map(|aside| aside.copy).collect();
    drill.rows = copies.iter().map(|copy| copy.rows).sum();
    drill.seconds = begun.elapsed().as_secs_f64();
    drill.finish(Timestamp::now());
    record::store(job, &drill)?;
    pace::learn(job, &cx.state(), fetched.bytes, &copies)?;
    let whole_site = plan.whole_site();
    if let Some(first) = drill.failures.first() {
        return Err(failed(job, &drill, first));
    }
    run.commit();
    Ok(Drilled { drill, whole_site })
}

/// Hooks find what came back by the state that they are handed.
fn announce(work: &Work<'_>, inside: &[Aside], cx: &Cx) {
    let asides = work.asides().into_iter().chain(inside.iter().cloned());
    let databases = asides.map(|aside| (aside.copy.live, aside.copy.side)).collect();
    cx.emit(What::Scratch { files: work.tree(), databases });
}

fn failed(job: &Job, drill: &Drill, first: &Failure) -> Error {
    let more = match drill.failures.len() {
        1 => String::new(),
        all => format!("; {} more", all - 1),
    };
    Error::failed(format!(
        "snapshot {:.8} of {} does not come back as it should: {}: {}{more}",
        drill.snapshot,
        job.local(drill.time),
        first.what,
        first.why
    ))
    .with_remedy(
        "back up again, which stores anew what is damaged and still live, and drill that; `lifeboat check --read-data` names all damage",
    )
}

/// Who does not answer can neither give a snapshot back nor say that it is bad: the record stays without a verdict.
fn no_verdict(drill: &Drill, first: &Failure, why: &Error) -> Error {
    Error::failed(format!(
        "the drill was kept from its work and says nothing about snapshot {:.8}: {why} (seen first: {}: {})",
        drill.snapshot, first.what, first.why
    ))
    .with_remedy(why.remedy().unwrap_or("correct this, and drill again"))
}

impl Drill {
    /// What a step found fault with is remembered, and the drill goes on; only a cancel ends it.
    fn note<T>(&mut self, what: &str, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(done) => Ok(Some(done)),
            Err(error) if error.kind() == Kind::Cancelled => Err(error),
            Err(error) => {
                self.failures.push(Failure { what: what.to_owned(), why: error.to_string() });
                Ok(None)
            }
        }
    }
}
