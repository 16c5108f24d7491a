//! What a token allows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// One thing that a token may allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// See how backups stand: runs, snapshots, the names of what is in them, schedules, numbers. No content.
    Read,
    /// Begin and cancel backups, checks and drills, and ask for them.
    Backup,
    /// Bring a site back, and fetch content out of snapshots.
    Restore,
    /// Change which sites there are and how they are backed up.
    Admin,
}

impl Scope {
    pub const ALL: [Self; 4] = [Self::Read, Self::Backup, Self::Restore, Self::Admin];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == text).ok_or_else(|| {
            Error::usage(format!("there is no scope {text:?}"))
                .with_remedy("give read, backup, restore or admin")
        })
    }
}

/// What a token allows in all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// Sorted, and each once.
    pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Self {
        let mut scopes: Vec<Scope> = scopes.into_iter().collect();
        scopes.sort_unstable();
        scopes.dedup();
        Self(scopes)
    }

    /// `admin` may do all; who may act may also see what came of it.
    pub fn allow(&self, wanted: Scope) -> bool {
        let has = |scope| self.0.contains(&scope);
        has(Scope::Admin)
            || has(wanted)
            || (wanted == Scope::Read && (has(Scope::Backup) || has(Scope::Restore)))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|scope| scope.name()).collect();
        f.write_str(&names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_may_more_than_was_said() {
        let only = |scope| Scopes::new([scope]);
        for wanted in Scope::ALL {
            assert!(only(Scope::Admin).allow(wanted));
            assert!(!Scopes::default().allow(wanted));
        }
        assert!(!only(Scope::Read).allow(Scope::Backup) && !only(Scope::Read).allow(Scope::Restore));
        assert!(only(Scope::Backup).allow(Scope::Read) && !only(Scope::Backup).allow(Scope::Restore));
        assert!(!only(Scope::Restore).allow(Scope::Backup) && !only(Scope::Restore).allow(Scope::Admin));
    }
}
