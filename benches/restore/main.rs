//! A site of which one file in a hundred was changed, brought back in place: ours, stock restic and rustic (where it is
//! installed) from the same repository, in alternation: `cargo bench --bench restore [-- FILES [ROUNDS]]`.
#![allow(clippy::print_stdout)]

#[path = "../measure.rs"]
mod measure;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::measure::{Contender, Run, bash, compare, median};

/// Of most files, in bytes; one in fifty is a hundred times as large.
const SIZE: usize = 12_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number =
        |at: usize, default| arguments.get(at).map_or(default, |text| text.parse().expect("a number"));
    let (files, rounds) = (number(0, 20_000), number(1, 5));
    let place = tempfile::tempdir().expect("make a directory");
    let site = Site::make(place.path(), files);
    println!(
        "{files} files, {} MB; 1 % of them changed before each restore; {rounds} rounds, alternating",
        site.bytes / 1_000_000
    );
    let changed = site.change(0);
    let (ours, stock) = (|_| site.ours(), |_| site.restic());
    // Believing size and time of what is there, and reading it as we do.
    let (peer, careful) = (|_| site.rustic(""), |_| site.rustic("--verify-existing"));
    let mut contenders: Vec<Contender<'_>> = vec![("restic", &stock), ("ours", &ours)];
    if Command::new("rustic").arg("--version").output().is_ok() {
        contenders.extend([("rustic", &peer as &dyn Fn(usize) -> Run), ("rustic, verifying", &careful)]);
    } else {
        println!("rustic is not installed and is left out");
    }
    let runs = compare("restore in place", &contenders, rounds, &mut |round| {
        site.prove();
        site.change(round + 1);
    });
    for ((name, _), own) in contenders.iter().zip(&runs) {
        let read = median(own.iter().map(|run| run.parts[0]).collect());
        println!("  {name:<36} read {:8.1} MB by any call", read / 1e6);
    }
    let of = |part: usize| median(runs[1].iter().map(|run| run.parts[part]).collect());
    println!(
        "ours: {:.2} MB from the storage for {:.2} MB of changed files ({:.2}); the site stood still for {:.3} s",
        of(1) / 1e6,
        changed / 1e6,
        of(1) / changed,
        of(2)
    );
}

struct Site {
    place: PathBuf,
    root: PathBuf,
    files: usize,
    bytes: usize,
}

impl Site {
    /// Text that compresses and noise that does not, saved once.
    fn make(place: &Path, files: usize) -> Self {
        let root = place.join("site");
        let mut site = Self { place: place.to_owned(), root, files, bytes: 0 };
        for number in 0..files {
            let path = site.path(number);
            fs::create_dir_all(path.parent().expect("has one")).expect("make a directory");
            let data = content(number, 0);
            site.bytes += data.len();
            fs::write(path, data).expect("write");
        }
        let at = |name: &str| place.join(name);
        fs::write(at("password"), "correct horse battery staple\n").expect("write");
        fs::set_permissions(at("password"), fs::Permissions::from_mode(0o600)).expect("set the mode");
        let (root, storage, password, state) =
            (site.root.display(), at("storage"), at("password"), at("state"));
        fs::create_dir(&storage).expect("make a directory");
        fs::write(
            at("lifeboat.yaml"),
            format!(
                "site: {{name: demo, root: {root}}}\ndatabases: []\nstorage: {{type: local, path: {}}}\n\
                 repository: {{password: {{file: {}}}}}\nstate: {}\n",
                storage.display(),
                password.display(),
                state.display()
            ),
        )
        .expect("write");
        let job = lifeboat::config::load(&at("lifeboat.yaml")).expect("load").job().expect("a job");
        lifeboat::run::init(&job, &lifeboat::event::Cx::silent()).expect("create the repository");
        bash(&format!("{} backup > /dev/null", site.lifeboat()));
        // The first one finds every lock, table and cache cold.
        bash(&format!("cp -a {root} {}", at("original").display()));
        site
    }

    fn path(&self, number: usize) -> PathBuf {
        self.root.join(format!("{:03}/{number}", number % 500))
    }

    /// One in a hundred is written anew; says how many bytes those have in the snapshot.
    #[allow(clippy::cast_precision_loss)] // megabytes
    fn change(&self, round: usize) -> f64 {
        let each = (0..self.files).skip(7).step_by(100);
        for number in each.clone() {
            fs::write(self.path(number), content(number, round + 1)).expect("write");
        }
        each.map(|number| content(number, 0).len() as f64).sum()
    }

    /// Every file is what it was, whoever brought it.
    fn prove(&self) {
        bash(&format!(
            "diff -r --no-dereference {} {} && rm -rf {}/.site.before-restore-*",
            self.place.join("original").display(),
            self.root.display(),
            self.place.display()
        ));
    }

    fn lifeboat(&self) -> String {
        let program = env!("CARGO_BIN_EXE_lifeboat");
        format!("{program} -c {} --quiet", self.place.join("lifeboat.yaml").display())
    }

    fn ours(&self) -> Run {
        let json = self.place.join("result.json").display().to_string();
        counted(&format!(
            "{} --json restore --at latest --yes --no-safety > {json}; \
             jq -r '.result.restored | .from_storage, .downtime_seconds' {json}",
            self.lifeboat()
        ))
    }

    fn restic(&self) -> Run {
        let root = self.root.display();
        counted(&format!(
            "{} restic -q --no-cache restore latest --include {root} --target /",
            self.environment("RESTIC")
        ))
    }

    fn rustic(&self, how: &str) -> Run {
        let root = self.root.display();
        counted(&format!(
            "{} rustic --no-progress --log-level error --no-cache restore {how} latest:{root} {root}",
            self.environment("RUSTIC")
        ))
    }

    fn environment(&self, prefix: &str) -> String {
        format!(
            "{prefix}_REPOSITORY={} {prefix}_PASSWORD_FILE={}",
            self.place.join("storage/demo").display(),
            self.place.join("password").display()
        )
    }
}

/// Prints, before anything else that the script prints, how many bytes it and its children read.
fn counted(script: &str) -> Run {
    bash(&format!("said=$({script}); sed -n 's/^rchar: //p' /proc/$$/io; echo \"$said\""))
}

/// Half text, half noise; another `version` has other bytes.
fn content(number: usize, version: usize) -> Vec<u8> {
    let length = if number.is_multiple_of(50) { SIZE * 100 } else { SIZE };
    let mut state = ((number as u64) << 20 | version as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut data = Vec::with_capacity(length);
    while data.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if number.is_multiple_of(2) {
            data.extend_from_slice(&state.to_le_bytes());
        } else {
            data.extend_from_slice(format!("<p class=\"n{}\">{number}</p>\n", state % 997).as_bytes());
        }
    }
    data.truncate(length);
    data
}
