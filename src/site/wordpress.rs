//! Finds a `WordPress` site's configuration and reads from it what a backup of its database needs.

use std::fmt;
use std::path::{Path, PathBuf};

use super::db_host::DbHost;
use super::php::Definitions;
use super::source;
use crate::error::{Context, Error, Result};
use crate::sys::secret::Secret;

const CONFIG: &str = "wp-config.php";

/// The configuration of a `WordPress` site. Each value is worked out when asked for: one that cannot be read without
/// running PHP must not stand in the way when the YAML file gives it.
#[derive(Clone)]
pub struct WordPress {
    config: PathBuf,
    definitions: Definitions,
}

/// The settings that a database login consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setting {
    Name,
    User,
    Password,
    Host,
    Charset,
}

impl Setting {
    const fn constant(self) -> &'static str {
        match self {
            Self::Name => "DB_NAME",
            Self::User => "DB_USER",
            Self::Password => "DB_PASSWORD",
            Self::Host => "DB_HOST",
            Self::Charset => "DB_CHARSET",
        }
    }

    /// The key of a database entry in the YAML file that says the same.
    const fn key(self) -> Option<&'static str> {
        match self {
            Self::Name => Some("name"),
            Self::User => Some("user"),
            Self::Password => Some("password"),
            Self::Host => Some("host"),
            Self::Charset => None,
        }
    }
}

impl WordPress {
    /// Reads a `wp-config.php`, as text.
    pub fn read(config: &Path) -> Result<Self> {
        let source = source::read(config).with_context(|| format!("read {}", config.display()))?;
        Ok(Self { config: config.to_owned(), definitions: Definitions::read(&source) })
    }

    /// The file everything was read from.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The schema.
    pub fn name(&self) -> Result<String> {
        let name = self.setting(Setting::Name)?;
        if name.is_empty() { Err(self.refuse(Setting::Name, None, "is empty")) } else { Ok(name) }
    }

    pub fn user(&self) -> Result<String> {
        self.setting(Setting::User)
    }

    /// `None` if the password is empty: the server knows the user by other means.
    pub fn password(&self) -> Result<Option<Secret>> {
        let password = Secret::new(self.setting(Setting::Password)?);
        Ok((!password.is_empty()).then_some(password))
    }

    pub fn host(&self) -> Result<DbHost> {
        let text = self.setting(Setting::Host)?;
        DbHost::parse(&text)
            .ok_or_else(|| self.refuse(Setting::Host, None, "names no server that could be connected to"))
    }

    /// The character set the site asks for; `None` where the file does not say.
    pub fn charset(&self) -> Option<String> {
        self.setting(Setting::Charset).ok().filter(|charset| !charset.is_empty())
    }

    /// What the names of the site's own tables begin with; `None` where the file does not say it plainly.
    pub fn prefix(&self) -> Option<String> {
        self.definitions.variable("$table_prefix").ok()
    }

    fn setting(&self, setting: Setting) -> Result<String> {
        self.definitions
            .constant(setting.constant())
            .map_err(|unreadable| self.refuse(setting, unreadable.line, &unreadable.why))
    }

    fn refuse(&self, setting: Setting, line: Option<u32>, why: &str) -> Error {
        let line = line.map(|line| format!(":{line}")).unwrap_or_default();
        let error = Error::usage(format!(
            "cannot tell the site's database login: {}{line}: {} {why}, and the site's PHP is never executed",
            self.config.display(),
            setting.constant(),
        ));
        match setting.key() {
            Some(key) => error.with_remedy(format!("say it in the configuration, as databases[0].{key}")),
            None => error,
        }
    }
}

impl fmt::Debug for WordPress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WordPress").field("config", &self.config).finish_non_exhaustive()
    }
}

/// `wp-config.php` where `wp-load.php` looks for it: in the root, or one directory above if no other `WordPress` lies there.
pub(super) fn find_config(root: &Path) -> Option<PathBuf> {
    let here = root.join(CONFIG);
    if here.exists() {
        return Some(here);
    }
    let above = root.parent()?;
    let config = above.join(CONFIG);
    (has_core(root) && config.exists() && !above.join("wp-settings.php").exists()).then_some(config)
}

pub(super) fn has_core(root: &Path) -> bool {
    root.join("wp-settings.php").exists() || root.join("wp-load.php").exists()
}
