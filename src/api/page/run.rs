//! One run: what it does or did, step by step, what was said, and what can be done next.

use maud::{Markup, html};

use super::frame::{self, Tab};
use super::icons::Mark;
use super::visit::Visit;
use super::words::{bytes, many, number, short, shown, took};
use super::{Page, work};
use crate::access::Scope;
use crate::api::extract::Named;
use crate::api::problem::Answer;
use crate::api::rest::EventView;
use crate::api::view::{RunView, StepView};

/// Lines of the log that are shown, the last ones.
const LINES: usize = 500;

pub(super) async fn page(visit: Visit, Named((_, id)): Named<(String, String)>) -> Answer<Page> {
    let run = visit.office.run(visit.card.clone(), id.clone()).await?;
    // One that waits has said nothing.
    let said = visit.office.events(visit.card.clone(), id).await.unwrap_or_default();
    let content = html! {
        div data-part="run" data-of=[(!run.is_over()).then_some(&run.id)] {
            p.trail { a href=(visit.path("/runs")) { "Runs" } }
            h1 { (work::kind(&run)) @if let Some(at) = run.started { span.muted { " of " (visit.clock.at(at)) } } }
            @if run.is_over() { (ended(&visit, &run)) }
            @else { (work::at_work(&visit, &run, &html! {})) }
            (troubles(&run))
            div.columns {
                section.card { h2 { "Steps" } (steps(&run)) }
                section.card { h2 { "Facts" } (facts(&visit, &run)) }
            }
            section.card { h2 { "Log" } (log(&visit, &said)) }
        }
    };
    Ok(frame::live(&visit, Tab::Runs, &format!("{} {}", work::kind(&run), run.id), &content, !run.is_over()))
}

fn ended(visit: &Visit, run: &RunView) -> Markup {
    let (mark, _) = work::ending(run);
    let text = match (run.standing.as_str(), run.outcome.as_deref()) {
        ("crashed", _) => "Its process ended before it did. The agent puts right what it left unfinished.",
        (_, Some("success")) => "All of it was done.",
        (_, Some("incomplete")) => {
            "The main thing was done, but something is missing from it or was left behind."
        }
        (_, Some("skipped")) => "It was left out.",
        (_, Some("cancelled")) => "It was cancelled, and everything is as it was before.",
        _ => "It did not do what it was begun for.",
    };
    html! {
        section class=(format!("card result {}", mark.class())) {
            p { (work::badge(run)) " " (text) @if let Some(seconds) = work::seconds(run) { " It took " (took(seconds)) "." } }
            @if let Some(error) = run.error.as_ref().filter(|_| run.outcome.as_deref() != Some("cancelled")) { p.error { strong { "What went wrong: " } (shown(error)) } }
            @if let Some(remedy) = &run.remedy { p.remedy { strong { "What helps: " } (shown(remedy)) } }
            (onward(visit, run))
        }
    }
}

/// Where somebody wants to go from here.
fn onward(visit: &Visit, run: &RunView) -> Markup {
    let restored = run.kind.as_deref() == Some("restore")
        && matches!(run.outcome.as_deref(), Some("success" | "incomplete"));
    let failed_backup = run.kind.as_deref() == Some("backup") && run.outcome.as_deref() != Some("success");
    html! {
        @if restored {
            @if visit.may(Scope::Restore) {
                p { "What was live before is kept. If the result is not what you wanted, everything can be put back as it was." }
                p.bar { a.button href=(visit.path("/undo")) { "Undo this restore…" } }
            }
        } @else if let Some(snapshot) = &run.snapshot {
            p.bar { a.button href=(visit.path(&format!("/snapshots/{snapshot}"))) { "Look at the snapshot " (short(snapshot)) } }
        }
        @if failed_backup && visit.may(Scope::Backup) {
            form.bar method="post" action=(visit.path("/backup")) { (visit.csrf()) button type="submit" { "Try again now" } }
        }
    }
}

fn troubles(run: &RunView) -> Markup {
    let list = |class: &str, mark: Mark, title: String, lines: &[String], count: u64| {
        let more = count.saturating_sub(lines.len() as u64);
        html! {
            @if !lines.is_empty() {
                section class=(format!("note {class}")) {
                    h2 { (mark.icon()) (title) }
                    ul.lines { @for line in lines { li { (shown(line)) } } }
                    @if more > 0 { p.muted { "and " (number(more)) " more" } }
                }
            }
        }
    };
    html! {
        (list("bad", Mark::Bad, "Somebody must look at this".to_owned(), &run.stuck, run.stuck.len() as u64))
        (list("attention", Mark::Attention, format!("Missing: {}", many(run.missed_count, "thing")), &run.missed, run.missed_count))
        (list("plain", Mark::Plain, many(run.warning_count, "warning"), &run.warnings, run.warning_count))
    }
}

fn steps(run: &RunView) -> Markup {
    html! {
        @if run.steps.is_empty() { p.hint { "None yet." } }
        @else { ol.steps { @for step in &run.steps { (one(step, run)) } } }
    }
}

fn one(step: &StepView, run: &RunView) -> Markup {
    let (class, word) = match (&step.failed, step.seconds) {
        (Some(_), _) => ("failed", "failed"),
        (None, Some(_)) => ("done", "done"),
        (None, None) if run.is_over() => ("failed", "broke off"),
        (None, None) => ("doing", "at work"),
    };
    html! {
        li class=(class) aria-current=[(class == "doing").then_some("step")] {
            span.what { (work::step(&step.step)) @if step.reverted { span.muted { " · put back" } } }
            span.muted.how { @match step.seconds { Some(seconds) => { @if class == "failed" { (word) " after " } (took(seconds)) } None => (word) } }
            @if let Some(error) = &step.failed { p.error { (shown(error)) } }
        }
    }
}

fn facts(visit: &Visit, run: &RunView) -> Markup {
    html! {
        dl {
            @if let Some(at) = run.started { dt { "Begun" } dd { (visit.clock.full(at)) " " (work::cause(run)) } }
            @if let Some(at) = run.finished { dt { "Ended" } dd { (visit.clock.at(at)) } }
            @if let Some(saved) = run.saved {
                dt { "Holds" } dd { (many(saved.files, "file")) ", " (bytes(saved.bytes)) }
                dt { "Since the one before" } dd { (number(saved.files_new)) " new, " (number(saved.files_changed)) " changed" }
                dt { "Added" } dd { (bytes(saved.bytes_stored)) " (" (bytes(saved.bytes_added)) " before compression)" }
            }
            @if let Some(seconds) = run.held_seconds { dt { "The site stood still for" } dd { (format!("{seconds:.2} s")) } }
            @if let Some(snapshot) = &run.snapshot { dt { "Snapshot" } dd { a href=(visit.path(&format!("/snapshots/{snapshot}"))) { (short(snapshot)) } } }
            @for note in &run.notes { dt { "Note" } dd { (shown(note)) } }
            dt { "Run" } dd { code.break { (run.id) } }
        }
    }
}

fn log(visit: &Visit, said: &[EventView]) -> Markup {
    let shown_from = said.len().saturating_sub(LINES);
    html! {
        @if said.is_empty() { p.hint { "Nothing was said yet." } }
        @else {
            @if shown_from > 0 { p.muted { "The last " (LINES) " of " (number(said.len() as u64)) " lines." } }
            ol.log tabindex="0" aria-label="Log" {
                @for event in &said[shown_from..] {
                    li class=(class(&event.event)) { time datetime=(event.at) { (visit.clock.second(event.at)) } " " (shown(&event.text)) }
                }
            }
        }
    }
}

fn class(event: &str) -> &'static str {
    match event {
        "step-failed" | "stuck" => "bad",
        "warning" | "missed" => "attention",
        _ => "plain",
    }
}
