//! Runs that somebody began by hand are seen too, as long as somebody watches.

use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::office::Shared;
use crate::agent::Desk;
use crate::history::{self, Standing};

/// Often enough for people, and little work: a directory for each site.
const LOOK: Duration = Duration::from_secs(1);

/// The newest runs of a site that are looked at.
const NEWEST: usize = 3;

/// What ended no longer ago may have begun and ended between two looks.
const JUST_NOW: SignedDuration = SignedDuration::from_secs(3);

/// A run, by where its site is remembered and its name.
type Run = (PathBuf, String);

pub(super) async fn follow(office: Shared) {
    let mut known: Vec<Run> = Vec::new();
    loop {
        office.desk.live.watched().await;
        tokio::time::sleep(LOOK).await;
        let desk = office.desk.clone();
        let before = std::mem::take(&mut known);
        known = tokio::task::spawn_blocking(move || look(&desk, before)).await.unwrap_or_default();
    }
}

/// What is at work and was not begun by the agent; and how that ended which was at work before.
fn look(desk: &Desk, before: Vec<Run>) -> Vec<Run> {
    let mut at_work = Vec::new();
    for (site, run) in before {
        if let Ok(Some(past)) = history::read(&history::directory(&site), &run)
            && past.standing != Standing::Running
        {
            desk.live.see(&site, &past);
        }
    }
    let now = Timestamp::now();
    let just_now = |ended: Timestamp| now.duration_since(ended) < JUST_NOW;
    for card in desk.sites().iter() {
        let directory = history::directory(&card.state);
        for past in history::newest(&directory, NEWEST).unwrap_or_default() {
            let own = card.at_work.as_ref().is_some_and(|at_work| at_work.run == past.id);
            if own || !(past.standing == Standing::Running || past.state.finished.is_some_and(just_now)) {
                continue;
            }
            desk.live.see(&card.state, &past);
            if past.standing == Standing::Running {
                at_work.push((card.state.clone(), past.id));
            }
        }
    }
    at_work
}
