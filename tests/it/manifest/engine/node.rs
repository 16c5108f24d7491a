//! A node of an environment: a root of its own over this machine's files, in which commands run as root.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::world::Ran;

/// The guest's disk: what a node writes would fill its memory otherwise.
const NODES: &str = "/mnt/export/nodes";

/// What the platform keeps in volumes: these survive a redeploy.
const VOLUMES: [&str; 2] = ["var/www/webroot", "var/lib/mysql"];

#[derive(Clone, Debug)]
pub(in crate::manifest) struct Node {
    pub(in crate::manifest) id: u32,
    pub(in crate::manifest) group: &'static str,
    pub(in crate::manifest) master: bool,
    /// `node101-shop`, which no other node has.
    hostname: String,
    /// The present container of it: a redeploy makes another one.
    container: u32,
    /// Where others reach it.
    pub(in crate::manifest) address: &'static str,
    /// Mount points with the servers and paths that they are of, as the platform remembers them.
    pub(in crate::manifest) mounts: BTreeMap<String, (&'static str, String)>,
}

impl Node {
    pub(in crate::manifest) fn make(id: u32, env: &str, group: &'static str) -> Self {
        let node = Self {
            id,
            group,
            master: true,
            hostname: format!("node{id}-{env}"),
            container: 0,
            address: "127.0.0.1",
            mounts: BTreeMap::new(),
        };
        node.build();
        node
    }

    fn place(&self) -> PathBuf {
        Path::new(NODES).join(self.id.to_string())
    }

    pub(in crate::manifest) fn root(&self) -> PathBuf {
        self.place().join(format!("root{}", self.container))
    }

    fn upper(&self) -> PathBuf {
        self.place().join(format!("upper{}", self.container))
    }

    fn build(&self) {
        let (root, upper) = (self.root(), self.upper());
        let work = self.place().join(format!("work{}", self.container));
        for directory in [&root, &upper, &work] {
            fs::create_dir_all(directory).unwrap();
        }
        let options = format!("lowerdir=/,upperdir={},workdir={}", upper.display(), work.display());
        mount(&["-t", "overlay", "overlay", "-o", &options], &root);
        for (kind, name) in [("proc", "proc"), ("tmpfs", "run"), ("tmpfs", "tmp")] {
            mount(&["-t", kind, kind], &root.join(name));
        }
        mount(&["--bind", "/dev"], &root.join("dev"));
        for volume in VOLUMES.iter().filter(|_| self.group == "cp") {
            let kept = self.place().join("volumes").join(volume.replace('/', "-"));
            fs::create_dir_all(&kept).unwrap();
            fs::create_dir_all(root.join(volume)).unwrap();
            mount(&["--bind", kept.to_str().unwrap()], &root.join(volume));
        }
        if self.group == "storage" {
            fs::create_dir_all(root.join("data")).unwrap();
            mount(&["--bind", "/mnt/export/data"], &root.join("data"));
        }
        // This machine may have a Lifeboat of its own.
        drop(fs::remove_dir_all(root.join("var/lib/lifeboat")));
        fs::create_dir_all(root.join("etc/jelastic")).unwrap();
        fs::create_dir_all(root.join("run/platform")).unwrap();
        // What the platform's own program does with an event of a node.
        let jem = "#!/bin/sh\nfor word; do case $word in params=*) printf '%s' \"${word#params=}\" >\"/run/platform/$$.new\"; mv \"/run/platform/$$.new\" \"/run/platform/$$.event\" ;; esac; done\n";
        fs::write(root.join("usr/bin/jem"), jem).unwrap();
        fs::set_permissions(root.join("usr/bin/jem"), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A shell's commands as the platform runs them: root, and next to nothing in the environment.
    pub(in crate::manifest) fn run(&self, command: &str) -> Ran {
        let inside = "echo \"$1\" >/proc/sys/kernel/hostname; exec chroot \"$2\" /usr/bin/env -i PATH=/usr/bin:/bin /bin/sh -c \"$3\"";
        let output = Command::new("unshare")
            .args(["--uts", "sh", "-c", inside, "sh", &self.hostname])
            .arg(self.root())
            .arg(command)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Ran::of(&output)
    }

    /// The platform's mount, with its own options.
    pub(in crate::manifest) fn attach(&mut self, at: &str, server: &'static str, source: &str) -> bool {
        let point = self.root().join(&at[1..]);
        fs::create_dir_all(&point).unwrap();
        // The kernel takes two addresses of one server for one, and would show the other one's mount again.
        let apart = if server == "127.0.0.1" { "" } else { ",nosharecache" };
        let mounted = Command::new("mount")
            .args([
                "-t",
                "nfs4",
                "-o",
                &format!("soft,timeo=30,retrans=2{apart}"),
                &format!("{server}:{source}"),
            ])
            .arg(&point)
            .status();
        let done = mounted.unwrap().success();
        if done {
            self.mounts.insert(at.to_owned(), (server, source.to_owned()));
        }
        done
    }

    pub(in crate::manifest) fn detach(&mut self, at: &str) {
        self.mounts.remove(at);
        let point = self.root().join(&at[1..]);
        drop(Command::new("umount").arg("--lazy").arg(point).stderr(Stdio::null()).status());
    }

    /// What becomes of it on other hardware: nothing runs in it, and nothing is mounted.
    pub(in crate::manifest) fn restart(&mut self) {
        self.stop();
        for at in self.mounts.clone().keys() {
            self.detach(at);
        }
    }

    /// Everything that runs in it, as directories of `/proc`.
    fn processes(&self) -> Vec<PathBuf> {
        let root = self.root();
        let all = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        all.filter(|process| fs::read_link(process.join("root")).is_ok_and(|place| place == root)).collect()
    }

    pub(in crate::manifest) fn does_run(&self, program: &str) -> bool {
        let name = |process: &PathBuf| fs::read_to_string(process.join("comm")).unwrap_or_default();
        self.processes().iter().any(|process| name(process).trim_end() == program)
    }

    /// Ends everything that runs in it.
    pub(in crate::manifest) fn stop(&self) {
        for _ in 0..100 {
            let processes = self.processes();
            if processes.is_empty() {
                return;
            }
            for process in processes {
                let id = process.file_name().unwrap();
                drop(Command::new("kill").arg("-9").arg(id).stderr(Stdio::null()).status());
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("node {} does not end", self.id);
    }

    /// A new container: volumes stay, and what the list of kept files names.
    pub(in crate::manifest) fn redeploy(&mut self) {
        self.stop();
        let former = self.root();
        let (mounts, list) =
            (self.mounts.clone(), fs::read_to_string(former.join("etc/jelastic/redeploy.conf")));
        for at in mounts.keys() {
            self.detach(at);
        }
        self.container += 1;
        self.build();
        for path in
            list.as_deref().unwrap_or_default().lines().filter(|path| former.join(&path[1..]).exists())
        {
            let (from, to) = (former.join(&path[1..]), self.root().join(&path[1..]));
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            copy(&from, &to);
        }
        if let Ok(list) = list {
            fs::write(self.root().join("etc/jelastic/redeploy.conf"), list).unwrap();
        }
        for (at, (server, source)) in mounts {
            assert!(self.attach(&at, server, &source), "mount it again");
        }
    }

    /// Another environment's node with all the files of this one.
    pub(in crate::manifest) fn copy_as(&self, id: u32, env: &str) -> Self {
        let copied = Self {
            id,
            hostname: format!("node{id}-{env}"),
            mounts: BTreeMap::new(),
            container: 0,
            ..self.clone()
        };
        fs::create_dir_all(copied.place()).unwrap();
        copy(&self.upper(), &copied.upper());
        copy(&self.place().join("volumes"), &copied.place().join("volumes"));
        copied.build();
        copied
    }

    /// Events that it raised since this was last asked.
    pub(in crate::manifest) fn events(&self) -> Vec<String> {
        let raised = fs::read_dir(self.root().join("run/platform")).into_iter().flatten().flatten();
        let raised = raised
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|end| end == "event"));
        raised
            .map(|path| {
                let said = fs::read_to_string(&path).unwrap();
                fs::remove_file(&path).unwrap();
                let said: serde_json::Value = serde_json::from_str(&said).unwrap();
                said["name"].as_str().unwrap().to_owned()
            })
            .collect()
    }
}

fn mount(arguments: &[&str], point: &Path) {
    let status = Command::new("mount").args(arguments).arg(point).status().unwrap();
    assert!(status.success(), "mount {arguments:?} on {}", point.display());
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").args(["-a", "-T"]).arg(from).arg(to).status().unwrap();
    assert!(status.success(), "copy {}", from.display());
}
