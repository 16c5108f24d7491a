//! Which sites there are: the one configuration, and each file in a directory of more.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::memory::Memory;
use crate::config::{self, Config};
use crate::error::{Error, Result};
use crate::sys::fs::list;

/// The configurations that can be followed, and what is wrong with the others.
#[derive(Default)]
pub(super) struct Roster {
    pub(super) good: Vec<Entry>,
    pub(super) bad: Vec<(PathBuf, String)>,
}

/// A configuration with its text, as it was accepted.
pub(super) struct Entry {
    pub(super) file: PathBuf,
    pub(super) config: Config,
    pub(super) text: Zeroizing<Vec<u8>>,
}

impl Entry {
    /// Where the site is remembered; by this a site is known.
    pub(super) fn state(&self) -> PathBuf {
        self.config.site_state()
    }
}

/// Reads them all. `file` may be missing if there are others; a site that two files describe is refused with both names.
pub(super) fn read(file: &Path, sites: &Path) -> Result<Roster> {
    let mut files = listed(sites)?;
    if file.exists() || files.is_empty() {
        files.insert(0, file.to_owned());
    }
    let mut roster = Roster::default();
    let mut states: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
    for file in files {
        match config::load_with_text(&file) {
            Err(problems) => roster.bad.push((file, problems.to_string())),
            Ok((config, text)) => {
                let state = config.site_state();
                if let Some(other) = states.get(&state) {
                    let why = format!("site {} is described by {} too", config.site.name, other.display());
                    roster.bad.push((file, why));
                } else {
                    states.insert(state, file.clone());
                    roster.good.push(Entry { file, config, text });
                }
            }
        }
    }
    Ok(roster)
}

impl Roster {
    /// All problems as one error.
    pub(super) fn refusal(&self) -> Error {
        let texts: Vec<_> =
            self.bad.iter().map(|(file, text)| format!("{}: {text}", file.display())).collect();
        Error::usage(texts.join("\n"))
    }
}

/// The configuration of a site as it was accepted, in the directory of what is remembered of it.
pub(super) fn accepted(state: &Path) -> PathBuf {
    state.join("agent.yaml")
}

/// What a configuration was when it was last accepted: for an agent that starts when somebody has just spoiled it. It is looked for
/// where the other sites are remembered, and in the usual place.
pub(super) fn as_accepted(file: &Path, good: &[Entry]) -> Option<Entry> {
    let others = good.iter().filter_map(|entry| entry.state().parent().map(Path::to_owned));
    others.chain([PathBuf::from(config::STATE)]).find_map(|place| {
        let mut states = std::fs::read_dir(place).ok()?.flatten().map(|entry| entry.path());
        let state = states.find(|state| Memory::recall(state).0.config_file.as_deref() == Some(file))?;
        let (config, text) = config::load_with_text(&accepted(&state)).ok()?;
        Some(Entry { file: file.to_owned(), config, text })
    })
}

fn listed(sites: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in list(sites)?.into_iter().flatten() {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
