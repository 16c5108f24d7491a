//! `hooks/systemd`: what was stopped is started, and nothing else, whoever is killed or fails in between.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use super::{RESTORE, lines, named, program, shipped};
use crate::world::World;

/// Units are files with their states; `NAME.refuses` lets a start fail. Each stop and start notes what the site is then.
const SYSTEMCTL: &str = r#"#!/bin/sh
verb=$1
for unit; do :; done
case $verb in
    show)
        if [ -e "HOME/units/$unit" ]; then
            printf 'ActiveState=%s\nLoadState=loaded\n' "$(cat "HOME/units/$unit")"
        else
            printf 'ActiveState=inactive\nLoadState=not-found\n'
        fi
        ;;
    stop)
        stat -c '%a %F' HOME/kept HOME/kept/demo "HOME/kept/demo/$unit" >>HOME/modes
        echo "stop $unit $(cat HOME/site/index)" >>HOME/calls
        echo inactive >"HOME/units/$unit"
        ;;
    start)
        echo "start $unit $(cat HOME/site/index)" >>HOME/calls
        [ ! -e "HOME/units/$unit.refuses" ] || { echo "Job for $unit failed" >&2; exit 1; }
        echo active >"HOME/units/$unit"
        ;;
    reset-failed) ;;
    *) exit 64 ;;
esac
"#;

const UNITS: [&str; 3] = ["nginx.service", "php8.2-fpm.service", "worker@1.service"];

struct Services {
    world: World,
    program: Vec<String>,
}

impl Services {
    /// A site with a snapshot of `old` that is `new` now, and units in these states.
    fn new(states: [&str; 3]) -> Self {
        let world = World::new("databases: []");
        let hook = shipped(&world, "systemd");
        let systemctl = format!("--systemctl={}", program(&world, "bin/systemctl", SYSTEMCTL));
        let services = Self {
            program: vec![hook, systemctl, format!("--state={}", world.path("kept").display())],
            world,
        };
        fs::create_dir(services.world.path("units")).unwrap();
        for (unit, state) in UNITS.iter().zip(states) {
            services.set(unit, state);
        }
        services.world.write("index", "old");
        services.world.init();
        services.world.backup();
        services.world.write("index", "new");
        services.configure(&UNITS, "");
        services
    }

    /// These arguments at both points, and other hooks.
    fn configure(&self, arguments: &[&str], more: &str) {
        let mut command = self.program.clone();
        command.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let hook = named(&command);
        let yaml = format!("hooks:\n  quiesce: [{hook}]\n  resume: [{hook}]\n{more}");
        self.world.configure("databases: []", None, &yaml);
    }

    fn set(&self, unit: &str, state: &str) {
        fs::write(self.world.path("units").join(unit), format!("{state}\n")).unwrap();
    }

    fn states(&self) -> [String; 3] {
        UNITS.map(|unit| lines(&self.world.path("units").join(unit)).remove(0))
    }

    /// What was asked of the services since this was last asked.
    fn calls(&self) -> Vec<String> {
        let calls = lines(&self.world.path("calls"));
        fs::write(self.world.path("calls"), "").unwrap();
        calls
    }

    /// The units that are remembered.
    fn kept(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.world.path("kept/demo")) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn those_that_run_are_stopped_for_the_exchange_and_started_after_it() {
    let services = Services::new(["active", "inactive", "activating"]);
    let ran = services.world.run(&RESTORE).expect(0);
    assert_eq!(
        services.calls(),
        [
            "stop nginx.service new",
            "stop worker@1.service new",
            "start worker@1.service old",
            "start nginx.service old"
        ]
    );
    assert_eq!(services.states(), ["active", "inactive", "active"]);
    assert!(ran.err.contains("php8.2-fpm.service does not run"), "{}", ran.err);
    assert_eq!(
        lines(&services.world.path("modes"))[..3],
        ["700 directory", "700 directory", "600 regular empty file"]
    );
    assert!(services.kept().is_empty());
}

#[test]
fn one_that_does_not_start_keeps_no_other_from_it_and_is_tried_again() {
    let services = Services::new(["active"; 3]);
    let refuses = services.world.path("units/php8.2-fpm.service.refuses");
    fs::write(&refuses, "").unwrap();
    let ran = services.world.run(&RESTORE);
    assert_ne!(ran.code, 0);
    assert!(
        ran.err.contains("STUCK") && ran.err.contains("could not be started: php8.2-fpm.service"),
        "{}",
        ran.err
    );
    assert_eq!(services.states(), ["active", "inactive", "active"]);
    assert_eq!(services.kept(), ["php8.2-fpm.service"]);
    services.calls();
    fs::remove_file(&refuses).unwrap();
    services.world.run(&["recover"]).expect(0);
    assert_eq!(services.calls(), ["start php8.2-fpm.service old"]);
    assert_eq!(services.states(), ["active"; 3]);
    assert!(services.kept().is_empty());
}

#[test]
fn a_killed_run_is_not_forgotten() {
    let services = Services::new(["active", "inactive", "active"]);
    let kill = program(&services.world, "bin/kill", "#!/bin/sh\nkill -KILL \"$PPID\"\n");
    services.configure(&UNITS, &format!("  after-quiesce: [{{command: [{kill}]}}]\n"));
    assert_eq!(services.world.run(&RESTORE).code, -1);
    assert_eq!(services.states(), ["inactive"; 3]);
    assert_eq!(services.kept(), ["nginx.service", "worker@1.service"]);
    // Somebody stops the site once more: nothing runs now, but what ran is remembered.
    services.world.run(&["hooks", "run", "quiesce"]).expect(0);
    assert_eq!(services.kept(), ["nginx.service", "worker@1.service"]);
    services.configure(&UNITS, "");
    services.world.run(&["recover"]).expect(0);
    assert_eq!(services.states(), ["active", "inactive", "active"]);
    assert!(services.kept().is_empty());
}

#[test]
fn twice_is_as_good_as_once() {
    let services = Services::new(["active", "inactive", "active"]);
    for point in ["resume", "quiesce", "quiesce", "resume", "resume"] {
        services.world.run(&["hooks", "run", point]).expect(0);
    }
    assert_eq!(
        services.calls(),
        [
            "stop nginx.service new",
            "stop worker@1.service new",
            "start worker@1.service new",
            "start nginx.service new"
        ]
    );
    // A unit that is in the middle of a stop is waited for, and not started against whoever stops it.
    services.set("nginx.service", "deactivating");
    services.world.run(&["hooks", "run", "quiesce"]).expect(0);
    services.world.run(&["hooks", "run", "resume"]).expect(0);
    assert_eq!(services.states(), ["inactive", "inactive", "active"]);
}

#[test]
fn what_a_former_configuration_stopped_is_started_too() {
    let services = Services::new(["active"; 3]);
    services.world.run(&["hooks", "run", "quiesce"]).expect(0);
    services.configure(&["nginx.service"], "");
    services.world.run(&["hooks", "run", "resume"]).expect(0);
    assert_eq!(services.states(), ["active"; 3]);
}

#[test]
fn what_cannot_be_meant_stops_nothing() {
    let services = Services::new(["active"; 3]);
    for (unit, said) in [
        ("no-such.service", "there is no unit no-such.service"),
        ("nginx", "such as nginx.service"),
        ("../units/x.service", "no name of a unit"),
        ("$(reboot).service", "no name of a unit"),
    ] {
        services.configure(&[unit], "");
        let ran = services.world.run(&RESTORE).expect(1);
        assert!(ran.err.contains(said) && !ran.err.contains("STUCK"), "{unit}: {}", ran.err);
        assert_eq!(fs::read_to_string(services.world.root.join("index")).unwrap(), "new", "{unit}");
    }
    services.configure(&UNITS, "");
    assert!(services.kept().is_empty() && services.calls().is_empty());
    // Where others could write, they could have units started.
    let kept = services.world.path("kept");
    fs::set_permissions(&kept, Permissions::from_mode(0o777)).unwrap();
    let ran = services.world.run(&["hooks", "run", "quiesce"]).expect(1);
    assert!(ran.err.contains("chmod 700"), "{}", ran.err);
    fs::set_permissions(&kept, Permissions::from_mode(0o700)).unwrap();
    fs::rename(&kept, services.world.path("elsewhere")).unwrap();
    symlink(services.world.path("elsewhere"), &kept).unwrap();
    services.world.run(&["hooks", "run", "quiesce"]).expect(1);
    assert_eq!(services.states(), ["active"; 3]);
}

#[test]
fn a_node_without_systemd_has_one_service() {
    let services = Services::new(["active"; 3]);
    let jem = "#!/bin/sh\necho \"$* $(cat HOME/site/index)\" >>HOME/calls\n[ ! -e HOME/refuses ]\n";
    let jem = format!("--jem={}", program(&services.world, "bin/jem", jem));
    services.configure(&[&jem], "");
    services.world.run(&RESTORE).expect(0);
    assert_eq!(services.calls(), ["service stop new", "service start old"]);
    assert_eq!(services.states(), ["active"; 3]);
    assert!(services.kept().is_empty());
    services.world.run(&["hooks", "run", "resume"]).expect(0);
    assert!(services.calls().is_empty());
    services.world.run(&["hooks", "run", "quiesce"]).expect(0);
    fs::write(services.world.path("refuses"), "").unwrap();
    let ran = services.world.run(&["hooks", "run", "resume"]).expect(1);
    assert!(ran.err.contains("could not be started: jem"), "{}", ran.err);
    assert_eq!(services.kept(), ["jem"]);
}
