//! A site as others are shown it.

use jiff::Timestamp;

use super::Site;
use crate::agent::desk::{Card, Due, Queued};
use crate::agent::order::Order;

impl Site {
    pub(in crate::agent) fn card(&self, queue: &[&Order], at_work: Option<&Order>, now: Timestamp) -> Card {
        let work = self.tasks.iter().map(|task| {
            let memory = self.memory.tasks.get(&task.kind);
            Due {
                work: task.kind,
                next: task.timetable.after(now).map(|due| due.due),
                pending: memory.and_then(|memory| Some(memory.pending.as_ref()?.run.clone())),
                skipped: memory.map_or(0, |memory| memory.skipped),
                missed: memory.map_or(0, |memory| memory.missed),
            }
        });
        let queued = |order: &Order| Queued { run: order.run.clone(), what: order.work.word() };
        Card {
            name: self.name.clone(),
            config_file: self.config_file.clone(),
            accepted: self.accepted(),
            state: self.state.clone(),
            work: work.collect(),
            queue: queue.iter().copied().map(queued).collect(),
            at_work: at_work.map(queued),
            troubles: self.troubles.keys().cloned().collect(),
        }
    }
}
