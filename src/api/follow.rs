//! Runs that somebody began by hand are seen too, as long as somebody watches.

use std::sync::Arc;
use std::time::Duration;

use super::office::Shared;
use crate::agent::Desk;
use crate::history::{self, Standing};

/// Often enough for people, and little work: a directory for each site.
const LOOK: Duration = Duration::from_secs(1);

/// The newest runs of a site that are looked at.
const NEWEST: usize = 3;

pub(super) async fn follow(office: Shared) {
    let mut known: Vec<(std::path::PathBuf, String)> = Vec::new();
    loop {
        office.desk.live.watched().await;
        tokio::time::sleep(LOOK).await;
        let desk = office.desk.clone();
        let before = std::mem::take(&mut known);
        known = tokio::task::spawn_blocking(move || look(&desk, before)).await.unwrap_or_default();
    }
}

/// What is at work and was not begun by the agent; and how that ended which was at work before.
fn look(desk: &Desk, before: Vec<(std::path::PathBuf, String)>) -> Vec<(std::path::PathBuf, String)> {
    let mut at_work = Vec::new();
    for (site, run) in before {
        if let Ok(Some(past)) = history::read(&history::directory(&site), &run)
            && past.standing != Standing::Running
        {
            desk.live.see(&site, &past);
        }
    }
    for card in Arc::clone(&desk.sites()).iter() {
        let directory = history::directory(&card.state);
        for past in history::newest(&directory, NEWEST).unwrap_or_default() {
            let own = card.at_work.as_deref() == Some(past.id.as_str());
            if past.standing == Standing::Running && !own {
                desk.live.see(&card.state, &past);
                at_work.push((card.state.clone(), past.id));
            }
        }
    }
    at_work
}
