//! A directory that is simply there: never created silently, and proven writable before it is used.

use std::fs;
use std::io;

use super::{Attached, LocalSpec, Storage, probe, trouble::Trouble};
use crate::error::{Error, Result};
use crate::event::Cx;

pub(super) struct Local {
    spec: LocalSpec,
}

impl Local {
    pub(super) fn new(spec: LocalSpec) -> Self {
        Self { spec }
    }
}

pub(super) fn check(spec: &LocalSpec) -> Result<()> {
    if spec.path.is_absolute() {
        return Ok(());
    }
    Err(Error::usage(format!("storage directory {} is not an absolute path", spec.path.display()))
        .with_remedy("write the path from the root on, such as /var/backups/site"))
}

impl Storage for Local {
    fn describe(&self) -> String {
        format!("directory {}", self.spec.path.display())
    }

    fn attach(&self, cx: &Cx) -> Result<Attached> {
        check(&self.spec)?;
        let name = self.describe();
        let path = self.spec.path.clone();
        // Under a deadline even so: the directory may lie on a network mount that somebody else made.
        let is_directory = probe::ask(&name, move || Ok::<_, io::Error>(fs::metadata(path)?.is_dir()))?;
        if !is_directory {
            return Err(Trouble::NotADirectory.about(&name, None));
        }
        probe::write(&name, &self.spec.path, cx)?;
        Ok(Attached { root: self.spec.path.clone(), unmount: None })
    }

    fn detach(&self, _attached: &Attached) -> Result<()> {
        Ok(())
    }
}
