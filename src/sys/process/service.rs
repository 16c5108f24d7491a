//! Programs that go on beside us and end with us.

use std::process::{Child, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::How;
use super::{PATIENCE, group_of, prepared, signal, wait};
use crate::error::{Context, Result};

/// A program that goes on beside us, in a process group of its own that ends with this.
pub struct Service {
    child: Mutex<Child>,
    group: Pid,
}

impl Service {
    pub fn start(command: &[String]) -> Result<Self> {
        let (mut prepared, name) = prepared(command)?;
        let child = prepared
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("start {name}"))?;
        Ok(Self { group: group_of(&child)?, child: Mutex::new(child) })
    }

    pub fn is_running(&self) -> bool {
        wait(self.group, Duration::ZERO, || false).is_ok_and(|how| how != How::ByItself)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // What cannot be ended is left: there is nobody to tell any more.
        drop(signal(self.group, Signal::SIGKILL));
        drop(wait(self.group, PATIENCE, || false));
        drop(self.child.lock().unwrap_or_else(PoisonError::into_inner).wait());
    }
}
