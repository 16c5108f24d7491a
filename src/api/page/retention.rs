//! What the retention rules would keep and remove now, with the reasons.

use maud::{Markup, html};

use super::Page;
use super::frame::{self, Tab};
use super::visit::Visit;
use super::words::{bytes, many, shown};
use crate::api::lookups::{Retention, VerdictView};
use crate::api::problem::Answer;

pub(super) async fn page(visit: Visit) -> Answer<Page> {
    let found = visit.office.retention(&visit.card).await?;
    let kept = found.verdicts.iter().filter(|verdict| verdict.keep).count() as u64;
    let removed = found.verdicts.len() as u64 - kept;
    let content = html! {
        h1 { "Retention" }
        p.lead {
            @if found.verdicts.is_empty() { "There are no snapshots yet." }
            @else if removed == 0 { "All " (many(kept, "snapshot")) " would stay." }
            @else { (many(kept, "snapshot")) " would stay, and " (removed) " would go at the next rotation." }
        }
        p.hint { "This is a preview: nothing was removed. A rotation follows each backup." }
        (refused(&found))
        (table(&visit, &found))
    };
    Ok(frame::of_site(&visit, Tab::Retention, "Retention", &content))
}

fn refused(found: &Retention) -> Markup {
    html! {
        @if let Some(why) = &found.refused {
            div.note.attention { p { strong { "Nothing would be removed after all: " } (shown(why)) } }
        }
    }
}

fn table(visit: &Visit, found: &Retention) -> Markup {
    let mut verdicts: Vec<&VerdictView> = found.verdicts.iter().collect();
    verdicts.sort_by_key(|verdict| std::cmp::Reverse(verdict.snapshot.time));
    html! {
        div.scroll.card.flush {
            table.retention {
                thead { tr { th { "Snapshot" } th { "Verdict" } th { "Why" } th.num { "Size" } } }
                tbody {
                    @for verdict in verdicts {
                        tr.goes[!verdict.keep] {
                            th scope="row" { a href=(visit.path(&format!("/snapshots/{}", verdict.snapshot.id))) { (visit.clock.at(verdict.snapshot.time)) } }
                            td { @if verdict.keep { span.change.added { span.sign aria-hidden="true" { "✓" } " stays" } } @else { span.change.removed { span.sign aria-hidden="true" { "−" } " goes" } } }
                            td { (shown(&verdict.reason)) }
                            td.num { @if let Some(stats) = verdict.snapshot.stats { (bytes(stats.bytes)) } }
                        }
                    }
                }
            }
        }
    }
}
