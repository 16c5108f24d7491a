//! Snapshots that are held back from every rule: each change is a process of its own, and changes the snapshot's id.

use serde::Deserialize;

use super::office::{Office, Shared};
use super::problem::Answer;
use crate::agent::Card;

/// What `pin` and `unpin` print.
#[derive(Deserialize)]
struct Printed {
    snapshot: Id,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

impl Office {
    /// Holds a snapshot, for so long (`30d`) or for good; the id it has now.
    pub(super) async fn pin(
        self: &Shared,
        card: &Card,
        snapshot: &str,
        duration: Option<&str>,
    ) -> Answer<String> {
        let duration = duration.map(|text| format!("--for={text}"));
        let words: Vec<&str> =
            ["pin"].into_iter().chain(duration.as_deref()).chain(["--", snapshot]).collect();
        self.retag(card, &words).await
    }

    /// Lets the rules decide again; the id it has now.
    pub(super) async fn unpin(self: &Shared, card: &Card, snapshot: &str) -> Answer<String> {
        self.retag(card, &["unpin", "--", snapshot]).await
    }

    async fn retag(self: &Shared, card: &Card, words: &[&str]) -> Answer<String> {
        let printed = self.look_up::<Printed>(&card.accepted, words).await;
        // Also after an error: it may have come afterwards.
        self.shelf.clear(card);
        Ok(printed?.snapshot.id)
    }
}
