//! From a configuration to the job: defaults, the site's own settings, and what overrides them.

use std::fs;
use std::path::PathBuf;

use lifeboat::config::{self, Config};
use lifeboat::database::{DatabaseSpec, MysqlAddress, MysqlSpec};
use lifeboat::error::Result;
use lifeboat::event::RunKind;
use lifeboat::notify::{Encryption, Means, Word};
use lifeboat::run::job::Job;
use lifeboat::storage::{MountMode, NfsSpec, StorageSpec};
use tempfile::TempDir;

use super::write;

const WP_CONFIG: &str = "<?php define('DB_NAME', 'shop'); define('DB_USER', 'web'); define('DB_PASSWORD', 'pw');\n\
                         define('DB_HOST', 'localhost:/run/db.sock'); $table_prefix = 'wp_';";

struct World {
    home: TempDir,
}

impl World {
    fn new(wp_config: Option<&str>) -> Self {
        let home = TempDir::new().unwrap();
        fs::create_dir(home.path().join("root")).unwrap();
        if let Some(text) = wp_config {
            fs::write(home.path().join("root/wp-config.php"), text).unwrap();
        }
        Self { home }
    }

    fn root(&self) -> PathBuf {
        fs::canonicalize(self.home.path().join("root")).unwrap()
    }

    fn config(&self, site: &str, rest: &str) -> Config {
        let home = self.home.path().display();
        let text = format!(
            "site: {{name: shop, root: {home}/root, {site}}}\nstorage: {{type: local, path: {home}/backup}}\n\
             repository: {{password: secret}}\nstate: {home}/state\n{rest}\n"
        );
        config::load(&write(&self.home.path().join("shop.yaml"), &text, 0o600))
            .unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn job(&self, site: &str, rest: &str) -> Result<Job> {
        self.config(site, rest).job()
    }

    fn mysql(&self, rest: &str) -> MysqlSpec {
        let job = self.job("", rest).unwrap();
        let [DatabaseSpec::Mysql(spec)] = &job.databases[..] else { panic!("{:?}", job.databases) };
        spec.clone()
    }
}

fn password(spec: &MysqlSpec) -> Option<&str> {
    spec.password.as_ref().map(lifeboat::sys::secret::Secret::reveal)
}

#[test]
fn left_out_the_database_is_the_one_of_the_site() {
    let world = World::new(Some(WP_CONFIG));
    let spec = world.mysql("");
    assert_eq!((spec.schema.as_str(), spec.user.as_str(), password(&spec)), ("shop", "web", Some("pw")));
    assert_eq!(spec.address, MysqlAddress::Socket("/run/db.sock".into()));
}

#[test]
fn encryption_is_wanted_as_it_is_written() {
    let world = World::new(Some(WP_CONFIG));
    assert_eq!(world.mysql("").tls, None);
    let tls = world.mysql("databases: [{type: mysql, host: 'db:3306', tls: {}}]").tls.unwrap();
    assert!(tls.verify && tls.ca.is_none());
    let files = "{ca: /a.pem, cert: /b.pem, key: /c.pem, verify: false}";
    let tls = world
        .mysql(&format!("databases: [{{type: mysql, name: x, user: y, host: db, tls: {files}}}]"))
        .tls
        .unwrap();
    assert_eq!(
        (tls.ca, tls.cert, tls.key),
        (Some("/a.pem".into()), Some("/b.pem".into()), Some("/c.pem".into()))
    );
    assert!(!tls.verify);
}

#[test]
fn an_entry_without_a_user_takes_from_the_site_what_it_leaves_out() {
    let world = World::new(Some(WP_CONFIG));
    let spec = world.mysql("databases: [{type: mysql, name: other}]");
    assert_eq!((spec.schema.as_str(), spec.user.as_str(), password(&spec)), ("other", "web", Some("pw")));
    let spec = world.mysql("databases: [{type: mysql, password: other, host: 'db:3307'}]");
    assert_eq!((spec.schema.as_str(), password(&spec)), ("shop", Some("other")));
    assert_eq!(spec.address, MysqlAddress::Tcp { host: "db".into(), port: 3307 });
}

#[test]
fn an_entry_with_a_user_stands_for_itself() {
    let world = World::new(Some("<?php define('DB_PASSWORD', getenv('X'));"));
    let spec = world.mysql("databases: [{type: mysql, name: shop, user: root}]");
    assert_eq!((spec.schema.as_str(), spec.user.as_str(), password(&spec)), ("shop", "root", None));
    assert_eq!(spec.address, MysqlAddress::DefaultSocket);
}

#[test]
fn what_the_site_does_not_say_can_be_said_here() {
    let world = World::new(Some(&WP_CONFIG.replace("'pw'", "getenv('PW')")));
    let error = world.job("", "").unwrap_err();
    assert!(
        error.to_string().contains("wp-config.php:1: DB_PASSWORD comes from the function getenv()"),
        "{error}"
    );
    assert_eq!(error.remedy(), Some("say it in the configuration, as databases[0].password"));
    let spec = world.mysql("databases: [{type: mysql, password: said-here}]");
    assert_eq!((spec.user.as_str(), password(&spec)), ("web", Some("said-here")));
}

#[test]
fn a_site_without_known_databases_must_say_so() {
    let world = World::new(None);
    let error = world.job("", "").unwrap_err();
    assert!(error.to_string().contains("cannot tell which databases belong to the site"), "{error}");
    assert!(world.job("", "databases: []").unwrap().databases.is_empty());
    assert!(world.job("type: generic", "").unwrap().databases.is_empty());
    assert!(world.job("type: wordpress", "").unwrap_err().to_string().contains("there is no WordPress"));
    let error = world.job("", "databases: [{type: mysql, name: shop}]").unwrap_err();
    assert!(error.to_string().contains("databases[0] leaves out the user"), "{error}");
}

#[test]
fn the_repository_can_be_looked_at_without_the_site() {
    let world = World::new(None);
    let config = world.config("", "");
    fs::remove_dir(world.home.path().join("root")).unwrap();
    assert!(config.job().unwrap_err().to_string().contains("find the site"));
    let job = config.job_without_databases().unwrap();
    assert_eq!(job.site.root, world.home.path().join("root"));

    let fetched = world.home.path().join("fetched");
    fs::create_dir(&fetched).unwrap();
    fs::write(fetched.join("wp-config.php"), WP_CONFIG).unwrap();
    assert_eq!(config.databases(&fetched).unwrap().len(), 1, "the login comes out of the fetched files");
}

#[test]
fn defaults_and_paths() {
    let world = World::new(None);
    std::os::unix::fs::symlink(world.root(), world.home.path().join("link")).unwrap();
    let exclude = write(&world.home.path().join("exclude"), "# comment\n\n/cache/\n*.tmp\n", 0o644);
    let site = format!("type: generic, exclude: ['*.log'], exclude_file: {}", exclude.display());
    let rest = "hooks: {always: [{command: [/bin/true, x]}]}\nretention: {last: 3}\nzone: Europe/Berlin\nschedule: daily";
    let job = world.job(&site, rest).unwrap();
    assert_eq!(job.site.name, "shop");
    assert_eq!(job.site.root, world.root());
    assert_eq!(job.site.exclude, ["*.log", "/cache/", "*.tmp"]);
    assert_eq!(job.repo.path, PathBuf::from("shop"));
    assert_eq!(job.repo.key_file, world.home.path().join("state/shop/master.key"));
    assert_eq!(job.state, world.home.path().join("state/shop"));
    assert_eq!(job.retention.last, Some(3));
    assert_eq!(job.zone.iana_name(), Some("Europe/Berlin"));
    assert_eq!((job.hooks[0].point.as_str(), job.hooks[0].timeout.as_secs()), ("always", 600));

    fs::write(&exclude, "ok\n{bad\n").unwrap();
    assert!(world.job(&site, rest).unwrap_err().to_string().contains("line 2 is not a pattern"));
}

#[test]
fn a_link_into_the_site_is_no_storage() {
    let world = World::new(None);
    std::os::unix::fs::symlink(world.root(), world.home.path().join("backup")).unwrap();
    assert!(world.job("type: generic", "").unwrap_err().to_string().contains("leads into the site"));
}

#[test]
fn an_nfs_storage_is_understood() {
    let home = TempDir::new().unwrap();
    let config = config::load(&write(&home.path().join("shop.yaml"), config::example(), 0o600)).unwrap();
    fs::write(home.path().join("key"), "").unwrap();
    let mut config = config;
    config.repository.key_file = home.path().join("key");
    config.site.exclude_file = None;
    let job = config.job_without_databases().unwrap();
    let expected = NfsSpec {
        server: "10.0.0.5".into(),
        export: "/data".into(),
        mountpoint: "/mnt/lifeboat".into(),
        options: Some("vers=4.2,timeo=30".into()),
        mode: MountMode::OnDemand,
    };
    assert_eq!(job.storage, StorageSpec::Nfs(expected));
}

#[test]
fn who_is_told_needs_no_secret_before_something_is_sent() {
    let world = World::new(None);
    let rest = "notify: {mail: {to: [a@example.com], from: b@example.com, server: mail.example.com, user: u, \
                password: {file: /not/there}}, webhooks: [{url: {env: NOT_THERE}}, {url: {env: NOT_THERE}}], \
                ping: {url: {file: /not/there}}, alerts: {no_success_for: 26h, storage_free_below: 2.5%}}";
    let spec = world.config("", rest).notify_spec("/etc/lifeboat/shop.yaml".as_ref()).unwrap();
    let names: Vec<_> = spec.channels.iter().map(|channel| channel.name.as_str()).collect();
    assert_eq!(names, ["mail", "webhook-1", "webhook-2", "ping"]);
    let Means::Mail(mail) = &spec.channels[0].means else { panic!("{spec:?}") };
    assert_eq!((mail.port, mail.encryption), (587, Encryption::Starttls));
    assert_eq!(spec.channels[0].on, Word::USUAL);
    assert_eq!((spec.channels[0].runs.len(), &spec.channels[3].runs[..]), (6, &[RunKind::Backup][..]));
    let ends = [Word::Success, Word::Incomplete, Word::Failed, Word::Cancelled, Word::Crashed];
    assert_eq!(spec.channels[3].on, ends);
    assert_eq!(spec.alerts.no_success_for.map(|time| time.as_secs()), Some(26 * 3600));
    assert_eq!(spec.alerts.storage_free_below, Some(2.5));
    for (way, port) in [("tls", 465), ("none", 25)] {
        let rest = format!(
            "notify: {{mail: {{to: [a@example.com], from: b@example.com, server: m, encryption: {way}}}}}"
        );
        let spec = world.config("", &rest).notify_spec("/c".as_ref()).unwrap();
        let Means::Mail(mail) = &spec.channels[0].means else { panic!("{spec:?}") };
        assert_eq!(mail.port, port);
    }
    let local = "notify: {mail: {to: [a@example.com], from: b@example.com, server: 127.0.0.1, encryption: none, user: u, \
                 password: p}}";
    assert_eq!(world.config("", local).notify_spec("/c".as_ref()).unwrap().channels.len(), 1);
    assert!(world.config("", "").notify_spec("/c".as_ref()).unwrap().channels.is_empty());
}

#[test]
fn the_notifications_in_the_readme_are_accepted() {
    let readme = include_str!("../../../README.md");
    let section = readme.split("## Notifications").nth(1).unwrap();
    let example = section.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let spec = World::new(None).config("", example).notify_spec("/c".as_ref()).unwrap();
    assert_eq!(spec.channels.len(), 5);
    assert!(spec.alerts.repeat.is_some());
}
