//! A backup that holds the site still: whatever ends it, the site is given back, and it is never held for longer than its limit.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lifeboat::event::{Cx, Fault, FaultKind, Outcome, RunKind, Step};
use lifeboat::run::{self, BackupRequest, Job, Recovery};

use crate::world::{Ran, World};

/// What a killed process is told, by its environment.
const CONFIG: &str = "LIFEBOAT_TEST_QUIET_CONFIG";
const FAULT: &str = "LIFEBOAT_TEST_QUIET_FAULT";

/// A site whose hooks hold it still by a file `held`, and write down in `calls` that they ran.
struct Site {
    world: World,
}

impl Site {
    /// `answer` is what the hook does besides, by its point; `more` is YAML.
    fn new(mode: &str, limit: &str, answer: &str) -> Self {
        let world = World::new("databases: []");
        world.write("index", "content");
        let site = Self { world };
        site.configure(mode, limit, answer);
        site.world.init();
        fs::remove_file(site.world.path("calls")).unwrap_or_default();
        site
    }

    fn configure(&self, mode: &str, limit: &str, answer: &str) {
        let home = self.world.path("");
        let script = self.world.path("hook");
        let text = format!(
            "#!/bin/sh\ncat > /dev/null\ncd {}\necho \"$LIFEBOAT_POINT\" >> calls\ncase \"$LIFEBOAT_POINT\" in quiesce) touch held;; esac\n\
             case \"$LIFEBOAT_POINT\" in {answer} esac\ncase \"$LIFEBOAT_POINT\" in resume) rm -f held;; esac\nexit 0\n",
            home.display()
        );
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
        let command = format!("[{{command: [{}], timeout: 60s}}]", script.display());
        let points = ["quiesce", "resume", "before-dump", "before-save", "after-online"];
        let hooks = points.map(|point| format!("  {point}: {command}\n")).concat();
        let yaml = format!("quiesce: {{mode: {mode}, limit: {limit}}}\nhooks:\n{hooks}");
        self.world.configure("databases: []", None, &yaml);
    }

    fn held(&self) -> bool {
        self.world.path("held").exists()
    }

    fn calls(&self) -> String {
        let calls = fs::read_to_string(self.world.path("calls")).unwrap_or_default();
        fs::remove_file(self.world.path("calls")).unwrap_or_default();
        calls.trim_end().replace('\n', " ")
    }

    fn journal(&self) -> bool {
        self.world.path("state/demo/restore.json").exists()
    }

    /// It works, and nothing says that it does not.
    #[track_caller]
    fn is_given_back(&self) {
        assert!(!self.held(), "the site is still held");
        assert!(!self.journal(), "a journal is left");
    }

    fn wait_until_held(&self) {
        let begun = Instant::now();
        while !self.held() {
            assert!(begun.elapsed() < Duration::from_secs(30), "it was never held");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn back_up(job: &Job, cx: &Cx) -> (bool, lifeboat::event::RunState) {
    let request = BackupRequest::default();
    let (result, state) = run::execute(RunKind::Backup, job, "test", cx, || {
        run::backup(job, &request, cx).map(|snapshot| (snapshot, None))
    });
    (result.is_ok(), state)
}

const STEPS: [Step; 6] = [Step::Online, Step::Quiesce, Step::Dump, Step::Resume, Step::Save, Step::Verify];

#[test]
fn a_backup_that_fails_anywhere_gives_the_site_back() {
    for mode in ["full", "database-only"] {
        let site = Site::new(mode, "60s", "");
        let job = site.world.job();
        for kind in [FaultKind::Error, FaultKind::Panic, FaultKind::ErrorWithin(1), FaultKind::ErrorWithin(2)]
        {
            let within = !matches!(kind, FaultKind::Error | FaultKind::Panic);
            let steps =
                STEPS.into_iter().filter(|step| !within || [Step::Quiesce, Step::Dump].contains(step));
            for step in steps {
                let before = site.world.snapshots().len();
                let (ended, state) = back_up(&job, &Cx::silent().with_fault(Fault { step, kind }));
                assert!(!ended, "{mode} {step:?} {kind:?}");
                assert_eq!(state.outcome, Some(Outcome::Failed));
                assert!(state.stuck.is_empty(), "{:?}", state.stuck);
                let saved = usize::from(step == Step::Verify);
                assert_eq!(site.world.snapshots().len(), before + saved, "{mode} {step:?} {kind:?}");
                site.is_given_back();
            }
        }
        let (ended, state) = back_up(&job, &Cx::silent());
        assert!(ended && state.outcome == Some(Outcome::Success));
        site.is_given_back();
        site.world.restic_is_content();
    }
}

/// Runs a backup in a process of its own that is killed there; whether it was.
fn killed(site: &Site, step: Step, kind: &str) -> bool {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "hardship::quiet::victim", "--test-threads=1"])
        .env(CONFIG, site.world.path("lifeboat.yaml"))
        .env(FAULT, format!("{} {kind}", step.name()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let killed = output.status.signal() == Some(9);
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(killed || output.status.success(), "{out}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(killed || out.contains("1 passed"), "the victim was not found: {out}");
    killed
}

#[test]
fn a_backup_that_is_killed_anywhere_is_followed_by_a_site_that_works() {
    dies_everywhere("full", 4);
    dies_everywhere("database-only", 6);
}

/// In at least so many cases while the site is held.
fn dies_everywhere(mode: &str, least: u32) {
    let site = Site::new(mode, "60s", "");
    let mut held = 0;
    let mut case = 0;
    for step in STEPS {
        for kind in ["kill", "kill-after", "kill-within-1", "kill-within-2", "kill-within-3"] {
            if !killed(&site, step, kind) {
                assert!(kind.starts_with("kill-within"), "{step:?} {kind} did not strike");
                site.is_given_back();
                break;
            }
            held += u32::from(site.held());
            assert!(site.journal() || !site.held(), "{step:?} {kind}: held, and nobody would know");
            give_back(&site, case, &format!("{step:?} {kind}"));
            case += 1;
        }
    }
    // The giving back itself is killed.
    for kind in ["kill-within-1", "kill-within-2"] {
        assert!(killed(&site, Step::Recover, kind));
        give_back(&site, case, kind);
    }
    assert!(held >= least, "only {held} of {case} cases were killed while the site was held");
    assert!(site.world.run(&["backup"]).expect(0).err.contains("now quiesced"));
    site.world.restic_is_content();
}

/// By `recover`, or by whatever command comes next.
fn give_back(site: &Site, case: u32, name: &str) {
    let (journal, begun) = (site.journal(), Instant::now());
    let command = [&["recover"][..], &["backup"], &["forget"]][case as usize % 3];
    let ran = site.world.run(command).expect(0);
    assert_eq!(ran.err.contains("gave the site back"), journal, "{name} {command:?}\n{}", ran.err);
    assert!(begun.elapsed() < Duration::from_secs(20));
    site.is_given_back();
    let again = run::recover(&site.world.job(), &Cx::silent()).unwrap();
    assert_eq!(again.recovery, Recovery::Nothing, "{name}");
}

#[test]
fn what_recover_and_doctor_say() {
    let site = Site::new("database-only", "60s", "");
    assert!(killed(&site, Step::Dump, "kill"));
    assert!(site.held());
    let ran = site.world.run(&["doctor"]);
    assert!(ran.out.contains("was killed while it held the site still"), "{}", ran.out);
    let done = site.world.json(0, &["recover"]);
    assert_eq!(done["result"]["recovered"]["recovery"], "given-back");
    site.is_given_back();
}

/// Ran too long: failed for that reason, given back in time, and nothing saved.
#[track_caller]
fn overdue(site: &Site, ran: &Ran, took: Duration) {
    assert_eq!(ran.code, 1, "{}\n{}", ran.out, ran.err);
    assert!(ran.err.contains("held still for the 1s of quiesce.limit"), "{}", ran.err);
    assert!(took < Duration::from_secs(20), "{took:?}");
    site.is_given_back();
    assert_eq!(site.world.snapshots().len(), 0);
    assert_eq!(fs::read_dir(site.world.repository().join("locks")).unwrap().count(), 0);
}

#[test]
fn after_the_limit_the_site_is_given_back_and_the_backup_fails() {
    // What is done meanwhile takes too long: the site has not to wait for its end.
    let answer = "before-dump) sleep 4; [ -e held ] && echo late >> calls;;";
    let site = Site::new("database-only", "1s", answer);
    let begun = Instant::now();
    let ran = site.world.run(&["backup"]);
    overdue(&site, &ran, begun.elapsed());
    assert_eq!(site.calls(), "after-online quiesce before-dump resume");

    // The hook itself does not end.
    let site = Site::new("full", "1s", "quiesce) sleep 50;;");
    let begun = Instant::now();
    let ran = site.world.run(&["backup"]);
    overdue(&site, &ran, begun.elapsed());
    assert_eq!(site.calls(), "after-online quiesce resume");
}

#[test]
fn a_hook_that_cannot_hold_the_site_ends_the_backup() {
    let site = Site::new("full", "60s", "quiesce) echo no >&2; exit 3;;");
    let ran = site.world.run(&["backup"]).expect(1);
    assert!(ran.err.contains("quiesce hook"), "{}", ran.err);
    assert_eq!(site.calls(), "after-online quiesce resume");
    site.is_given_back();
    assert_eq!(site.world.snapshots().len(), 0);
}

/// Nobody can make the hook work but its owner; that it did not is told, and remembered until it does.
#[test]
fn a_site_that_cannot_be_given_back_is_told_and_not_forgotten() {
    let site = Site::new("full", "60s", "resume) exit 3;;");
    let ran = site.world.run(&["backup"]).expect(1);
    assert!(ran.err.contains("STUCK") && ran.err.contains("resume hook"), "{}", ran.err);
    assert!(site.held() && site.journal());
    assert_eq!(site.world.snapshots().len(), 0);
    assert!(site.world.run(&["recover"]).expect(1).err.contains("give the site back"));
    assert!(site.held() && site.journal());
    site.configure("full", "60s", "");
    site.world.run(&["recover"]).expect(0);
    site.is_given_back();
    site.world.backup();
}

#[test]
fn a_cancel_gives_the_site_back() {
    for answer in ["before-dump) sleep 50;;", "quiesce) sleep 50;;"] {
        let site = Site::new("full", "60s", answer);
        let child =
            site.world.command(&["backup"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        site.wait_until_held();
        std::thread::sleep(Duration::from_millis(200));
        let asked = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(asked.success());
        let ran = Ran::of(&child.wait_with_output().unwrap()).expect(130);
        site.is_given_back();
        assert!(site.calls().ends_with("resume"), "{}", ran.err);
        assert_eq!(site.world.snapshots().len(), 0);
    }
}

#[test]
fn the_files_are_saved_while_the_site_works() {
    let site = Site::new("database-only", "60s", "before-save) [ -e held ] && echo held >> calls;;");
    site.world.run(&["backup"]).expect(0);
    assert_eq!(site.calls(), "after-online quiesce before-dump resume before-save");
    let site = Site::new("off", "60s", "");
    let done = site.world.json(0, &["backup"]);
    assert_eq!(site.calls(), "before-dump before-save");
    assert!(done["result"]["downtime_seconds"].is_null());
}

fn read_so_far(path: &Path) -> u64 {
    let text = fs::read_to_string(path).unwrap();
    text.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

/// Counted by the kernel: all bytes that the process asked for while it held the site.
#[test]
fn the_second_pass_reads_only_what_changed() {
    let answer =
        "after-online) echo changed > site/dir3/file3; echo new > site/dir4/new; rm site/dir5/file5;;
                  quiesce) cat /proc/$PPID/io > io-before;; resume) cat /proc/$PPID/io > io-after;;";
    let site = Site::new("full", "60s", answer);
    for number in 0..64_u32 {
        let content: Vec<u8> = (0..1_u32 << 18)
            .flat_map(|at| at.wrapping_mul(2_654_435_761).wrapping_add(number).to_le_bytes())
            .collect();
        site.world.write(&format!("dir{}/file{number}", number % 8), content);
    }
    // A file that was written just now is read again, because it could be written again within the same tick.
    std::thread::sleep(Duration::from_millis(2100));
    let done = site.world.json(0, &["backup"]);
    let (before, after) =
        (read_so_far(&site.world.path("io-before")), read_so_far(&site.world.path("io-after")));
    assert!(before > 64 << 20, "the first pass did not read the files: {before}");
    assert!(after - before < 2 << 20, "{} bytes were read while the site was held", after - before);
    assert!(done["result"]["downtime_seconds"].as_f64().unwrap() < 10.0);

    let id = done["result"]["snapshot"]["id"].as_str().unwrap();
    let root = site.world.root.display();
    let dump = |name: &str| site.world.run(&["dump", id, &format!("{root}/{name}")]);
    assert_eq!(dump("dir3/file3").expect(0).out, "changed\n");
    assert_eq!(dump("dir4/new").expect(0).out, "new\n");
    assert_ne!(dump("dir5/file5").code, 0);
    let stats = &done["result"]["snapshot"]["stats"];
    assert_eq!(stats["files"].as_u64().unwrap(), 64 + 1 + 2, "{stats}"); // one more, and what describes it
    site.world.restic_is_content();
    // The next one has a parent like any other.
    let done = site.world.json(0, &["backup", "--no-rotation"]);
    assert!(done["result"]["snapshot"]["stats"]["bytes_stored"].as_u64().unwrap() < 200_000);
    site.world.restic_is_content();
    let target = site.world.path("by-restic");
    let restored = site.world.restic(&["restore", "latest", "--target", target.to_str().unwrap()]);
    assert_eq!(restored.code, 0, "{}", restored.err);
    let same = Command::new("diff")
        .arg("-r")
        .arg(&site.world.root)
        .arg(target.join(site.world.root.strip_prefix("/").unwrap()))
        .status();
    assert!(same.unwrap().success());
}

/// What cannot be saved is told once, by the pass that counts.
#[test]
fn what_the_second_pass_misses_makes_the_snapshot_incomplete() {
    let answer = "after-online) touch site/late; mv site/late site/strange; rm -rf site/gone;;";
    let site = Site::new("full", "60s", answer);
    site.world.write("gone/file", "x");
    let done = site.world.json(0, &["backup"]);
    assert_eq!(done["result"]["run"]["missed_count"], 0);
    // Emptied between the passes: an emptied site is not believed.
    let site = Site::new("full", "60s", "after-online) rm -rf site/index;;");
    let done = site.world.json(3, &["backup"]);
    assert_eq!(done["result"]["run"]["missed_count"], 1, "{}", done["result"]["run"]["missed"]);
    assert_eq!(done["result"]["snapshot"]["complete"], false);
    site.is_given_back();
    // An empty site from the beginning is one.
    let site = Site::new("full", "60s", "");
    fs::remove_file(site.world.root.join("index")).unwrap();
    site.world.run(&["backup"]).expect(0);
}

/// The process that is killed: it does nothing unless it is told what.
#[test]
#[ignore = "started by the tests above"]
fn victim() {
    let Some(config) = std::env::var_os(CONFIG) else { return };
    let fault = std::env::var(FAULT).unwrap();
    let (name, kind) = fault.split_once(' ').unwrap();
    let step = *Step::ALL.iter().find(|step| step.name() == name).unwrap();
    let kind = match kind.strip_prefix("kill-within-") {
        Some(point) => FaultKind::KillWithin(point.parse().unwrap()),
        None if kind == "kill-after" => FaultKind::KillAfter,
        None => FaultKind::Kill,
    };
    let job = lifeboat::config::load(config.as_ref()).unwrap().job().unwrap();
    assert!(back_up(&job, &Cx::silent().with_fault(Fault { step, kind })).0);
}
