//! Secrets come from where they are kept, and appear nowhere else.

use std::fs;
use std::path::Path;

use lifeboat::config::{self, Config};
use tempfile::TempDir;

use super::write;

const CANARY: &str = "CANARY-pa55";

struct World {
    home: TempDir,
}

impl World {
    fn new() -> Self {
        Self { home: TempDir::new().unwrap() }
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).to_str().unwrap().to_owned()
    }

    fn config(&self, password: &str) -> Config {
        let state = self.path("state");
        let text = format!(
            "site: {{name: shop, root: /var/www/shop}}\nstorage: {{type: local, path: /backup}}\nstate: {state}\n\
             repository:\n  password: {password}\n"
        );
        config::load(&write(&self.home.path().join("shop.yaml"), &text, 0o600)).unwrap()
    }

    fn file(&self, content: &str, mode: u32) -> String {
        let path = write(&self.home.path().join("password"), content, mode);
        format!("{{file: {}}}", path.display())
    }
}

fn password(config: &Config) -> Result<String, String> {
    let shown = format!("{config:?}");
    assert!(!shown.contains(CANARY), "{shown}");
    config.repository_password().map(|secret| secret.reveal().to_owned()).map_err(|error| {
        let said = format!("{error}; {}", error.remedy().unwrap_or_default());
        assert!(!said.contains(CANARY) && !format!("{error:?}").contains(CANARY), "{said}");
        said
    })
}

#[test]
fn secrets_come_from_where_they_are_kept() {
    let world = World::new();
    let canary = Ok(CANARY.to_owned());
    assert_eq!(password(&world.config(CANARY)), canary);
    assert_eq!(password(&world.config(&world.file(&format!("{CANARY}\n"), 0o600))), canary);
    assert_eq!(password(&world.config(&world.file(&format!("{CANARY}\r\n"), 0o640))), canary);
    assert_eq!(
        password(&world.config(&world.file(&format!(" {CANARY} "), 0o400))),
        Ok(format!(" {CANARY} "))
    );
    assert_eq!(password(&world.config(&format!("{{command: [/bin/echo, {CANARY}]}}"))), canary);
    assert_eq!(password(&world.config("{env: CARGO_PKG_NAME}")), Ok("lifeboat".to_owned()));
}

#[test]
fn what_is_no_secret_is_refused_without_being_shown() {
    let world = World::new();
    let refused = |reference: &str| password(&world.config(reference)).unwrap_err();
    for mode in [0o644, 0o604, 0o601, 0o602] {
        let said = refused(&world.file(CANARY, mode));
        assert!(
            said.contains("everybody on this machine can use it") && said.contains("chmod 600"),
            "{said}"
        );
    }
    assert!(refused(&world.file("", 0o600)).contains("it is empty"));
    assert!(refused(&world.file("\n", 0o600)).contains("it is empty"));
    assert!(refused(&world.file(&format!("{CANARY}\n{CANARY}\n"), 0o600)).contains("more than one line"));
    assert!(refused(&format!("{{file: {}}}", world.path("none"))).contains("No such file"));
    assert!(refused(&format!("{{file: {}}}", world.path(""))).contains("not a regular file"));
    assert!(refused("{env: LIFEBOAT_TEST_NOT_SET}").contains("it is not set"));
    assert!(refused("{credential: shop}").contains("no credentials"));
    assert!(
        refused(&format!("{{command: [/bin/sh, -c, \"echo {CANARY} >&2; echo {CANARY}; exit 3\"]}}"))
            .contains("exit status: 3")
    );
    assert!(refused("{command: [/nowhere/pass]}").contains("start /nowhere/pass"));
    fs::write(world.path("password"), b"CANARY-pa55\xff").unwrap();
    assert!(refused(&format!("{{file: {}}}", world.path("password"))).contains("UTF-8"));
}

#[test]
fn a_password_in_the_file_needs_a_private_file() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("shop.yaml");
    let text = config::example().replace("{file: /etc/lifeboat/shop.password}", CANARY);
    for (mode, fine) in
        [(0o600, true), (0o400, true), (0o700, true), (0o644, false), (0o640, false), (0o604, false)]
    {
        assert_eq!(config::load(&write(&file, &text, mode)).is_ok(), fine, "{mode:o}");
    }
    let problems = config::load(&file).unwrap_err();
    assert_eq!((problems.list.len(), problems.list[0].path.as_str()), (1, "repository.password"));
    assert!(!format!("{problems} {problems:?}").contains(CANARY));
}

#[test]
fn broken_files_do_not_show_what_is_in_them() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("shop.yaml");
    for text in [
        format!("password: {CANARY}\n"),
        format!("repository:\n  password: {CANARY}\n password: {CANARY}\n"),
        format!("repository: {{password: *{CANARY}}}\n"),
        format!("repository: {{password: @{CANARY}}}\n"),
        format!("repository: {{password: !{CANARY} x}}\n"),
        format!("repository: {{password: &{CANARY}}}\n"),
        format!("repository: {{password: \"{CANARY}\n"),
        format!("repository: {{password: [{CANARY}]}}\n"),
        format!("repository: {{password: \"{CANARY}\\q\"}}\n"),
        format!("repository: {{password: %{CANARY}}}\n"),
        format!("repository: {CANARY}\n"),
        format!(
            "repository: \"{CANARY}\\n\"\nzone: {CANARY}\nstorage: {{type: {CANARY}}}\nsite: {{name: \"{CANARY} x\"}}\n"
        ),
    ] {
        let said = config::load(&write(&file, &text, 0o600)).unwrap_err().to_string();
        assert!(!said.contains(CANARY), "{text}{said}");
    }
}

#[test]
fn secrets_are_fetched_only_when_needed() {
    let world = World::new();
    let config = world.config("{file: /nowhere/at/all}");
    assert!(config.job_without_databases().is_err(), "without a key file the password is needed");
    fs::create_dir_all(world.path("state/shop")).unwrap();
    fs::write(world.path("state/shop/master.key"), "{}").unwrap();
    let job = config.job_without_databases().unwrap();
    assert!(job.repo.password.is_none());
    assert_eq!(job.repo.key_file, Path::new(&world.path("state/shop/master.key")));
}
