//! What comes over the desk, and what is laid out on it.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::Agent;
use super::desk::{Ask, Card, Reply};
use super::order::Work;
use super::site::Site;
use super::wish::Wish;
use crate::error::{Error, Kind, Result};
use crate::event::Outcome;

impl Agent<'_> {
    pub(super) fn asked(&mut self, ask: Ask) {
        match ask {
            Ask::Begin { site, wish, reply } => {
                let begun = self.begin_wish(&site, wish);
                self.reply(reply, begun);
            }
            Ask::Cancel { site, run, reply } => {
                let cancelled = self.cancel_run(&site, &run);
                self.reply(reply, cancelled);
            }
            Ask::Reload { reply } => {
                let reloaded = self.reload();
                self.reply(reply, reloaded);
            }
        }
    }

    /// Whoever hears of it may look for it on the desk at once.
    fn reply<T>(&self, reply: Reply<T>, answer: Result<T>) {
        self.lay_out();
        // Who asked may be gone; it is done all the same.
        drop(reply.send(answer));
    }

    fn begin_wish(&mut self, site: &Path, wish: Wish) -> Result<String> {
        if self.stopping.is_some() {
            return Err(
                Error::new(Kind::Locked, "the agent is on its way out").with_remedy("ask its successor")
            );
        }
        let site = self.sites.iter_mut().find(|known| known.state == site);
        let order = site.ok_or_else(gone)?.ask(wish)?;
        let run = order.run.clone();
        self.queue.add(order);
        Ok(run)
    }

    fn cancel_run(&mut self, state: &Path, run: &str) -> Result<()> {
        if let Some(order) = self.queue.take(state, run) {
            let site = self.sites.iter_mut().find(|known| known.state == state);
            site.ok_or_else(gone)?.withdraw(&order, Timestamp::now());
            // What puts something right, or is for requests, is ordered again under the same name.
            if matches!(order.work, Work::Asked(_) | Work::Task(_)) {
                self.desk.live.never_began(&order, Outcome::Cancelled, "it was taken back before it began");
            }
            return Ok(());
        }
        for lane in [&self.runs, &self.rescue] {
            if lane.at_work().is_some_and(|order| order.site == state && order.run == run) {
                self.voice.say(None, format!("{run} is cancelled, as somebody asks"));
                return lane.cancel();
            }
        }
        Err(Error::usage(format!("{run} is not at work here"))
            .with_remedy("see `lifeboat runs`; a run that was begun by hand is cancelled where it was begun"))
    }

    /// How every site stands, for those who look on.
    pub(super) fn lay_out(&self) {
        let now = Timestamp::now();
        let card = |site: &Site| -> Card {
            let lanes = [self.rescue.at_work(), self.runs.at_work()];
            let at_work = lanes.into_iter().flatten().find(|order| order.site == site.state);
            site.card(&self.queue.of(&site.state), at_work, now)
        };
        let mut cards: Vec<Card> = self.sites.iter().map(card).collect();
        cards.sort_by(|one, other| one.name.cmp(&other.name));
        self.desk.cards.send_if_modified(|shown| {
            let new = **shown != *cards;
            if new {
                *shown = Arc::from(cards);
            }
            new
        });
    }
}

fn gone() -> Error {
    Error::usage("the agent does not look after this site any more")
}
