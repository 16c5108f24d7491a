//! Storages: what is refused, what is told apart, and that nothing stays behind.

mod guest;
mod identity;
mod local;
mod nfs;

use std::sync::{Arc, Mutex};

use lifeboat::event::{Cancel, Cx, Event, Sink, What};

/// Keeps the warnings of a context.
#[derive(Default)]
struct Warnings(Mutex<Vec<String>>);

impl Sink for Warnings {
    fn take(&self, event: &Event) {
        if let What::Warning { text, .. } = &event.what {
            self.0.lock().unwrap().push(text.clone());
        }
    }
}

impl Warnings {
    fn listen() -> (Arc<Self>, Cx) {
        let warnings = Arc::new(Self::default());
        let cx = Cx::new("test", Cancel::default(), vec![Arc::clone(&warnings) as Arc<dyn Sink>]);
        (warnings, cx)
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}
