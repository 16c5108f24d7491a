//! A restore that was killed is put back to exactly the former site, or finished if it was committed.

use jiff::Timestamp;
use serde::Serialize;

use super::copies::Copies;
use super::journal::{Files, Journal, Phase};
use super::scope::Run;
use super::{Job, claim_site, former, newer};
use crate::error::{Context, Result};
use crate::event::{Cx, Step};

/// What an unfinished restore came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recovery {
    /// There was none.
    Nothing,
    /// The site is what it was before that restore.
    PutBack,
    /// The restore was committed; now it is at its end.
    Finished,
}

/// What was recovered.
#[derive(Clone, Debug, Serialize)]
pub struct Recovered {
    pub recovery: Recovery,
    /// When the restore began.
    pub begun: Option<Timestamp>,
}

/// The verb of its own.
pub fn recover(job: &Job, cx: &Cx) -> Result<Recovered> {
    let mut run = Run::new(job, cx);
    claim_site(&mut run, job, "recover")?;
    first(&mut run, job, cx)
}

/// What every story that changes a site does as soon as it holds the claim.
pub(crate) fn first(run: &mut Run<'_>, job: &Job, cx: &Cx) -> Result<Recovered> {
    Journal::sweep(&job.state)?;
    let Some(journal) = Journal::unfinished(&job.state)? else {
        return Ok(Recovered { recovery: Recovery::Nothing, begun: None });
    };
    run.step(Step::Recover, || right(job, &journal, cx))
}

/// The same for who holds the claim outside of any story.
pub(crate) fn before(job: &Job, cx: &Cx) -> Result<()> {
    Journal::sweep(&job.state)?;
    Journal::unfinished(&job.state)?.map_or(Ok(()), |journal| right(job, &journal, cx).map(drop))
}

/// When the restore began that did not come to its end.
pub fn unfinished(job: &Job) -> Result<Option<Timestamp>> {
    Ok(Journal::unfinished(&job.state)?.map(|journal| journal.begun))
}

fn right(job: &Job, journal: &Journal, cx: &Cx) -> Result<Recovered> {
    let begun = Some(journal.begun);
    let when = job.local(journal.begun);
    let cx = &cx.shielded();
    if journal.phase == Phase::Committed {
        finish(job, journal, cx).with_context(|| format!("finish the restore of {when}"))?;
        cx.note(format!("finished the restore of {when}, which was killed at its end"));
        return Ok(Recovered { recovery: Recovery::Finished, begun });
    }
    put_back(job, journal, cx)
        .with_context(|| format!("put back what the restore of {when} had changed before it was killed"))
        .remedy("correct this, then run `lifeboat recover` again")?;
    cx.note(format!("put back what the restore of {when} had changed before it was killed"));
    Ok(Recovered { recovery: Recovery::PutBack, begun })
}

/// Everything as it was before, then nothing of that restore any more, then no journal. Whatever stops it leaves the journal,
/// and a second call does the rest. Files wait for the databases: a database file may be among them.
pub(crate) fn put_back(job: &Job, journal: &Journal, cx: &Cx) -> Result<()> {
    let copies = Copies::find(job, &journal.databases, cx)?;
    let files = journal.files.as_ref();
    if journal.phase == Phase::Changing {
        copies.swap_back()?;
        files.map_or(Ok(()), Files::swap_back)?;
        // From here on there is less and less to tell from what happened.
        journal.in_phase(Phase::Preparing).write(&job.state)?;
    }
    cx.between(Step::Recover)?;
    // Each is tried: what one server keeps us from is no reason to leave the rest.
    let discarded = copies.discard();
    files.map_or(Ok(()), Files::remove).and(discarded)?;
    cx.between(Step::Recover)?;
    Journal::remove(&job.state)
}

/// What was live gets its lasting name and is on the list of what is set aside; then the restore is the one to undo.
pub(crate) fn finish(job: &Job, journal: &Journal, cx: &Cx) -> Result<()> {
    if let Some(files) = &journal.files {
        // Under its lasting name the list is there already.
        if files.place.exists() {
            newer::write_list(files)?;
        }
        files.keep()?;
    }
    cx.between(Step::Settle)?;
    if let Some(undone) =
        Journal::last(&job.state)?.filter(|last| Some(&last.token) == journal.undoes.as_ref())
    {
        Copies::find(job, &undone.databases, cx)?.remove_shells()?;
    }
    former::remember(job, journal)?;
    cx.between(Step::Settle)?;
    Journal::close(&job.state)
}
