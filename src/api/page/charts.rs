//! Bars over time, drawn here: sizes and durations, with the same numbers as a table.

use maud::{Markup, html};

use super::icons::Mark;

/// Bars that can be told apart.
const MOST: usize = 36;

/// Of the drawing, in its own units.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 58.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 22.0;

/// One bar.
pub(super) struct Bar {
    pub(super) value: f64,
    /// When.
    pub(super) when: String,
    /// The value as people read it.
    pub(super) said: String,
    pub(super) mark: Mark,
    /// Where more is told.
    pub(super) link: String,
}

/// What a chart shows.
pub(super) struct Chart<'a> {
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    /// What each bar stands for.
    pub(super) of: &'a str,
    /// The oldest first.
    pub(super) bars: &'a [Bar],
    /// A value as it stands at the axis.
    pub(super) axis: &'a dyn Fn(f64) -> String,
}

impl Chart<'_> {
    pub(super) fn drawn(&self) -> Markup {
        let bars = &self.bars[self.bars.len().saturating_sub(MOST)..];
        html! {
            figure.chart {
                figcaption { h3 #(self.id) { (self.title) } }
                @if bars.len() < 2 {
                    p.hint { "There is a chart from the second one on." }
                } @else {
                    (self.drawing(bars))
                    details { summary { "As a table" } (self.table(bars)) }
                }
            }
        }
    }

    fn drawing(&self, bars: &[Bar]) -> Markup {
        let highest = bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
        let room = HEIGHT - TOP - BOTTOM;
        let step = (WIDTH - LEFT) / count(bars.len().max(8));
        let y = |value: f64| TOP + room * (1.0 - value / highest);
        let (first, last) = (&bars[0].when, &bars[bars.len() - 1].when);
        let description = format!(
            "{} bars, one for {}, from {first} to {last}; the highest is {}.",
            bars.len(),
            self.of,
            (self.axis)(highest)
        );
        html! {
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="group" aria-labelledby=(self.id) {
                desc { (description) }
                @for share in [0.0, 0.5, 1.0] {
                    line.grid x1=(LEFT) x2=(WIDTH) y1=(at(y(highest * share))) y2=(at(y(highest * share))) {}
                    text.axis x=(LEFT - 6.0) y=(at(y(highest * share) + 4.0)) text-anchor="end" { @if share == 0.0 { "0" } @else { ((self.axis)(highest * share)) } }
                }
                @for (number, bar) in bars.iter().enumerate() {
                    (one(bar, LEFT + step * count(number), step, y(bar.value)))
                }
                text.axis x=(LEFT) y=(HEIGHT - 6.0) { (day(first)) }
                text.axis x=(at(LEFT + step * count(bars.len()))) y=(HEIGHT - 6.0) text-anchor="end" { @if step * count(bars.len()) > 150.0 { (day(last)) } }
            }
        }
    }

    fn table(&self, bars: &[Bar]) -> Markup {
        html! {
            table {
                thead { tr { th { "When" } th.num { (self.title) } } }
                tbody {
                    @for bar in bars.iter().rev() {
                        tr { th scope="row" { a href=(bar.link) { (bar.when) } } td.num { (bar.said) } }
                    }
                }
            }
        }
    }
}

fn one(bar: &Bar, x: f64, step: f64, top: f64) -> Markup {
    let base = HEIGHT - BOTTOM;
    // What is nearly nothing is still seen.
    let top = top.min(base - 1.5);
    let label = format!("{}: {}", bar.when, bar.said);
    html! {
        a class=(format!("bar {}", bar.mark.class())) href=(bar.link) aria-label=(label) {
            title { (label) }
            rect.room x=(at(x)) y=(TOP) width=(at(step)) height=(at(base - TOP)) fill="none" pointer-events="all" {}
            rect.value x=(at(x + step * 0.14)) y=(at(top)) width=(at(step * 0.72)) height=(at(base - top)) rx=(at((step * 0.12).min(2.5))) {}
            @if bar.mark > Mark::Plain {
                // Not by its colour alone.
                path.mark.failed d=(format!("M{} {}l6 6m0-6l-6 6", at(x + step / 2.0 - 3.0), at((top - 10.0).max(2.0)))) {}
            }
        }
    }
}

fn at(value: f64) -> String {
    format!("{value:.1}")
}

#[allow(clippy::cast_precision_loss)] // a few dozen
const fn count(number: usize) -> f64 {
    number as f64
}

fn day(when: &str) -> &str {
    when.get(..10).unwrap_or(when)
}
