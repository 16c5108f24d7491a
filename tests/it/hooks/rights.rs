//! As whom a hook runs, what it can write, what it inherits, and which program it is. Run as root, as Lifeboat is.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use lifeboat::event::Cx;
use lifeboat::hook::{HookSpec, Verdict, run};
use sha2::{Digest, Sha256};

use super::{Heard, hook, state};
use crate::world::{Ran, World};

/// What a hook said, line by line.
fn said(spec: &HookSpec) -> Vec<String> {
    assert!(nix::unistd::geteuid().is_root(), "this test runs programs as others, and must be run as root");
    let (heard, cx) = Heard::listen();
    assert_eq!(run(spec, &state(), &cx).unwrap(), Verdict::GoOn, "{:?}", heard.warnings());
    heard.notes().iter().map(|note| note.trim_start_matches("/bin/sh: ").to_owned()).collect()
}

const WHO: &str =
    "id -u; id -g; id -G; echo $USER $LOGNAME $HOME; touch /root/hook 2> /dev/null || echo refused";

#[test]
fn user_by_name_or_number_with_no_other_groups() {
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let (uid, gid) = (nobody.uid.to_string(), nobody.gid.to_string());
    for user in ["nobody", &uid] {
        let spec = HookSpec { user: Some(user.to_owned()), ..hook("before-run", WHO) };
        let home = format!("nobody nobody {}", nobody.dir.display());
        assert_eq!(said(&spec), [&uid, &gid, &gid, &home, "refused"]);
    }
    // Whoever starts us may have more groups.
    let world = World::new("databases: []");
    world.configure(
        "databases: []",
        None,
        "hooks: {before-run: [{user: nobody, command: [/bin/sh, -c, \"echo groups $(id -G) >&2\"]}]}\n",
    );
    let mut lifeboat = Command::new("setpriv");
    lifeboat
        .args(["--groups", "4,24", env!("CARGO_BIN_EXE_lifeboat"), "-c"])
        .arg(world.path("lifeboat.yaml"));
    let ran = Ran::of(&lifeboat.args(["hooks", "run", "before-run"]).output().unwrap()).expect(0);
    assert!(ran.err.contains(&format!("groups {gid}\n")), "{}", ran.err);
}

#[test]
fn user_that_is_not_there_is_said() {
    let spec = HookSpec { user: Some("no-such-user".to_owned()), ..hook("before-run", "exit 0") };
    let error = run(&spec, &state(), &Cx::silent()).unwrap_err();
    assert!(error.to_string().contains("there is no user no-such-user"), "{error}");
    assert!(error.remedy().unwrap().contains("useradd"), "{error:?}");
}

#[test]
fn program_that_its_user_cannot_reach_is_said() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o700)).unwrap();
    let program = directory.path().join("hook");
    fs::write(&program, "#!/bin/sh\nexit 0\n").unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let command = vec![program.display().to_string()];
    let spec = HookSpec { user: Some("nobody".to_owned()), ..HookSpec::new("before-run", command) };
    let error = run(&spec, &state(), &Cx::silent()).unwrap_err();
    assert!(error.to_string().contains("Permission denied"), "{error}");
    assert!(error.remedy().unwrap().contains("nobody can reach"), "{error:?}");
}

/// Each line is `NAME ok` or `NAME refused`.
const WRITE: &str =
    "try() { name=$1; shift; if \"$@\" 2> /dev/null; then echo $name ok; else echo $name refused; fi; }
try inside sh -c 'echo x > IN/new && mv IN/new IN/sub/moved && rm IN/sub/moved && ln -s x IN/link'
try outside sh -c 'echo x > OUT/new'
try append sh -c 'echo x >> OUT/file'
try empty truncate -s 0 OUT/file
try remove rm OUT/file
try rename mv OUT/file IN/taken
try link ln OUT/file IN/taken
try directory mkdir OUT/more
try read cat OUT/file
try run /bin/true
try sink sh -c 'echo x > /dev/null'
try other sh -c 'setsid sh -c \"echo x > OUT/new\"'
grep NoNewPrivs /proc/self/status";

#[test]
fn confined_hook_reads_everywhere_and_writes_where_it_may() {
    let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir(inside.path().join("sub")).unwrap();
    fs::write(outside.path().join("file"), "kept").unwrap();
    let script = WRITE
        .replace("IN/", &format!("{}/", inside.path().display()))
        .replace("OUT/", &format!("{}/", outside.path().display()));
    let spec = HookSpec { writable: vec![inside.path().to_owned()], ..hook("before-run", &script) };
    let expected = [
        "inside ok",
        "outside refused",
        "append refused",
        "empty refused",
        "remove refused",
        "rename refused",
        "link refused",
        "directory refused",
        "kept",
        "read ok",
        "run ok",
        "sink ok",
        "other refused",
        "NoNewPrivs:\t1",
    ];
    let lines = said(&spec);
    assert_eq!(lines.join("\n").replace("keptread", "kept\nread"), expected.join("\n"));
    assert_eq!(fs::read_to_string(outside.path().join("file")).unwrap(), "kept");
    // It is the hook that is confined, and not who started it.
    let free = hook(
        "before-run",
        &format!("echo x > {}/new; grep NoNewPrivs /proc/self/status", outside.path().display()),
    );
    assert_eq!(said(&free), ["NoNewPrivs:\t0"]);
    fs::write(outside.path().join("ours"), "x").unwrap();
}

#[test]
fn confined_hook_of_another_user_is_both() {
    let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for place in [&inside, &outside] {
        fs::set_permissions(place.path(), Permissions::from_mode(0o777)).unwrap();
    }
    let script = format!(
        "id -u; touch {}/x && echo inside; touch {}/x 2> /dev/null || echo refused",
        inside.path().display(),
        outside.path().display()
    );
    let spec = HookSpec {
        user: Some("nobody".to_owned()),
        writable: vec![inside.path().to_owned()],
        ..hook("before-run", &script)
    };
    assert_eq!(said(&spec), ["65534", "inside", "refused"]);
}

#[test]
fn no_new_privileges_for_itself() {
    let spec =
        HookSpec { no_new_privileges: true, ..hook("before-run", "grep NoNewPrivs /proc/self/status") };
    assert_eq!(said(&spec), ["NoNewPrivs:\t1"]);
}

#[test]
fn directory_that_is_not_there_is_said() {
    let spec = HookSpec { writable: vec!["/nowhere/at/all".into()], ..hook("before-run", "exit 0") };
    let error = run(&spec, &state(), &Cx::silent()).unwrap_err();
    assert!(error.to_string().contains("/nowhere/at/all is no directory"), "{error}");
}

/// A kernel that has no landlock answers `ENOSYS`, one in which it is switched off `EOPNOTSUPP`.
#[test]
fn kernel_without_landlock_runs_no_confined_hook() {
    let world = World::new("databases: []");
    world.write("file", "content");
    let marker = world.path("ran");
    let yaml = format!(
        "hooks: {{before-run: [{{writable: [/tmp], command: [/bin/touch, {}]}}]}}\n",
        marker.display()
    );
    world.configure("databases: []", None, &yaml);
    for answer in ["ENOSYS", "EOPNOTSUPP"] {
        for (arguments, text) in [
            (&["hooks", "check"][..], "cannot confine"),
            (&["backup"], "before-run hook: this kernel cannot confine"),
        ] {
            let mut lifeboat = Command::new("strace");
            lifeboat.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=landlock_create_ruleset"]);
            lifeboat.args(["-e", &format!("inject=landlock_create_ruleset:error={answer}")]);
            lifeboat
                .args([env!("CARGO_BIN_EXE_lifeboat"), "-c"])
                .arg(world.path("lifeboat.yaml"))
                .args(arguments);
            let ran = Ran::of(&lifeboat.stdin(Stdio::null()).output().unwrap()).expect(1);
            let all = format!("{}{}", ran.out, ran.err);
            assert!(all.contains(text) && all.contains("6.2"), "{all}");
        }
    }
    assert!(!marker.exists());
}

#[test]
fn nothing_is_inherited_but_the_three_pipes() {
    let world = World::new("databases: []");
    let look = "for n in $(seq 3 255); do if [ -e /proc/$$/fd/$n ]; then echo open $n; fi; done; readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2";
    let yaml = format!("hooks: {{before-run: [{{command: [/bin/sh, -c, '{look}']}}]}}\n");
    world.configure("databases: []", None, &yaml);
    let script = format!(
        "exec 5< /dev/null 9> /dev/null 77< /; exec {} -c {} hooks run before-run",
        env!("CARGO_BIN_EXE_lifeboat"),
        world.path("lifeboat.yaml").display()
    );
    let ran = Ran::of(&Command::new("bash").args(["-c", &script]).output().unwrap()).expect(0);
    assert!(!ran.err.contains("open"), "{}", ran.err);
    assert_eq!(ran.err.matches("pipe:[").count(), 3, "{}", ran.err);
}

#[test]
fn pinned_program_runs_as_long_as_it_is_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("hook");
    let write = |text: &str| {
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    };
    let text = "#!/bin/sh\nexit 0\n";
    write(text);
    let command = vec![program.display().to_string()];
    let sha256 = Some(Sha256::digest(text).into());
    let spec = HookSpec { sha256, ..HookSpec::new("before-run", command) };
    assert_eq!(run(&spec, &state(), &Cx::silent()).unwrap(), Verdict::GoOn);
    write("#!/bin/sh\nexit 0 # changed\n");
    let error = run(&spec, &state(), &Cx::silent()).unwrap_err();
    assert!(error.to_string().contains("not the program that was pinned"), "{error}");
    let said = Command::new("sha256sum").arg(&program).output().unwrap().stdout;
    let digits = String::from_utf8_lossy(&said)[..64].to_owned();
    assert!(error.remedy().unwrap().contains(&digits), "{error:?}");
}
