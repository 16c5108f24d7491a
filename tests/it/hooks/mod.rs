//! Hooks as real processes: what they are given, what their end means, and that none can hold up a run.

mod answers;
mod contract;
mod directory;
mod order;
mod rights;
mod shipped;
mod story;
mod table;
mod trust;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lifeboat::event::{Cancel, Cx, Event, RunKind, RunState, Sink, What};
use lifeboat::hook::HookSpec;

const LONG: Duration = Duration::from_secs(30);

/// Keeps every event.
#[derive(Default)]
struct Heard(Mutex<Vec<What>>);

impl Sink for Heard {
    fn take(&self, event: &Event) {
        self.0.lock().unwrap().push(event.what.clone());
    }
}

impl Heard {
    fn listen() -> (Arc<Self>, Cx) {
        let heard = Arc::new(Self::default());
        let cx = Cx::new("run-7", Cancel::default(), vec![Arc::clone(&heard) as Arc<dyn Sink>]);
        (heard, cx)
    }

    fn notes(&self) -> Vec<String> {
        let text = |what: &What| if let What::Note { text } = what { Some(text.clone()) } else { None };
        self.0.lock().unwrap().iter().filter_map(text).collect()
    }

    fn warnings(&self) -> Vec<String> {
        let text =
            |what: &What| if let What::Warning { text, .. } = what { Some(text.clone()) } else { None };
        self.0.lock().unwrap().iter().filter_map(text).collect()
    }

    fn verdicts(&self) -> Vec<String> {
        let word =
            |what: &What| if let What::HookRan { verdict, .. } = what { Some(verdict.clone()) } else { None };
        self.0.lock().unwrap().iter().filter_map(word).collect()
    }
}

fn state() -> RunState {
    RunState { run: "run-7".into(), kind: Some(RunKind::Backup), site: "shop".into(), ..RunState::default() }
}

fn hook(point: &str, script: &str) -> HookSpec {
    let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    HookSpec { timeout: LONG, ..HookSpec::new(point, command) }
}
