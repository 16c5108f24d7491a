//! Lines in the text format 0.0.4 of Prometheus: families with their help, and series with their labels.

use std::fmt::{Display, Write as _};

use super::Site;
use super::totals::Last;

/// Labels besides the site.
pub(super) type Labels<'a> = Vec<(&'static str, &'a str)>;

/// The name of a family without its prefix, and its help.
pub(super) type Words = (&'static str, &'static str);

/// The page as far as it is written, about these sites.
pub(super) struct Page<'a> {
    sites: &'a [Site],
    text: String,
}

impl<'a> Page<'a> {
    /// Begins with what is true of this program, whatever the sites.
    pub(super) fn of(sites: &'a [Site]) -> Self {
        let mut page = Self { sites, text: String::new() };
        page.family(("build_info", "The version of the program that says all this."), "gauge");
        page.line("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
        page
    }

    pub(super) fn end(self) -> String {
        self.text
    }

    pub(super) fn counter<V: Display>(&mut self, words: Words, value: impl Fn(&Site) -> V) {
        self.counters(words, |site| vec![(Vec::new(), value(site))]);
    }

    pub(super) fn counters<V: Display>(
        &mut self,
        words: Words,
        series: impl Fn(&'a Site) -> Vec<(Labels<'a>, V)>,
    ) {
        self.all(words, "counter", series);
    }

    /// Left out where there is nothing to say.
    pub(super) fn gauge<V: Display>(&mut self, words: Words, value: impl Fn(&Site) -> Option<V>) {
        self.gauges(words, |site| value(site).map(|value| (Vec::new(), value)).into_iter().collect());
    }

    pub(super) fn gauges<V: Display>(
        &mut self,
        words: Words,
        series: impl Fn(&'a Site) -> Vec<(Labels<'a>, V)>,
    ) {
        self.all(words, "gauge", series);
    }

    /// Of the last run of each kind.
    pub(super) fn of_last<V: Display>(&mut self, words: Words, value: impl Fn(&Last) -> Option<V>) {
        self.gauges(words, |site| {
            let kinds = site.totals.last.iter();
            kinds.filter_map(|(kind, last)| Some((vec![("kind", kind.as_str())], value(last)?))).collect()
        });
    }

    fn all<V: Display>(
        &mut self,
        words: Words,
        kind: &str,
        series: impl Fn(&'a Site) -> Vec<(Labels<'a>, V)>,
    ) {
        self.family(words, kind);
        for site in self.sites {
            for (mut labels, value) in series(site) {
                labels.insert(0, ("site", &site.name));
                self.line(words.0, &labels, value);
            }
        }
    }

    fn family(&mut self, (name, help): Words, kind: &str) {
        // Writing to a text cannot fail.
        let _ = writeln!(self.text, "# HELP lifeboat_{name} {help}\n# TYPE lifeboat_{name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&'static str, &str)], value: impl Display) {
        let labels: Vec<_> =
            labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
        let _ = writeln!(self.text, "lifeboat_{name}{{{}}} {value}", labels.join(","));
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
