//! What is looked up in a repository, by a process with `--json`: for answers and pages alike.

use axum::body::Body;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::office::Shared;
use super::problem::{Answer, Problem};
use crate::agent::Card;

/// Changes that are given out one by one; more are only counted.
const CHANGES: usize = 5000;

/// A snapshot of a site.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct SnapshotView {
    pub(super) id: String,
    /// The moment it stands for.
    pub(super) time: Timestamp,
    #[serde(default)]
    pub(super) tags: Vec<String>,
    /// Nothing is missing from it.
    pub(super) complete: bool,
    #[serde(default)]
    pub(super) comment: Option<String>,
    #[serde(default)]
    pub(super) stats: Option<Stats>,
    /// What drills have shown of it.
    #[serde(default)]
    pub(super) drill: Option<DrillVerdict>,
    /// That it is held back from every rule.
    #[serde(default)]
    pub(super) pin: Option<Held>,
}

/// What a backup read, and what it added.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct Stats {
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) files_new: u64,
    pub(super) files_changed: u64,
    /// Before compression.
    pub(super) bytes_added: u64,
    /// What the repository grew by.
    pub(super) bytes_stored: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct DrillVerdict {
    /// `proven`, `in-part` or `failed`.
    pub(super) verdict: String,
    pub(super) at: Timestamp,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct Held {
    /// Nothing: for good.
    #[serde(default)]
    pub(super) until: Option<Timestamp>,
}

/// An entry of a directory.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct FileEntry {
    /// Absolute, as in the snapshot.
    pub(super) path: String,
    /// `file`, `dir`, `symlink` and others.
    pub(super) kind: String,
    /// As `ls -l` shows it.
    pub(super) mode: String,
    pub(super) owner: String,
    pub(super) size: u64,
    pub(super) mtime: Option<Timestamp>,
}

/// What differs between two snapshots.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Differences {
    /// In the order of their paths, at most 5000.
    pub(super) changes: Vec<Change>,
    pub(super) added: u64,
    pub(super) removed: u64,
    pub(super) changed: u64,
    /// Same content, other owner, mode or time.
    pub(super) metadata: u64,
    pub(super) unchanged: u64,
    /// Of files that are new or have other content.
    pub(super) bytes: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct Change {
    /// `added`, `removed`, `changed` or `metadata`.
    pub(super) kind: String,
    pub(super) path: String,
}

#[derive(Deserialize)]
struct Compared {
    changes: Vec<Change>,
    unchanged: u64,
    bytes: u64,
}

/// What a search found.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct Found {
    pub(super) paths: Vec<FoundPath>,
    /// So many more there are.
    pub(super) left_out: u64,
    /// So many snapshots were searched.
    pub(super) snapshots: u64,
    /// Directories that could not be read, in which there may be more.
    pub(super) unreadable: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct FoundPath {
    pub(super) path: String,
    /// The newest snapshot still has it.
    pub(super) in_newest: bool,
    /// Each different one, the newest first.
    pub(super) versions: Vec<Version>,
}

#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct Version {
    /// The newest snapshot that holds it like this.
    pub(super) snapshot: String,
    pub(super) time: Timestamp,
    /// `file`, `dir`, `symlink` and others.
    pub(super) kind: String,
    pub(super) size: u64,
    pub(super) mtime: Option<Timestamp>,
}

/// What would become of each snapshot.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Retention {
    pub(super) verdicts: Vec<VerdictView>,
    /// Why nothing would be removed after all.
    pub(super) refused: Option<String>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct VerdictView {
    pub(super) snapshot: SnapshotView,
    pub(super) keep: bool,
    pub(super) reason: String,
}

/// What a restore is to bring back.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanWish {
    /// A moment (`2026-11-20 03:00`, RFC 3339, `yesterday 03:00`), `latest`, or a snapshot's id.
    pub(super) at: String,
    /// `files` or `databases`; left out: both.
    pub(super) only: Option<Only>,
    /// Only files that match these patterns (gitignore style, relative to the root).
    #[serde(default)]
    pub(super) include: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Only {
    Files,
    Databases,
}

/// What a restore would do.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Plan {
    /// What `restores` takes.
    pub(super) id: String,
    pub(super) snapshot: SnapshotView,
    pub(super) files: Option<FilePlan>,
    pub(super) databases: Vec<DatabasePlan>,
    /// Of the restored files.
    pub(super) bytes: u64,
    /// Of them from the storage.
    pub(super) fetch: u64,
    /// About so long in all; the site stands still for a small part of it.
    pub(super) seconds: f64,
    /// Whether that was measured on this machine before.
    pub(super) measured: bool,
}

/// What becomes of the live files.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct FilePlan {
    pub(super) differences: Differences,
    /// Live files that are not in the snapshot and are set aside.
    pub(super) set_aside: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct DatabasePlan {
    pub(super) database: String,
    pub(super) rows: u64,
    pub(super) tables: Vec<TablePlan>,
}

#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct TablePlan {
    /// `added`, `removed` or `changed`.
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) rows: Option<u64>,
}

impl From<Compared> for Differences {
    fn from(mut all: Compared) -> Self {
        let count = |kind: &str| all.changes.iter().filter(|change| change.kind == kind).count() as u64;
        let (added, removed, changed, metadata) =
            (count("added"), count("removed"), count("changed"), count("metadata"));
        all.changes.truncate(CHANGES);
        Self {
            changes: all.changes,
            added,
            removed,
            changed,
            metadata,
            unchanged: all.unchanged,
            bytes: all.bytes,
        }
    }
}

impl super::office::Office {
    /// The newest first.
    pub(super) async fn snapshots(self: &Shared, card: &Card) -> Answer<Vec<SnapshotView>> {
        let mut found: Vec<SnapshotView> = self.look_up(&card.accepted, &["snapshots"]).await?;
        found.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.time));
        Ok(found)
    }

    pub(super) async fn files(
        self: &Shared,
        card: &Card,
        snapshot: &str,
        path: &str,
    ) -> Answer<Vec<FileEntry>> {
        #[derive(Deserialize)]
        struct Listing {
            entries: Vec<FileEntry>,
        }
        is_path(path)?;
        let words = ["ls", "--depth=1", "--", snapshot, path];
        Ok(self.look_up::<Listing>(&card.accepted, &words).await?.entries)
    }

    pub(super) async fn content(self: &Shared, card: &Card, snapshot: &str, path: &str) -> Answer<Body> {
        is_path(path)?;
        self.typed(card, snapshot, path, self.fetch(&card.accepted, &["dump", "--", snapshot, path]).await)
            .await
    }

    pub(super) async fn sql(
        self: &Shared,
        card: &Card,
        snapshot: &str,
        database: Option<&str>,
    ) -> Answer<Body> {
        let database = database.map(|name| format!("--database={name}"));
        let words: Vec<&str> =
            ["dump", "--sql"].into_iter().chain(database.as_deref()).chain(["--", snapshot]).collect();
        self.typed(card, snapshot, "/", self.fetch(&card.accepted, &words).await).await
    }

    /// A raw answer cannot say of which kind its failure is; a look at the same place can.
    async fn typed(
        self: &Shared,
        card: &Card,
        snapshot: &str,
        path: &str,
        fetched: Answer<Body>,
    ) -> Answer<Body> {
        match fetched {
            Err(problem) if problem.status() == StatusCode::BAD_GATEWAY => {
                self.files(card, snapshot, path).await?;
                Err(problem)
            }
            other => other,
        }
    }

    pub(super) async fn differences(self: &Shared, card: &Card, old: &str, new: &str) -> Answer<Differences> {
        Ok(self.look_up::<Compared>(&card.accepted, &["diff", "--", old, new]).await?.into())
    }

    pub(super) async fn find(self: &Shared, card: &Card, pattern: &str, limit: u32) -> Answer<Found> {
        let limit = format!("--limit={}", limit.clamp(1, 1000));
        self.look_up(&card.accepted, &["find", &limit, "--", pattern]).await
    }

    pub(super) async fn retention(self: &Shared, card: &Card) -> Answer<Retention> {
        #[derive(Deserialize)]
        struct Forgotten {
            verdicts: Vec<(SnapshotView, Verdict)>,
            #[serde(default)]
            refused: Option<serde_json::Value>,
        }
        #[derive(Deserialize)]
        struct Verdict {
            keep: bool,
            reason: String,
        }
        let found: Forgotten = self.look_up(&card.accepted, &["forget", "--dry-run"]).await?;
        let verdicts = found.verdicts.into_iter();
        let view = |(snapshot, verdict): (SnapshotView, Verdict)| VerdictView {
            snapshot,
            keep: verdict.keep,
            reason: verdict.reason,
        };
        let refused = found.refused.map(|why| why.as_str().map_or_else(|| why.to_string(), str::to_owned));
        Ok(Retention { verdicts: verdicts.map(view).collect(), refused })
    }

    pub(super) async fn plan(self: &Shared, card: &Card, wish: &PlanWish) -> Answer<Plan> {
        let mut words = vec!["restore".to_owned(), "--plan".to_owned(), format!("--at={}", wish.at)];
        match wish.only {
            Some(Only::Files) => words.push("--files".to_owned()),
            Some(Only::Databases) => words.push("--database".to_owned()),
            None => {}
        }
        words.extend(wish.include.iter().map(|pattern| format!("--include={pattern}")));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.look_up::<Planned>(&card.accepted, &words).await?.view()
    }
}

/// What `restore --plan` prints.
#[derive(Deserialize)]
struct Planned {
    restored: Restored,
}

#[derive(Deserialize)]
struct Restored {
    preview: Preview,
}

#[derive(Deserialize)]
struct Preview {
    snapshot: SnapshotView,
    plan: Option<String>,
    files: Option<Compared>,
    aside: Counted,
    databases: Vec<DatabasePlan>,
    bytes: u64,
    fetch: u64,
    time: Estimate,
}

#[derive(Deserialize)]
struct Counted {
    count: u64,
}

#[derive(Deserialize)]
struct Estimate {
    seconds: f64,
    measured: bool,
}

impl Planned {
    fn view(self) -> Answer<Plan> {
        let preview = self.restored.preview;
        let id = preview.plan.ok_or_else(|| Problem::not_found("the plan was not kept"))?;
        let set_aside = preview.aside.count;
        let files = preview.files.map(|changes| FilePlan { differences: changes.into(), set_aside });
        Ok(Plan {
            id,
            snapshot: preview.snapshot,
            files,
            databases: preview.databases,
            bytes: preview.bytes,
            fetch: preview.fetch,
            seconds: preview.time.seconds,
            measured: preview.time.measured,
        })
    }
}

/// A path that goes up leads nowhere in a snapshot, and whoever sends one is told.
fn is_path(path: &str) -> Answer<()> {
    let bad = path.contains('\0') || path.split('/').any(|part| part == "..") || !path.starts_with('/');
    let remedy = Some("give an absolute path without `..`".to_owned());
    if bad { Err(Problem::of_kind("usage", "this is no path in a snapshot", remedy)) } else { Ok(()) }
}
