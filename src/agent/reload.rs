//! Which sites the agent looks after may change while it works.

use std::path::PathBuf;

use jiff::Timestamp;

use super::desk::Reloaded;
use super::site::Site;
use super::{Agent, roster, systemd};
use crate::error::Result;

impl Agent<'_> {
    pub(super) fn try_refused(&mut self, now: Timestamp) {
        let before = self.sites.len();
        self.refused.retain(|entry| match Site::open(entry, &self.voice, now) {
            Ok(site) => {
                site.say("is looked after now");
                self.sites.push(site);
                false
            }
            Err(_) => true,
        });
        if self.sites.len() > before {
            self.watch_spools();
        }
    }

    /// All configurations are read anew. Those that are wrong are refused with their problems, and their sites stay as they were.
    pub(super) fn reload(&mut self) -> Result<Reloaded> {
        systemd::reloading();
        let reloaded = roster::read(&self.settings.config, &self.settings.sites)
            .map(|roster| self.take_over(roster))
            .inspect_err(|error| self.voice.complain(None, format!("nothing is reloaded: {error}")));
        self.watch_spools();
        systemd::ready(&self.status());
        self.voice.say(None, format!("reloaded: {}", self.status()));
        reloaded
    }

    fn take_over(&mut self, roster: roster::Roster) -> Reloaded {
        let now = Timestamp::now();
        let mut refused = roster.bad.clone();
        for (file, text) in &roster.bad {
            self.voice.complain(None, format!("{} stays as it was: {text}", file.display()));
        }
        let described = |site: &Site| {
            roster.good.iter().any(|entry| entry.state() == site.state)
                || roster.bad.iter().any(|(file, _)| *file == site.config_file)
        };
        let (kept, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut self.sites).into_iter().partition(described);
        self.sites = kept;
        for site in gone {
            site.say("is no longer looked after");
        }
        self.refused.clear();
        for entry in roster.good {
            let known = self.sites.iter_mut().find(|site| site.state == entry.state());
            let (taken, is_new) = match known {
                Some(site) => (site.reload(&entry, now), false),
                None => (Site::open(&entry, &self.voice, now).map(|site| self.sites.push(site)), true),
            };
            if let Err(error) = taken {
                self.voice.complain(Some(&entry.config.site.name), format!("stays as it was: {error}"));
                refused.push((entry.file.clone(), error.to_string()));
                self.refused.extend(is_new.then_some(entry));
            }
        }
        let sites = &self.sites;
        self.queue.retain(|order| sites.iter().any(|site| site.state == order.site));
        Reloaded { refused }
    }

    pub(super) fn watch_spools(&mut self) {
        let places: Vec<PathBuf> = self.sites.iter().flat_map(|site| site.spools().to_vec()).collect();
        for (place, error) in self.lookout.watch(&places) {
            let text = format!("{} cannot be watched for requests: {error}", place.display());
            self.voice.complain(None, text);
        }
    }
}
