//! A site that writes all the time to files and to a real database, and what of both is in one snapshot.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::mariadb::MariaDb;
use crate::world::World;

/// Writes one number to two files and a table, again and again, unless it is told not to; asks for that each time with a lock
/// that the hook waits for.
const WRITER: &str = "cd HOME; n=0
while [ ! -e stop ]; do
  exec 9> lock; flock 9
  if [ ! -e held ]; then
    n=$((n+1)); for at in a z; do printf %08d $n > new; mv new site/$at/counter; done
    CLIENT -e \"UPDATE counter SET n=$n\" shop
  fi
  flock -u 9; sleep 0.005
done";

const HOOK: &str = "#!/bin/sh
cat > /dev/null; cd HOME
case \"$LIFEBOAT_POINT\" in quiesce) flock lock touch held;; resume) rm -f held;; esac";

struct Busy {
    world: World,
    server: MariaDb,
    writer: Child,
}

impl Busy {
    fn new(mode: &str) -> Self {
        let server = MariaDb::start();
        server.sql("", "CREATE DATABASE shop; CREATE TABLE shop.counter (n INT) ENGINE=InnoDB; INSERT INTO shop.counter VALUES (0)");
        let world = World::new("");
        for number in 0..400 {
            world.write(&format!("m{}/file{number}", number % 9), vec![b'x'; 20_000]);
        }
        world.write("a/counter", "");
        world.write("z/counter", "");
        let home = world.path("").display().to_string();
        let hook = world.path("hook");
        fs::write(&hook, HOOK.replace("HOME", &home)).unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o700)).unwrap();
        let databases = format!(
            "databases: [{{type: mysql, name: shop, host: \"localhost:{}\", user: root}}]",
            server.socket().display()
        );
        let command = hook.display();
        let yaml = format!(
            "quiesce: {{mode: {mode}}}\nhooks:\n  quiesce: [{{command: [{command}]}}]\n  resume: [{{command: [{command}]}}]\n"
        );
        world.configure(&databases, None, &yaml);
        world.init();
        let client = format!("mariadb --no-defaults --socket={} --user=root", server.socket().display());
        let script = WRITER.replace("HOME", &home).replace("CLIENT", &client);
        let writer = Command::new("bash").args(["-c", &script]).stdin(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(300));
        Self { world, server, writer }
    }

    /// The number in the first file, in the table, and in the last file.
    fn numbers(&self, id: &str) -> [u32; 3] {
        let file = |name: &str| {
            let path = format!("{}/{name}/counter", self.world.root.display());
            self.world.run(&["dump", id, &path]).expect(0).out.trim().parse().unwrap_or(0)
        };
        let sql = self.world.run(&["dump", "--sql", id]).expect(0).out;
        self.server.sql("", "DROP DATABASE IF EXISTS copy; CREATE DATABASE copy");
        self.server.sql("copy", &sql);
        let table = self.server.sql("copy", "SELECT n FROM counter");
        [file("a"), table.trim().parse().unwrap(), file("z")]
    }

    fn backup(&self) -> (Value, [u32; 3]) {
        let done = self.world.json(0, &["backup", "--no-rotation"]);
        assert!(!self.world.path("held").exists());
        let numbers = self.numbers(done["result"]["snapshot"]["id"].as_str().unwrap());
        (done, numbers)
    }

    fn now(&self) -> u32 {
        fs::read_to_string(self.world.root.join("z/counter")).unwrap().parse().unwrap_or(0)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        fs::write(self.world.path("stop"), "").unwrap();
        self.writer.wait().unwrap();
    }
}

#[test]
fn held_still_in_full_files_and_database_are_of_one_moment() {
    let busy = Busy::new("full");
    let mut last = 0;
    for _ in 0..4 {
        let (done, [first, table, second]) = busy.backup();
        assert!(first == table && table == second, "{first} {table} {second}");
        assert!(first > last, "the writer did not go on");
        last = first;
        assert!(busy.now() > last, "the writer does not go on");
        assert!(done["result"]["downtime_seconds"].as_f64().unwrap() < 5.0);
        assert_eq!(done["result"]["run"]["phase"], "finalizing");
    }
    busy.world.restic_is_content();
}

/// Without it they are not: what is tested above is no accident.
#[test]
fn otherwise_files_are_later_than_the_database() {
    for mode in ["database-only", "off"] {
        let busy = Busy::new(mode);
        // How far the writer comes during one backup is a matter of luck.
        let later = (0..50).any(|_| {
            let (done, [first, table, second]) = busy.backup();
            assert!(table <= first && first <= second, "{mode}: {first} {table} {second}");
            let downtime = done["result"]["downtime_seconds"].as_f64();
            assert_eq!(downtime.is_some(), mode == "database-only", "{downtime:?}");
            table < second
        });
        assert!(later, "{mode}: nothing was written while files were saved");
        busy.world.restic_is_content();
    }
}

/// Tables without snapshots are locked until their rows are read, which is after the site was given back.
#[test]
fn tables_without_snapshots_are_of_the_same_moment_too() {
    let busy = Busy::new("full");
    busy.server.sql("shop", "ALTER TABLE counter ENGINE=MyISAM");
    let (_, [first, table, second]) = busy.backup();
    assert!(first == table && table == second, "{first} {table} {second}");
}
