//! Writes the first configuration of a site, with the comments a person needs to change it later.

use std::fmt::Write as _;
use std::path::Path;

use jiff::tz::TimeZone;
use zeroize::Zeroizing;

use super::fragment::Fragment;
use super::secret::{Privacy, SecretRef};
use crate::error::{Error, Result};
use crate::site;

const PASSWORD_ADVICE: &str =
    "  # Without this password, or the key file, nobody can read the backups. Keep a copy of it elsewhere.\n";

/// What `lifeboat init` was told.
#[derive(Clone, Debug)]
pub struct Starter<'a> {
    /// Left out: made from the root's name.
    pub name: Option<&'a str>,
    pub root: &'a Path,
    /// A directory, or `nfs://server/export`.
    pub storage: &'a str,
    /// Where an NFS storage is mounted.
    pub mountpoint: &'a Path,
    /// The directory of a repository that another program made and that is adopted, on a storage that somebody has mounted.
    pub adopts: Option<&'a str>,
    pub password: SecretRef,
    /// Directory of keys and memory; left out: the usual one.
    pub state: Option<&'a Path>,
    /// YAML lines that replace what was recognised.
    pub databases: Option<&'a str>,
    /// What a recipe says about the application in it.
    pub recipe: Option<&'a Fragment>,
}

/// The text of a configuration file, which must be created with mode 0600 if the password is written out in it. It is
/// proven to be one that `load` accepts.
pub fn starter(wish: &Starter<'_>) -> Result<Zeroizing<String>> {
    let name = wish.name.map_or_else(|| name_of(wish.root), str::to_owned);
    let root = quoted_path(wish.root)?;
    let found =
        |part: fn(&Fragment) -> &Option<String>| wish.recipe.and_then(|recipe| part(recipe).as_deref());
    let mut text = Zeroizing::new(String::with_capacity(4096));
    let mut add = |part: &str| text.push_str(part);
    add("# Lifeboat: backups of one site. `lifeboat config example` shows all that can be said here.\n\n");
    add("site:\n  # Its identity in the repository. Do not change it later.\n");
    add(&format!("  name: {}\n  root: {root}\n", quoted(&name)?));
    add("  # What is left out, as in a .gitignore, relative to the root.\n");
    add(found(|recipe| &recipe.exclude).unwrap_or("  exclude: []\n"));
    add("\n");
    add(wish.databases.or_else(|| found(|recipe| &recipe.databases)).unwrap_or_else(|| databases(wish.root)));
    add("\nstorage:\n");
    add(&storage(wish.storage, wish.mountpoint, wish.adopts.is_some())?);
    add("\nrepository:\n");
    if let Some(path) = wish.adopts {
        add(&format!(
            "  path: {}\n  # What was in it before stays: `rotate` instead of `true` judges it by the rules below.\n  adopted: true\n",
            quoted(path)?
        ));
    }
    add(PASSWORD_ADVICE);
    add(&Zeroizing::new(format!("  password: {}\n\n", *password(&wish.password)?)));
    add(
        "# When the agent (`lifeboat agent`) works; without one, call `lifeboat backup --scheduled` from cron or a systemd timer.\n\
         schedule:\n  backup: daily\n  check: {when: weekly, read_data: 5%}\n  drill: monthly\n\n",
    );
    add("retention:\n  # Complete snapshots that are kept; older ones are removed.\n  last: 7\n");
    if let Some(zone) = TimeZone::try_system().ok().as_ref().and_then(TimeZone::iana_name) {
        add(&format!("\n# The time zone of the schedule and of the times people say.\nzone: {zone}\n"));
    }
    if let Some(state) = wish.state {
        add(&format!(
            "\n# Where the key file and the memory of the storage are kept.\nstate: {}\n",
            quoted_path(state)?
        ));
    }
    if let Some(hooks) = found(|recipe| &recipe.hooks) {
        add(
            "\n# Programs that hold the application still while a restore exchanges it, and in a backup with `quiesce: {mode: full}`.\n",
        );
        add(hooks);
    }
    if let Some(quiesce) = found(|recipe| &recipe.quiesce) {
        add("\n");
        add(quiesce);
    }
    super::parse(Path::new("the new configuration"), text.as_bytes(), &Privacy::Private, None)?;
    Ok(text)
}

/// The last part of the root's path that says more than "the web's files".
pub fn name_of(root: &Path) -> String {
    const USUAL: [&str; 11] = [
        "root",
        "html",
        "htdocs",
        "httpdocs",
        "public_html",
        "public",
        "webroot",
        "web",
        "www",
        "var",
        "srv",
    ];
    let told = |part: &&str| !USUAL.contains(&part.to_ascii_lowercase().as_str());
    let part = root.iter().rev().filter_map(|part| part.to_str()).take_while(|part| *part != "/").find(told);
    let plain =
        |char: char| if char.is_ascii_alphanumeric() || matches!(char, '.' | '_') { char } else { '-' };
    let name: String = part.unwrap_or("site").chars().map(plain).take(64).collect();
    let name = name.trim_start_matches(['.', '-']);
    if name.is_empty() { "site".to_owned() } else { name.to_owned() }
}

fn databases(root: &Path) -> &'static str {
    match site::recognise(root) {
        Ok(site::Kind::WordPress(_)) => {
            "# The database is found in the site's wp-config.php. To name others, or none, list them here:\n# databases: []\n"
        }
        Ok(site::Kind::Generic) => {
            "# No WordPress was found, so no database is saved. If there is one, list it here: `lifeboat config example`.\n\
             databases: []\n"
        }
        Err(_) => {
            "# The site's database could not be found out. List it here before the first backup: `lifeboat config example`.\n\
             # databases: []\n"
        }
    }
}

fn storage(wish: &str, mountpoint: &Path, present: bool) -> Result<String> {
    let mut text = String::new();
    if let Some(address) = wish.strip_prefix("nfs://") {
        let (server, export) = address.split_once('/').ok_or_else(|| unknown_storage(wish))?;
        let server = server.strip_prefix('[').and_then(|server| server.strip_suffix(']')).unwrap_or(server);
        let (server, export) = (quoted(server)?, quoted(&format!("/{export}"))?);
        let mountpoint = quoted_path(mountpoint)?;
        writeln!(text, "  type: nfs\n  server: {server}\n  export: {export}\n  mountpoint: {mountpoint}")?;
        text.push_str("  # on-demand (mounted for each run), permanent (left mounted) or present (somebody else mounts it)\n");
        text.push_str(if present { "  mount: present\n" } else { "  mount: on-demand\n" });
    } else if wish.starts_with('/') {
        writeln!(text, "  type: local\n  path: {}", quoted(wish)?)?;
    } else {
        return Err(unknown_storage(wish));
    }
    Ok(text)
}

fn unknown_storage(wish: &str) -> Error {
    Error::usage(format!("cannot use {wish:?} as a storage"))
        .with_remedy("write a directory with its whole path, or nfs://server/export")
}

fn password(password: &SecretRef) -> Result<Zeroizing<String>> {
    Ok(Zeroizing::new(match password {
        SecretRef::Literal(secret) => quoted(secret.reveal())?,
        SecretRef::File(path) => format!("{{file: {}}}", quoted_path(path)?),
        SecretRef::Env(name) => format!("{{env: {}}}", quoted(name)?),
        SecretRef::Credential(name) => format!("{{credential: {}}}", quoted(name)?),
        SecretRef::Command(command) => {
            let words: Result<Vec<_>> = command.iter().map(|word| quoted(word)).collect();
            format!("{{command: [{}]}}", words?.join(", "))
        }
    }))
}

/// A JSON text is a YAML text.
fn quoted(text: &str) -> Result<String> {
    Ok(serde_json::to_string(text)?)
}

fn quoted_path(path: &Path) -> Result<String> {
    let text = path.to_str().ok_or_else(|| Error::usage(format!("{} is not UTF-8", path.display())))?;
    quoted(text)
}
