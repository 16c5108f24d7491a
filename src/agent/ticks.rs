//! The beat of the agent: once a minute it looks at the clock, and in between nothing wakes it.
//!
//! The scheduler asks its store for the next ticks twice a second, for ever. This store answers when there is one.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc::UnboundedSender;
use tokio_cron_scheduler::job::job_data::{JobAndNextTick, JobStoredData};
use tokio_cron_scheduler::store::{DataStore, InitStore};
use tokio_cron_scheduler::{
    Job, JobScheduler, JobSchedulerError, MetaDataStorage, SimpleJobCode, SimpleMetadataStore,
    SimpleNotificationCode, SimpleNotificationStore,
};
use uuid::Uuid;

use crate::error::Result;

type Answer<T> = Pin<Box<dyn Future<Output = Result<T, JobSchedulerError>> + Send>>;

/// Each full minute, in UTC: what is due then is a question of the sites' own zones, and not of this beat.
const BEAT: &str = "0 * * * * *";

/// Longer than a beat nobody sleeps: the clock may have been set.
const LONGEST: Duration = Duration::from_mins(1);

/// Sends a beat at each full minute. Dropping what comes back does not stop it; the end of the runtime does.
pub(super) async fn start(to: UnboundedSender<()>) -> Result<JobScheduler> {
    let scheduler = JobScheduler::new_with_storage_and_code(
        Box::new(Patient(SimpleMetadataStore::default())),
        Box::new(SimpleNotificationStore::default()),
        Box::new(SimpleJobCode::default()),
        Box::new(SimpleNotificationCode::default()),
        16,
    )
    .await?;
    let beat = move |_, _| {
        // Nobody listens any more if the agent is on its way out.
        let _ = to.send(());
    };
    scheduler.add(Job::new(BEAT, beat)?).await?;
    scheduler.start().await?;
    Ok(scheduler)
}

struct Patient(SimpleMetadataStore);

impl MetaDataStorage for Patient {
    fn list_next_ticks(&mut self) -> Answer<Vec<JobAndNextTick>> {
        let ticks = self.0.list_next_ticks();
        Box::pin(async move {
            let ticks = ticks.await?;
            let now = u64::try_from(Utc::now().timestamp()).unwrap_or(0);
            let next = ticks.iter().map(|tick| tick.next_tick).min();
            let left = next.map_or(LONGEST, |next| Duration::from_secs(next.saturating_sub(now)));
            tokio::time::sleep(left.min(LONGEST)).await;
            Ok(ticks)
        })
    }

    fn set_next_and_last_tick(
        &mut self,
        guid: Uuid,
        next_tick: Option<DateTime<Utc>>,
        last_tick: Option<DateTime<Utc>>,
    ) -> Answer<()> {
        self.0.set_next_and_last_tick(guid, next_tick, last_tick)
    }

    fn time_till_next_job(&mut self) -> Answer<Option<Duration>> {
        self.0.time_till_next_job()
    }
}

impl DataStore<JobStoredData> for Patient {
    fn get(&mut self, id: Uuid) -> Answer<Option<JobStoredData>> {
        self.0.get(id)
    }

    fn add_or_update(&mut self, data: JobStoredData) -> Answer<()> {
        self.0.add_or_update(data)
    }

    fn delete(&mut self, guid: Uuid) -> Answer<()> {
        self.0.delete(guid)
    }
}

impl InitStore for Patient {
    fn init(&mut self) -> Answer<()> {
        self.0.init()
    }

    fn inited(&mut self) -> Answer<bool> {
        self.0.inited()
    }
}
