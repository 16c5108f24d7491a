//! What a run left unfinished that died: it is put right without waiting for the next run.

use jiff::Timestamp;

use super::Site;
use crate::agent::order::{Order, Work};
use crate::agent::waits::Rescue;
use crate::error::Result;
use crate::history::{self, Standing};
use crate::run::left_unfinished;

impl Site {
    /// A run that died may have left the site in between: whoever finds it so puts it right, without waiting for the next run.
    /// It waits for no other site's run; one that fails is tried again after a minute, and then less often.
    pub(super) fn look_for_leftovers(&mut self, now: Timestamp, orders: &mut Vec<Order>) -> Result<()> {
        if left_unfinished(&self.state)?.is_none() {
            self.rescue = None;
            return Ok(());
        }
        if self.rescue.as_ref().is_some_and(|rescue| rescue.waits(&self.at_hand, now)) {
            return Ok(());
        }
        let newest = history::newest(&history::directory(&self.state), 5)?;
        if newest.iter().any(|past| past.standing == Standing::Running) {
            return Ok(());
        }
        let (site, run) = (self.state.clone(), history::new_run("recover"));
        let tries = self.rescue.as_ref().map_or(0, |rescue| rescue.tries) + 1;
        self.rescue = Some(Rescue { run: run.clone(), at: now, tries });
        self.complain("something was left unfinished by a run that died; putting it right");
        orders.push(Order { site, run, work: Work::Recover });
        Ok(())
    }
}
