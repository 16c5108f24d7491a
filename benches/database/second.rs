//! The second snapshot after a quiet hour: the whole program against `mariadb-dump` piped into restic.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::mariadb::MariaDb;
use crate::measure::{Contender, Run, bash, compare, median};
use crate::{shop, stock_dump};

pub(crate) fn snapshots(server: &MariaDb, place: &Path, rounds: usize) {
    let (root, storage, theirs) = (place.join("site"), place.join("storage"), place.join("restic"));
    for directory in [&root, &storage] {
        fs::create_dir(directory).expect("make a directory");
    }
    fs::write(root.join("index.php"), "<?php\n").expect("write");
    let password = place.join("password");
    fs::write(&password, "correct horse battery staple\n").expect("write");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("chmod");
    let config = place.join("lifeboat.yaml");
    let text = format!(
        "site: {{name: shop, root: {}}}\ndatabases: [{{type: mysql, name: shop, host: \"localhost:{}\", user: root}}]\n\
         storage: {{type: local, path: {}}}\nrepository: {{password: {{file: {}}}}}\nstate: {}\n",
        root.display(),
        server.socket().display(),
        storage.display(),
        password.display(),
        place.join("state").display()
    );
    fs::write(&config, text).expect("write");
    let job = lifeboat::config::load(&config).expect("configuration").job().expect("job");
    lifeboat::run::init(&job, &lifeboat::event::Cx::silent()).expect("init");
    let restic = format!(
        "restic -q -r {} --password-file {} --cache-dir {}",
        theirs.display(),
        password.display(),
        place.join("cache").display()
    );
    bash(&format!("{restic} init"));

    let grown = |directory: &Path, run: &dyn Fn() -> Run| {
        let before = size(directory);
        let mut run = run();
        run.parts = vec![(size(directory) - before) / f64::from(1 << 20)];
        run
    };
    let lifeboat = format!("{} -q -c {} backup", env!("CARGO_BIN_EXE_lifeboat"), config.display());
    let ours = |_| grown(&storage, &|| bash(&format!("exec {lifeboat}")));
    let stock = |_| {
        grown(&theirs, &|| {
            bash(&format!("{} | {restic} backup --stdin --stdin-filename shop.sql", stock_dump(server)))
        })
    };
    let contenders: [Contender<'_>; 2] = [("mariadb-dump | restic", &stock), ("lifeboat backup", &ours)];
    report("first snapshot", &compare("first snapshot", &contenders, 1, &mut |_| {}));
    let mut turns = 0;
    shop::quiet_hour(server, 0);
    let runs = compare("snapshot after a quiet hour", &contenders, rounds, &mut |round| {
        turns += 1;
        // Both have saved this hour: on to the next.
        if turns % contenders.len() == 0 {
            shop::quiet_hour(server, round + 1);
        }
    });
    report("snapshot after a quiet hour", &runs);
}

fn report(what: &str, runs: &[Vec<Run>]) {
    let stored = |runs: &[Run]| median(runs.iter().map(|run| run.parts[0]).collect());
    let (theirs, ours) = (stored(&runs[0]), stored(&runs[1]));
    println!("  {what}: stored {ours:.1} MiB against {theirs:.1} MiB, ratio {:.2}", ours / theirs);
}

/// Of all files below a directory, in bytes.
fn size(directory: &Path) -> f64 {
    let output = Command::new("du").args(["-sb"]).arg(directory).output().expect("run du");
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().next().and_then(|bytes| bytes.parse().ok()).expect("a number")
}
