//! What runs in processes of its own, so that its time and memory are nobody else's.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use lifeboat::database::{Database, DatabaseSpec, MysqlAddress, MysqlSpec, open};
use lifeboat::dump::{Shelf, no_previous};
use lifeboat::error::Result;
use lifeboat::event::{Cancel, Cx, Event, Sink, What};

/// `dump SOCKET CONNECTIONS`, `save SOCKET DIRECTORY`, `load SOCKET DIRECTORY`.
pub(crate) fn run(arguments: &[String]) {
    let (leg, socket, last) = (arguments[0].as_str(), &arguments[1], &arguments[2]);
    let connections = if leg == "dump" { last.parse().expect("a number") } else { 1 };
    let database = open(&DatabaseSpec::Mysql(MysqlSpec {
        schema: "shop".to_owned(),
        address: MysqlAddress::Socket(PathBuf::from(socket)),
        user: "root".to_owned(),
        password: None,
        tls: None,
        connections,
        grants: false,
        scratch: std::env::temp_dir(),
    }));
    match leg {
        "dump" => dump(&*database, &mut |_, _| {}),
        "save" => dump(&*database, &mut |path, data| {
            let path = Path::new(last).join(path);
            std::fs::create_dir_all(path.parent().expect("has a parent")).expect("make a directory");
            std::fs::write(path, data).expect("write");
        }),
        "load" => load(&*database, Path::new(last)),
        other => panic!("{other} is no leg"),
    }
}

/// Prints for how many milliseconds writers were held back.
fn dump(database: &dyn Database, take: &mut dyn FnMut(&Path, &[u8])) {
    let cx = Cx::silent();
    let mut feed = database.begin(&no_previous, &cx).expect("begin");
    let mut held = 0.0;
    while let Some(file) = feed.next(&cx).expect("dump") {
        take(&file.path, &file.data);
        if file.path == Path::new("zz-manifest.json") {
            let manifest: serde_json::Value = serde_json::from_slice(&file.data).expect("a manifest");
            held = manifest["locked_ms"].as_f64().unwrap_or_default();
        }
    }
    println!("{held}");
}

/// Prints the seconds that the load took, and those of the verification.
fn load(database: &dyn Database, directory: &Path) {
    let phases = Arc::new(Phases::default());
    let cx = Cx::new("bench", Cancel::default(), vec![phases.clone()]);
    let begun = Instant::now();
    database.load_aside(&Directory(directory.to_owned()), "benchone", &cx).expect("load");
    let ended = Instant::now();
    let verified_from = phases.0.lock().expect("not poisoned").expect("it was verified");
    println!("{:.3} {:.3}", (verified_from - begun).as_secs_f64(), (ended - verified_from).as_secs_f64());
}

/// When the last phase began: each begins with a progress of 0.
#[derive(Default)]
struct Phases(Mutex<Option<Instant>>);

impl Sink for Phases {
    fn take(&self, event: &Event) {
        if matches!(event.what, What::Progress { done: 0, .. }) {
            *self.0.lock().expect("not poisoned") = Some(Instant::now());
        }
    }
}

/// A dump in a directory.
struct Directory(PathBuf);

impl Shelf for Directory {
    fn list(&self) -> Result<Vec<(PathBuf, u64)>> {
        let (mut found, mut pending) = (Vec::new(), vec![self.0.clone()]);
        while let Some(directory) = pending.pop() {
            for entry in std::fs::read_dir(directory)? {
                let entry = entry?;
                let meta = entry.metadata()?;
                if meta.is_dir() {
                    pending.push(entry.path());
                } else {
                    found.push((entry.path().strip_prefix(&self.0)?.to_owned(), meta.len()));
                }
            }
        }
        Ok(found)
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Read + Send>> {
        Ok(Box::new(std::fs::File::open(self.0.join(path))?))
    }
}
