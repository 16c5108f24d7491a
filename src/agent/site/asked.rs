//! Runs that somebody asks for: each is on disk before its name is given out, and off it at its end.

use jiff::Timestamp;

use super::Site;
use crate::agent::order::{Order, Work};
use crate::agent::wish::Wish;
use crate::error::{Error, Kind, Result};
use crate::history::{self, Past, Standing};
use crate::schedule::agenda::Fate;

/// More of one site do not wait: who asks this often does not read the answers.
const MOST: usize = 8;

impl Site {
    /// Takes an order from a person.
    pub(in crate::agent) fn ask(&mut self, wish: Wish) -> Result<Order> {
        if self.memory.asked.len() >= MOST {
            return Err(Error::new(Kind::Locked, format!("{MOST} runs that were asked for wait already"))
                .with_remedy("wait until they are done, or cancel one"));
        }
        let run = history::new_run(wish.word());
        self.memory.asked.insert(run.clone(), wish.clone());
        // Without it the next agent would not know of it; and a disk that takes nothing will take no history either.
        self.memory.keep(&self.state).inspect_err(|_| drop(self.memory.asked.remove(&run)))?;
        self.at_hand.insert(run.clone());
        self.say(format!("{} is asked for: {run}", wish.word()));
        Ok(Order { site: self.state.clone(), run, work: Work::Asked(wish) })
    }

    /// What a former agent was asked for and did not begin is begun now, unless its asker would be surprised by it.
    pub(super) fn look_at_asked(&mut self, now: Timestamp, orders: &mut Vec<Order>) -> Result<()> {
        let history = history::directory(&self.state);
        let asked: Vec<_> = self.memory.asked.iter().map(|(run, wish)| (run.clone(), wish.clone())).collect();
        for (run, wish) in asked {
            if self.at_hand.contains(&run) {
                continue;
            }
            match history::read(&history, &run)? {
                Some(Past { standing: Standing::Running, .. }) => {}
                Some(_) => self.forget_asked(&run, now),
                None if wish.keeps() => {
                    orders.push(Order { site: self.state.clone(), run, work: Work::Asked(wish) });
                }
                None => {
                    self.complain(format!(
                        "{run} was asked for and not begun before the agent ended: ask again"
                    ));
                    self.forget_asked(&run, now);
                }
            }
        }
        Ok(())
    }

    pub(super) fn forget_asked(&mut self, run: &str, now: Timestamp) {
        if self.memory.asked.remove(run).is_some() {
            self.keep(now);
        }
    }

    /// A person took back what waits for its turn.
    pub(in crate::agent) fn withdraw(&mut self, order: &Order, now: Timestamp) {
        self.at_hand.remove(&order.run);
        match &order.work {
            Work::Asked(_) => self.forget_asked(&order.run, now),
            Work::Task(task) => self.task_ended(&task.clone(), Fate::Over, now),
            // What stands still must be given back, and requests wait on.
            Work::Recover | Work::Requested => return,
        }
        self.say(format!("{} was taken back before it began", order.run));
    }
}
