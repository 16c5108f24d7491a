//! The agent as a service of systemd.

use std::path::Path;
use std::time::Duration;

use super::Finding;
use crate::sys::process::{self, Program};

const UNIT: &str = "lifeboat.service";
const SYSTEMCTL: &str = "/usr/bin/systemctl";
/// Is there while systemd is the first process, and only then (`sd_booted(3)`).
const BOOTED: &str = "/run/systemd/system";
const DEADLINE: Duration = Duration::from_secs(10);

/// What the service manager says of the agent, for a site with a schedule.
pub fn unit() -> Finding {
    let what = "unit";
    if !Path::new(BOOTED).is_dir() {
        return Finding::note(what, "systemd does not run here; something else has to start the agent");
    }
    let properties = "--property=LoadState,UnitFileState,ActiveState,SubState";
    let command = [SYSTEMCTL, "show", UNIT, properties].map(str::to_owned);
    let program = Program { command: &command, environment: &[], input: &[], deadline: DEADLINE, keep: 4096 };
    match process::run(&program) {
        Ok(ended) if ended.status.success() => judge(&String::from_utf8_lossy(&ended.output)),
        Ok(ended) => Finding::note(what, format!("systemctl does not tell ({})", ended.status)),
        Err(error) => Finding::of(what, Err(error)),
    }
    .at(UNIT)
}

/// Without a schedule nobody needs it.
pub fn without_schedule() -> Finding {
    Finding::note("unit", "no `schedule` is set: backups are begun by hand, cron or a timer")
}

fn judge(properties: &str) -> Finding {
    let what = "unit";
    let value = |name: &str| {
        properties.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
    };
    let state = format!("{}, {}", value("UnitFileState"), value("ActiveState"));
    match (value("LoadState"), value("UnitFileState"), value("ActiveState")) {
        ("not-found", _, _) => Finding::warning(
            what,
            "is not installed: after a restart of the machine nobody begins backups",
            "install the package, or copy manifests/systemd/lifeboat.service to /etc/systemd/system",
        ),
        ("masked", _, _) => Finding::warning(what, "is masked", "systemctl unmask lifeboat"),
        (_, _, "failed") => Finding::error(
            what,
            "ended with an error and is not started again",
            "journalctl -u lifeboat says why",
        ),
        _ if value("SubState") == "auto-restart" => Finding::error(
            what,
            format!("{state}: it ends soon after each start, and is started again and again"),
            "journalctl -u lifeboat says why",
        ),
        (
            _,
            "enabled" | "enabled-runtime" | "static" | "generated",
            "active" | "reloading" | "activating",
        ) => Finding::ok(what, state),
        (_, "enabled", _) => {
            Finding::warning(what, format!("{state}: it does not run"), "systemctl start lifeboat")
        }
        (_, _, "active") => Finding::warning(
            what,
            format!("{state}: it runs, but not after the next start of the machine"),
            "systemctl enable lifeboat",
        ),
        _ => Finding::warning(what, format!("{state}: it does not run"), "systemctl enable --now lifeboat"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn level_and_remedy(load: &str, file: &str, active: &str) -> (Level, String) {
        let text = format!("LoadState={load}\nUnitFileState={file}\nActiveState={active}\nSubState=x\n");
        let finding = judge(&text);
        (finding.level, finding.remedy.unwrap_or_default())
    }

    #[test]
    fn each_state_has_its_remedy() {
        assert_eq!(level_and_remedy("loaded", "enabled", "active").0, Level::Ok);
        for (load, file, active, remedy) in [
            ("not-found", "", "inactive", "install"),
            ("masked", "masked", "inactive", "unmask"),
            ("loaded", "enabled", "inactive", "systemctl start"),
            ("loaded", "disabled", "active", "systemctl enable lifeboat"),
            ("loaded", "disabled", "inactive", "enable --now"),
        ] {
            let (level, said) = level_and_remedy(load, file, active);
            assert_eq!(level, Level::Warning, "{load} {file} {active}");
            assert!(said.contains(remedy), "{said}");
        }
        assert_eq!(level_and_remedy("loaded", "enabled", "failed").0, Level::Error);
        let loop_of_starts =
            "LoadState=loaded\nUnitFileState=enabled\nActiveState=activating\nSubState=auto-restart\n";
        assert_eq!(judge(loop_of_starts).level, Level::Error);
    }
}
