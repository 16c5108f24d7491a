//! An `NFSv4` share: mounted without a helper program, proven to be the export meant, and given back in every ending.

mod mountpoint;
mod options;
mod server;
mod users;

use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use self::options::Options;
use self::server::Route;
use self::users::Seat;
use super::trouble::Trouble;
use super::{Attached, MountMode, NfsSpec, Storage, probe};
use crate::error::{Context, Error, Result};
use crate::event::Cx;
use crate::sys::deadline;
use crate::sys::mount::{self, Entry};

/// Above the kernel's own patience with a server that accepts connections and then says nothing.
const MOUNT: Duration = Duration::from_mins(1);
const UNMOUNT: Duration = Duration::from_secs(30);
/// How long somebody (a virus scanner, an open shell) may hold the mount before it is taken away by force.
const BUSY: Duration = Duration::from_secs(5);

pub(super) struct Nfs {
    spec: NfsSpec,
    /// Kept from `attach` to `detach`; `detach` works without it, too.
    seat: Mutex<Option<Seat>>,
}

/// What is on the mount point.
enum Found {
    Nothing,
    Ours { automounted: bool },
}

pub(super) fn check(spec: &NfsSpec) -> Result<()> {
    if !spec.export.starts_with('/') {
        return Err(Error::usage(format!("storage export {} is not an absolute path", spec.export))
            .with_remedy("write the export as the server does, such as /data"));
    }
    if spec.server.is_empty() || spec.server.contains('/') {
        return Err(Error::usage(format!(
            "storage server \"{}\" is neither a name nor an address",
            spec.server
        )));
    }
    mountpoint::check(&spec.mountpoint)?;
    Options::parse(spec.options.as_deref()).map(drop)
}

impl Storage for Nfs {
    fn describe(&self) -> String {
        format!("NFS {} on {}", server::source(&self.spec), self.spec.mountpoint.display())
    }

    fn attach(&self, cx: &Cx) -> Result<Attached> {
        check(&self.spec)?;
        let point = mountpoint::resolve(&self.describe(), &self.spec.mountpoint, self.spec.mode)?;
        if self.spec.mode == MountMode::Present {
            return self.attach_there(&point, cx);
        }
        let gate = users::gate(&point)?;
        let seat = users::sit(&point, &gate)?;
        let attached = self.attach_there(&point, cx)?;
        *self.seat() = Some(seat);
        Ok(attached)
    }

    fn detach(&self, attached: &Attached) -> Result<()> {
        let Some(point) = &attached.unmount else { return Ok(()) };
        let gate = users::gate(point)?;
        drop(self.seat().take());
        if users::is_free(point, &gate)? { self.unmount(point) } else { Ok(()) }
    }
}

impl Nfs {
    pub(super) fn new(spec: NfsSpec) -> Self {
        Self { spec, seat: Mutex::default() }
    }

    /// Attaches, and after a stale handle once more: only unmounting cures it.
    fn attach_there(&self, point: &Path, cx: &Cx) -> Result<Attached> {
        match self.attach_once(point, cx) {
            Err(error) if error.os_error() == Some(Errno::ESTALE as i32) && self.may_remount(point)? => {
                cx.warn(format!("{error}; unmounting it and mounting it again"));
                self.force_away(point)?;
                self.attach_once(point, cx)
            }
            result => result.map_err(|error| self.explain(error)),
        }
    }

    /// A soft mount says `EIO` both of a server that is away and of one with a broken disk: asking the server tells them apart.
    fn explain(&self, error: Error) -> Error {
        let unclear = [Errno::EIO, Errno::ETIMEDOUT].map(|errno| Some(errno as i32));
        if !unclear.contains(&error.os_error()) {
            return error;
        }
        let reached = Options::parse(self.spec.options.as_deref())
            .and_then(|options| server::reach(&self.describe(), &self.spec.server, options.port));
        match reached {
            Ok(_) => error,
            Err(away) => away,
        }
    }

    fn attach_once(&self, point: &Path, cx: &Cx) -> Result<Attached> {
        let (fresh, automounted) = match self.look(point)? {
            Found::Ours { automounted } => (false, automounted),
            Found::Nothing if self.spec.mode == MountMode::Present => {
                return Err(Trouble::NotMounted.about(&self.describe(), None));
            }
            Found::Nothing => {
                mountpoint::prepare(&self.describe(), point)?;
                self.mount(point)?;
                (true, false)
            }
        };
        if let Err(error) = self.verify(point, cx) {
            return Err(if fresh { self.give_back(point, error) } else { error });
        }
        // Mounted by a run of ours that was killed, or by hand: on demand, it is unmounted at the end either way.
        let ours_to_unmount = self.spec.mode == MountMode::OnDemand && !automounted;
        Ok(Attached { root: point.to_owned(), unmount: ours_to_unmount.then(|| point.to_owned()) })
    }

    /// What is mounted there, after waking an automount; a foreign mount is an error.
    fn look(&self, point: &Path) -> Result<Found> {
        let name = self.describe();
        let there = probe::touch(&name, point)?;
        let table = mount::table()?;
        let automount = table.iter().any(|entry| entry.mountpoint == point && entry.fstype == "autofs");
        match mount::top(&table, point) {
            None if !there && self.spec.mode == MountMode::Present => {
                Err(Trouble::Missing.about(&name, None))
            }
            None => Ok(Found::Nothing),
            Some(top) if self.is_ours(top)? => Ok(Found::Ours { automounted: automount }),
            Some(top) if top.fstype == "autofs" => Err(Trouble::NotMounted
                .about(&name, Some(Error::failed("the automount set up there did not mount it when asked")))),
            Some(top) => Err(Error::failed(format!(
                "{name}: another file system is mounted there: {} ({})",
                top.source, top.fstype
            ))
            .with_remedy("unmount it, or correct the storage's server, export or mount point")),
        }
    }

    fn mount(&self, point: &Path) -> Result<()> {
        let name = self.describe();
        let options = Options::parse(self.spec.options.as_deref())?;
        let route = server::reach(&name, &self.spec.server, options.port)?;
        let mut last = io::Error::from(Errno::EPROTONOSUPPORT);
        for version in &options.versions {
            match self.mount_version(point, &options, version, &route)? {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
            if last.raw_os_error() != Some(Errno::EPROTONOSUPPORT as i32) {
                break;
            }
        }
        Err(Trouble::of_mount(&last).about(&name, Some(last.into())))
    }

    fn mount_version(
        &self,
        point: &Path,
        options: &Options,
        version: &str,
        route: &Route,
    ) -> Result<io::Result<()>> {
        let source = server::source(&self.spec);
        let target = point.to_owned();
        let flags = options.flags;
        let data = options.data(version, &route.server.to_string(), &route.client.to_string());
        let late = point.to_owned();
        let work = move || mount::mount(&source, &target, "nfs4", flags, &data);
        let undo = move |result: io::Result<()>| {
            if result.is_ok() {
                // Nobody is left to hear of a failure; the next run adopts what stays.
                drop(mount::force_away(&late));
            }
        };
        deadline::within_or_undo(MOUNT, "mounting", work, undo)
            .map_err(|overdue| Trouble::Silent.about(&self.describe(), Some(overdue)))
    }

    /// Proves that what is mounted is the export meant and keeps what it is given.
    fn verify(&self, point: &Path, cx: &Cx) -> Result<()> {
        let name = self.describe();
        let table = mount::table()?;
        let Some(entry) = mount::top(&table, point) else {
            return Err(Trouble::NotMounted.about(&name, None));
        };
        if !self.is_ours(entry)? || !probe::is_nfs(&name, point)? {
            return Err(Error::failed(format!(
                "{name}: another file system came in between: {}",
                entry.source
            )));
        }
        if entry.is_read_only() {
            return Err(Trouble::ReadOnly.about(&name, None));
        }
        probe::write(&name, point, cx)
    }

    /// Undoes our own mount after an error, and tells both stories if that fails too.
    fn give_back(&self, point: &Path, error: Error) -> Error {
        match self.unmount(point) {
            Ok(()) => error,
            Err(stuck) => {
                let kind = error.kind();
                Error::new(kind, format!("{error}; and it stays mounted: {stuck}"))
                    .with_remedy(format!("umount {}", point.display()))
            }
        }
    }

    /// Unmounts every mount of our export there; harmless if there is none.
    fn unmount(&self, point: &Path) -> Result<()> {
        let started = Instant::now();
        while self.is_mounted(point)? {
            let target = point.to_owned();
            match deadline::within(UNMOUNT, "unmounting", move || mount::unmount(&target)) {
                // Mounts may be stacked: look again.
                Ok(Ok(())) => {}
                Ok(Err(error)) if is_busy(&error) && started.elapsed() < BUSY => {
                    sleep(Duration::from_millis(200));
                }
                Ok(Err(error)) if error.raw_os_error() == Some(Errno::EPERM as i32) => {
                    return Err(Trouble::MayNotMount.about(&self.describe(), Some(error.into())));
                }
                // Busy for too long, or the server does not answer: everything that counts was synced long ago.
                Ok(Err(_)) | Err(_) => self.force_away(point)?,
            }
        }
        Ok(())
    }

    fn force_away(&self, point: &Path) -> Result<()> {
        let target = point.to_owned();
        deadline::within(UNMOUNT, "unmounting by force", move || mount::force_away(&target))
            .and_then(|done| Ok(done?))
            .with_context(|| format!("{}: unmount it", self.describe()))
    }

    fn is_mounted(&self, point: &Path) -> Result<bool> {
        mount::top(&mount::table()?, point).map_or(Ok(false), |entry| self.is_ours(entry))
    }

    fn is_ours(&self, entry: &Entry) -> Result<bool> {
        Ok(entry.is_nfs() && server::is_same(&self.describe(), &self.spec, entry)?)
    }

    /// A mount that somebody else made is taken away only if an automount brings it back.
    fn may_remount(&self, point: &Path) -> Result<bool> {
        let automounted = || -> Result<bool> {
            Ok(mount::table()?.iter().any(|entry| entry.mountpoint == point && entry.fstype == "autofs"))
        };
        Ok(self.spec.mode != MountMode::Present || automounted()?)
    }

    fn seat(&self) -> std::sync::MutexGuard<'_, Option<Seat>> {
        self.seat.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_busy(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::EBUSY as i32)
}
