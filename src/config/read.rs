//! Reads the sections of the file one by one; whatever is wrong is noted, and reading goes on.

use std::path::{Component, Path, PathBuf};

use ignore::gitignore::GitignoreBuilder;
use jiff::tz::TimeZone;

use super::databases::databases;
use super::secret::{self, Privacy, SecretRef};
use super::shape::{Config, Mount, Repository, Restore, Site, SiteKind, Storage};
use super::walk::{At, kind, optional};
use super::{duration, hooks, host, limits, notify, quiesce, retention, schedule};
use crate::repo::Adoption;

/// Where sites are remembered if nothing else is said.
pub const STATE: &str = "/var/lib/lifeboat";
const KEYS: [&str; 14] = [
    "site",
    "databases",
    "storage",
    "repository",
    "schedule",
    "retention",
    "restore",
    "quiesce",
    "limits",
    "notify",
    "hooks",
    "enabled",
    "zone",
    "state",
];

/// Directories that a storage must not be mounted over.
const SYSTEM: [&str; 12] =
    ["/", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/root", "/sbin", "/sys", "/usr"];

/// The whole file; `None` only after something was noted.
pub(super) fn config(root: &At<'_>, privacy: &Privacy, hooks_directory: Option<PathBuf>) -> Option<Config> {
    let top = root.table(&KEYS)?;
    let enabled = optional(&top, "enabled", At::yes_no);
    let site = top.need("site", "add a section with name and root").and_then(|at| site(&at));
    let files = site.as_ref().map(|site| site.root.as_path());
    let storage = top.need("storage", "add a section with type: local or type: nfs");
    let storage = storage.and_then(|at| storage_section(&at, files));
    let state = top.get("state").map_or(Some(PathBuf::from(STATE)), |at| outside(&at, files));
    let databases = optional(&top, "databases", |at| databases(at, privacy));
    let schedule = optional(&top, "schedule", schedule::read);
    let retention = optional(&top, "retention", retention::read);
    let restore = optional(&top, "restore", restore);
    let quiesce = optional(&top, "quiesce", |at| {
        let name = site.as_ref().map(|site| site.name.as_str());
        quiesce::read(at, top.get("hooks").as_ref(), hooks_directory.as_deref().zip(name))
    });
    let limits = optional(&top, "limits", limits::read);
    let notify = optional(&top, "notify", |at| notify::read(at, privacy));
    let hooks = optional(&top, "hooks", hooks::read);
    let zone = optional(&top, "zone", zone);
    let repository =
        top.need("repository", "add a section with a password, such as {file: /etc/lifeboat/password}");
    let place = Surroundings { site: site.as_ref(), storage: storage.as_ref(), state: state.as_deref() };
    let repository = repository.and_then(|at| repository_section(&at, &place, privacy));
    Some(Config {
        enabled: enabled.ok()?.unwrap_or(true),
        site: site?,
        databases: databases.ok()?,
        storage: storage?,
        repository: repository?,
        schedule: schedule.ok()?.unwrap_or_default(),
        retention: retention.ok()?.unwrap_or_default(),
        restore: restore.ok()?.unwrap_or_default(),
        quiesce: quiesce.ok()?.unwrap_or_default(),
        limits: limits.ok()?.unwrap_or_default(),
        notify: notify.ok()?.unwrap_or_default(),
        hooks: hooks.ok()?.unwrap_or_default(),
        zone: zone.ok()?,
        state: state?,
        hooks_directory,
    })
}

fn site(at: &At<'_>) -> Option<Site> {
    let table = at.table(&["name", "root", "type", "exclude", "exclude_file"])?;
    let name = table.need("name", "choose a short name, such as shop").and_then(|at| site_name(&at));
    let root =
        table.need("root", "write the site's directory, such as /var/www/html").and_then(|at| site_root(&at));
    let kinds =
        [("auto", SiteKind::Auto), ("wordpress", SiteKind::WordPress), ("generic", SiteKind::Generic)];
    let site_kind = optional(&table, "type", |at| at.choice(&kinds, "use auto, wordpress or generic"));
    let exclude = optional(&table, "exclude", patterns);
    let exclude_file = optional(&table, "exclude_file", At::absolute_path);
    Some(Site {
        name: name?,
        root: root?,
        kind: site_kind.ok()?.unwrap_or_default(),
        exclude: exclude.ok()?.unwrap_or_default(),
        exclude_file: exclude_file.ok()?,
    })
}

fn site_name(at: &At<'_>) -> Option<String> {
    let name = at.text()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if name.len() > 64 || !name.bytes().all(plain) || name.starts_with(['.', '-']) {
        at.complain(
            "is not a plain name",
            "use up to 64 letters, digits, dots, dashes and underscores, such as shop",
        );
        return None;
    }
    Some(name.to_owned())
}

fn site_root(at: &At<'_>) -> Option<PathBuf> {
    let root = at.absolute_path()?;
    if root == Path::new("/") {
        at.complain("is the whole machine", "write the site's own directory");
        return None;
    }
    Some(root)
}

fn patterns(at: &At<'_>) -> Option<Vec<String>> {
    let items = at.list()?;
    let patterns: Vec<_> = items.iter().filter_map(pattern).collect();
    (patterns.len() == items.len()).then_some(patterns)
}

fn pattern(at: &At<'_>) -> Option<String> {
    let pattern = at.text()?;
    if let Err(error) = check_pattern(pattern) {
        at.complain(
            format_args!("is not a pattern: {error}"),
            "write it as in a .gitignore file, such as *.log or /cache/",
        );
        return None;
    }
    Some(pattern.to_owned())
}

/// Whether a line is a pattern in gitignore's language.
pub(super) fn check_pattern(pattern: &str) -> Result<(), String> {
    let mut builder = GitignoreBuilder::new("/");
    builder.add_line(None, pattern).map(drop).map_err(|error| error.to_string())
}

fn storage_section(at: &At<'_>, files: Option<&Path>) -> Option<Storage> {
    let every_key = ["type", "path", "server", "export", "mountpoint", "options", "mount"];
    let local = kind(at, &every_key, &[("local", true), ("nfs", false)], "write type: local or type: nfs")?;
    if local {
        let table = at.table(&["type", "path"])?;
        let path = table.need("path", "write the directory for the backups, such as /backup")?;
        return outside(&path, files).map(|path| Storage::Local { path });
    }
    let table = at.table(&["type", "server", "export", "mountpoint", "options", "mount"])?;
    let server = table.need("server", "write the name or address of the NFS server, such as 10.0.0.5");
    let export = table.need("export", "write the directory that the server exports, such as /data");
    let mountpoint = table.need("mountpoint", "write where it is to be mounted, such as /mnt/lifeboat");
    let modes =
        [("on-demand", Mount::OnDemand), ("permanent", Mount::Permanent), ("present", Mount::Present)];
    let (server, export) = (server.and_then(|at| server_name(&at)), export.and_then(|at| at.absolute_path()));
    let mountpoint = mountpoint.and_then(|at| mountpoint_path(&at, files));
    let options = optional(&table, "options", options);
    let mount = optional(&table, "mount", |at| at.choice(&modes, "use on-demand, permanent or present"));
    Some(Storage::Nfs {
        server: server?,
        export: export?.to_str()?.to_owned(),
        mountpoint: mountpoint?,
        options: options.ok()?,
        mount: mount.ok()?.unwrap_or_default(),
    })
}

fn server_name(at: &At<'_>) -> Option<String> {
    let server = at.text()?;
    if !host::is_host(server) {
        at.complain(
            "is not a host name or address",
            "write it without a scheme, path or port, such as 10.0.0.5",
        );
        return None;
    }
    Some(server.to_owned())
}

fn mountpoint_path(at: &At<'_>, files: Option<&Path>) -> Option<PathBuf> {
    let path = outside(at, files)?;
    if SYSTEM.iter().any(|system| path == Path::new(system))
        || path.starts_with("/proc")
        || path.starts_with("/sys")
    {
        at.complain("is a directory of the system", "choose one of its own, such as /mnt/lifeboat");
        return None;
    }
    Some(path)
}

fn options(at: &At<'_>) -> Option<String> {
    let options = at.text()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"=,._-:/".contains(&byte);
    if !options.bytes().all(plain) {
        at.complain(
            "is not a list of mount options",
            "write them with commas and no spaces, such as vers=4.2,timeo=30",
        );
        return None;
    }
    Some(options.to_owned())
}

/// A path that must not lie among the site's own files.
fn outside(at: &At<'_>, files: Option<&Path>) -> Option<PathBuf> {
    let path = at.absolute_path()?;
    if files.is_some_and(|files| path.starts_with(files)) {
        at.complain(
            "lies inside the site, which would be saved with it and open to the web",
            "choose a directory outside of site.root",
        );
        return None;
    }
    Some(path)
}

/// What the repository's own settings are judged by.
struct Surroundings<'a> {
    site: Option<&'a Site>,
    storage: Option<&'a Storage>,
    state: Option<&'a Path>,
}

fn repository_section(at: &At<'_>, around: &Surroundings<'_>, privacy: &Privacy) -> Option<Repository> {
    let table = at.table(&["path", "password", "key_file", "adopted"])?;
    let files = around.site.map(|site| site.root.as_path());
    let advice = "write where the password is, such as {file: /etc/lifeboat/password}";
    let password = table.need("password", advice).and_then(|at| {
        let password = secret::read(&at, privacy)?;
        let exposed =
            matches!(&password, SecretRef::File(file) if files.is_some_and(|files| file.starts_with(files)));
        if exposed {
            at.complain("is a file inside the site, open to the web", "keep it outside of site.root");
        }
        Some(password)
    });
    let path = optional(&table, "path", inside_path);
    let key_file = optional(&table, "key_file", |at| outside(at, files));
    let adopted = optional(&table, "adopted", adopted);
    let name = &around.site?.name;
    let path = path.ok()?.unwrap_or_else(|| PathBuf::from(name));
    let storage = match around.storage? {
        Storage::Local { path } => path,
        Storage::Nfs { mountpoint, .. } => mountpoint,
    };
    if around.site.is_some_and(|site| site.root.starts_with(storage.join(&path))) {
        at.complain(
            "would hold the site itself",
            "choose another path for the repository, or another storage",
        );
        return None;
    }
    let key_file =
        key_file.ok()?.map_or_else(|| around.state.map(|state| state.join(name).join("master.key")), Some)?;
    Some(Repository { path, password: password?, key_file, adopted: adopted.ok()?.flatten() })
}

/// What becomes of another program's snapshots; the inner `None` is a `false`.
#[allow(clippy::option_option)] // what was noted, and what was said
fn adopted(at: &At<'_>) -> Option<Option<Adoption>> {
    if at.is_yes_no() {
        return at.yes_no().map(|yes| yes.then_some(Adoption::Keep));
    }
    let words = [("keep", Adoption::Keep), ("rotate", Adoption::Rotate)];
    at.choice(&words, "write true to keep another program's snapshots, or rotate to judge them by retention")
        .map(Some)
}

/// A path below the storage, which it cannot leave.
fn inside_path(at: &At<'_>) -> Option<PathBuf> {
    let path = Path::new(at.text()?);
    if !path.components().all(|part| matches!(part, Component::Normal(_))) {
        at.complain("must stay inside the storage", "write a plain relative path, such as shop");
        return None;
    }
    Some(path.components().collect())
}

fn restore(at: &At<'_>) -> Option<Restore> {
    let table = at.table(&["keep_safety"])?;
    Some(Restore { keep_safety: optional(&table, "keep_safety", duration::keep).ok()? })
}

pub(super) fn zone(at: &At<'_>) -> Option<String> {
    let name = at.text()?;
    if TimeZone::get(name).is_err() {
        at.complain("is not a time zone", "write a name such as Europe/Berlin, or UTC");
        return None;
    }
    Some(name.to_owned())
}
