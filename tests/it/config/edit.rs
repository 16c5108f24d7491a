//! A configuration as a document: shown without its secrets, and changed without bringing in programs or secrets.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use lifeboat::config::{self, HIDDEN, Problems, edit};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::write;
use crate::world::World;

const CANARY: &str = "CANARY-pa55";

/// With a secret at every place where one can be written out, and comments.
fn full() -> String {
    format!(
        r#"# The shop.
site: {{name: shop, root: /var/www/shop, exclude: ["***", "*.log"]}}

# Its databases.
databases:
  # The first one.
  - {{type: mysql, name: shop, host: db, user: web, password: "{CANARY} 1"}}
  - {{type: postgresql, name: forum, user: web, password: "{CANARY} 2"}}
  - {{type: mysql, name: stats, user: web, password: {{file: /etc/lifeboat/stats}}}}
storage: {{type: local, path: /backup}}
repository:
  password: {CANARY}-3   # in the safe
notify:
  mail:
    to: [a@example.com]
    from: b@example.com
    server: mail.example.com
    user: u
    password: {CANARY}-4
  webhooks:
    - {{name: chat, url: "https://example.com/{CANARY}-5"}}
    - url: {{file: /etc/lifeboat/url}}
      headers: {{X-Auth: {CANARY}-6, X-Plain: seen, Cookie: {{command: [/bin/cat, /etc/lifeboat/cookie]}}}}
      body: |
        {{"text": {{{{ title | tojson }}}}}}
  ping: {{url: "https://example.com/{CANARY}-7"}}
# Around the dump.
hooks:
  before-dump: [{{command: [/usr/bin/flush], timeout: 30s}}]
state: /var/lib/elsewhere
"#
    )
}

fn accepted(done: Result<zeroize::Zeroizing<String>, Problems>) -> String {
    done.unwrap_or_else(|problems| panic!("{problems}")).to_string()
}

/// Refused, and the keys that the problems name; no secret is told.
#[track_caller]
fn refused(done: Result<zeroize::Zeroizing<String>, Problems>) -> Vec<String> {
    let problems = done.map(drop).expect_err("it was accepted");
    let said = format!("{problems} {}", serde_json::to_string(&problems.list).unwrap());
    assert!(!said.contains(CANARY), "{said}");
    assert!(problems.list.iter().all(|problem| !problem.remedy.is_empty() && problem.line.is_none()));
    problems.list.into_iter().map(|problem| problem.path).collect()
}

fn merge(patch: &Value) -> Result<zeroize::Zeroizing<String>, Problems> {
    edit::merge(full().as_bytes(), patch)
}

fn document(text: &str) -> Value {
    config::document(text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn what_is_written_out_is_hidden_and_nothing_else() {
    let (full, shown) = (document(&full()), config::redacted(full().as_bytes()).unwrap());
    assert!(!shown.to_string().contains(CANARY), "{shown:#}");
    let mut expected = full.clone();
    for place in [
        "/databases/0/password",
        "/databases/1/password",
        "/repository/password",
        "/notify/mail/password",
        "/notify/webhooks/0/url",
        "/notify/webhooks/1/headers/X-Auth",
        "/notify/ping/url",
    ] {
        let secret = expected.pointer_mut(place).unwrap();
        assert!(secret.as_str().unwrap().contains(CANARY), "{place}");
        *secret = HIDDEN.into();
    }
    assert_eq!(shown, expected);
    assert_eq!(shown["notify"]["webhooks"][1]["headers"]["Cookie"]["command"][0], "/bin/cat");
    let yaml = config::shown(super::edit::full().as_bytes()).unwrap();
    assert!(!yaml.contains(CANARY) && yaml.starts_with("site:\n  name: shop\n"), "{}", yaml.as_str());
    let broken = super::edit::full().replace("repository:", "repositry:");
    let said = format!("{:?}", config::redacted(broken.as_bytes()).unwrap_err());
    assert!(said.contains("repositry") && !said.contains(CANARY), "{said}");
}

#[test]
fn the_example_is_a_document_that_can_be_put_back() {
    let example = config::example().as_bytes();
    let shown = config::redacted(example).unwrap();
    assert_eq!(shown, config::document(example).unwrap());
    assert_eq!(accepted(edit::replace(Some(example), &shown)), config::example());
    let mut new = shown;
    new.as_object_mut().unwrap().remove("hooks");
    new.as_object_mut().unwrap().remove("quiesce");
    let said = edit::replace(None, &new).unwrap_err().to_string();
    assert!(said.contains("databases[4].command is a program that the agent would run"), "{said}");
    new["databases"].as_array_mut().unwrap().pop();
    let text = accepted(edit::replace(None, &new));
    assert_eq!(document(&text), new);
    assert!(text.starts_with("enabled: true\nsite:\n  name: shop\n"), "{text}");
}

#[test]
fn a_change_leaves_everything_else_as_it_was() {
    let text = accepted(merge(
        &json!({"enabled": false, "notify": {"mail": {"server": "mx.example.com"}, "ping": null}}),
    ));
    let (before, mut after) = (document(&full()), document(&text));
    assert_eq!(
        (&after["enabled"], &after["notify"]["mail"]["server"]),
        (&json!(false), &json!("mx.example.com"))
    );
    assert!(after["notify"].get("ping").is_none());
    after.as_object_mut().unwrap().remove("enabled");
    after["notify"]["mail"]["server"] = "mail.example.com".into();
    after["notify"]["ping"] = before["notify"]["ping"].clone();
    assert_eq!(after, before);
    // What is not touched keeps its comments.
    for comment in
        ["# The shop.\nsite: {name", "# The first one.", "# in the safe", "# Around the dump.\nhooks:"]
    {
        assert!(text.contains(comment), "{comment}\n{text}");
    }
    assert!(text.ends_with("enabled: false\n"), "{text}");
}

#[test]
fn a_list_keeps_the_secrets_of_what_stays_in_it() {
    let shown = config::redacted(full().as_bytes()).unwrap();
    let databases = shown["databases"].as_array().unwrap();
    let (shop, forum, stats) = (&databases[0], &databases[1], &databases[2]);
    let of = |list: Value| document(&accepted(merge(&json!({"databases": list}))))["databases"].clone();
    let secret = |number: u32| json!(format!("{CANARY} {number}"));
    // In another order, with others gone, with one changed, with one more.
    let moved = of(json!([stats, forum, shop]));
    assert_eq!((&moved[2]["password"], &moved[1]["password"]), (&secret(1), &secret(2)));
    assert_eq!(of(json!([forum]))[0]["password"], secret(2));
    let mut other = forum.clone();
    other["host"] = "elsewhere".into();
    assert_eq!(of(json!([other]))[0]["password"], secret(2));
    let mut renamed = shop.clone();
    renamed["name"] = "shop2".into();
    assert_eq!(of(json!([renamed, forum, stats]))[0]["password"], secret(1));
    let more = of(json!([{"type": "sqlite", "path": "/x"}, shop, forum, stats]));
    assert_eq!((&more[1]["password"], &more[2]["password"]), (&secret(1), &secret(2)));
    // Left out, it is kept too.
    assert_eq!(of(json!([{"type": "postgresql", "name": "forum", "user": "x"}]))[0]["password"], secret(2));

    let refused = |list: Value| refused(merge(&json!({"databases": list})));
    // A secret belongs to one thing, and not to whoever takes its place.
    assert_eq!(refused(json!([renamed])), ["databases[0].password"]);
    assert_eq!(refused(json!([shop, shop])), ["databases[1].password"]);
    let mysql = json!({"type": "mysql", "name": "forum", "user": "web", "password": HIDDEN});
    assert_eq!(refused(json!([shop, mysql, stats])), ["databases[1].password"]);
    let mut literal = stats.clone();
    literal["password"] = HIDDEN.into();
    assert_eq!(refused(json!([shop, forum, literal])), ["databases[2].password"]);
}

#[test]
fn two_webhooks_that_differ_in_their_secrets_alone_are_not_mistaken() {
    let base = "site: {name: shop, root: /var/www/shop}\nstorage: {type: local, path: /backup}\nrepository: {password: {file: /p}}\n";
    let old = format!(
        "{base}notify: {{webhooks: [{{url: 'https://example.com/1'}}, {{url: 'https://example.com/2'}}]}}\n"
    );
    let hooks = |list: Value| edit::merge(old.as_bytes(), &json!({"notify": {"webhooks": list}}));
    assert_eq!(accepted(hooks(json!([{"url": HIDDEN}, {"url": HIDDEN}]))), old);
    assert_eq!(refused(hooks(json!([{"url": HIDDEN}]))), ["notify.webhooks[0].url"]);
    assert_eq!(accepted(hooks(json!([]))), format!("{base}notify:\n  webhooks: []\n"));
}

#[test]
fn neither_programs_nor_secrets_come_in_this_way() {
    let program = json!({"command": ["/bin/sh", "-c", "id"]});
    for (patch, keys) in [
        (json!({"hooks": {"always": [program]}}), vec!["hooks.always"]),
        (json!({"hooks": {"before-dump": [program]}}), vec!["hooks.before-dump"]),
        (json!({"hooks": {"before-dump": []}}), vec!["hooks.before-dump"]),
        (json!({"hooks": {"before-dump": null}}), vec!["hooks.before-dump"]),
        (json!({"hooks": null}), vec!["hooks"]),
        (json!({"hooks": []}), vec!["hooks.before-dump", "hooks"]),
        (json!({"repository": {"password": program}}), vec!["repository.password"]),
        (json!({"repository": {"password": "guessed"}}), vec!["repository.password"]),
        (json!({"repository": {"password": {"file": "/mine"}}}), vec!["repository.password"]),
        (json!({"repository": {"password": null}}), vec!["repository.password"]),
        (json!({"notify": {"mail": {"password": program}}}), vec!["notify.mail.password"]),
        (json!({"notify": {"ping": {"url": "https://evil.example"}}}), vec!["notify.ping.url"]),
        (
            json!({"databases": [{"type": "mysql", "name": "stats", "user": "web", "password": program}]}),
            vec!["databases[0].password"],
        ),
        (
            json!({"databases": [{"type": "mysql", "name": "stats", "user": "web", "password": "mine"}]}),
            vec!["databases[0].password"],
        ),
        (
            json!({"notify": {"webhooks": [{"url": {"file": "/u"}, "headers": {"Cookie": {"command": ["/bin/cat", "/etc/shadow"]}}}]}}),
            vec!["notify.webhooks[0].headers.Cookie"],
        ),
        (
            json!({"notify": {"webhooks": [{"url": {"file": "/u"}, "headers": {"X-Key": "k"}}]}}),
            vec!["notify.webhooks[0].headers.X-Key"],
        ),
        (json!({"site": {"name": "other"}}), vec!["site.name"]),
        (json!({"state": "/tmp"}), vec!["state"]),
        (json!({"state": null}), vec!["state"]),
        (json!({"zone": HIDDEN}), vec!["zone"]),
        (
            json!({"site": {"exclude": ["a", HIDDEN, {"x": HIDDEN}]}}),
            vec!["site.exclude[2].x", "site.exclude[2]"],
        ),
        (json!({"notify": {"mail": {"user": HIDDEN}}}), vec!["notify.mail.user"]),
        (json!(HIDDEN), vec![""]),
        (json!(null), vec![""]),
        (json!([]), vec![""]),
    ] {
        assert_eq!(refused(merge(&patch)), keys, "{patch}");
    }
    // Everything at once, with what is wrong besides.
    let many =
        json!({"hooks": {"always": [program]}, "site": {"name": "x"}, "zone": "Nowhere", "nonsense": 1});
    let keys = refused(merge(&many));
    for key in ["hooks.always", "zone", "nonsense"] {
        assert!(keys.iter().any(|known| known == key), "{key}: {keys:?}");
    }

    let new = |more: Value| {
        let mut new = json!({
            "site": {"name": "new", "root": "/var/www/new"}, "storage": {"type": "local", "path": "/backup"},
            "repository": {"password": {"file": "/etc/lifeboat/password"}},
        });
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        edit::replace(None, &new)
    };
    assert_eq!(document(&accepted(new(json!({}))))["site"]["name"], "new");
    assert_eq!(refused(new(json!({"hooks": {"always": [program]}}))), ["hooks.always"]);
    for secret in [json!("written out"), json!(HIDDEN), program] {
        assert_eq!(refused(new(json!({"repository": {"password": secret}}))), ["repository.password"]);
    }
}

/// Whoever puts a whole document need not know of hooks and secrets.
#[test]
fn what_a_new_document_leaves_out_of_them_is_kept() {
    let mut new = config::redacted(full().as_bytes()).unwrap();
    let map = new.as_object_mut().unwrap();
    map.remove("hooks");
    map.remove("state");
    map["repository"].as_object_mut().unwrap().remove("password");
    map["notify"]["ping"].as_object_mut().unwrap().remove("url");
    map["notify"]["webhooks"][1]["headers"].as_object_mut().unwrap().remove("Cookie");
    map.insert("retention".to_owned(), json!({"last": 7.0}));
    let after = document(&accepted(edit::replace(Some(full().as_bytes()), &new)));
    let mut expected = document(&full());
    expected["retention"] = json!({"last": 7});
    assert_eq!(after, expected);
}

#[test]
fn hostile_documents_are_refused_within_bounds() {
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!({"x": deep});
    }
    let many: Value = (0..20_000).map(|number| json!(number)).collect();
    let flood: Value = (0..1000).map(|number| (format!("key{number}\u{7}\n"), json!(HIDDEN))).collect();
    for patch in [
        json!({"site": deep}),
        json!({"site": {"exclude": many}}),
        json!({"site": {"exclude": ["x".repeat(2 << 20)]}}),
        json!({"site": {"root": "/a\nhooks:\n  always: [{command: [/bin/id]}]"}}),
        json!({"x\nhooks:\n  always": [{"command": ["/bin/id"]}]}),
        json!({"<<": {"hooks": {"always": [{"command": ["/bin/id"]}]}}}),
        json!({"zone": "&a !!binary |"}),
        json!({"limits": {"nice": 1e300}}),
        flood,
    ] {
        let problems = merge(&patch).map(drop).expect_err("accepted");
        let said = problems.to_string();
        assert!(said.len() < 20_000 && problems.list.len() <= 20 && !said.contains('\u{7}'), "{said}");
    }
    // What looks like YAML is a text.
    for text in [
        "*a",
        "&a b",
        "!tag",
        "- a",
        "{a: b}",
        "# no",
        "yes",
        "0x10",
        "1e3",
        "null",
        "~",
        "a: b",
        "'\"",
        "a #b",
        "2026-12-01",
    ] {
        let after = document(&accepted(merge(&json!({"site": {"exclude": [text]}}))));
        assert_eq!(after["site"]["exclude"][0], text);
    }
}

/// The reader is still asked: what it says of a whole file holds for a change too.
#[test]
fn mistakes_are_those_of_the_file() {
    let keys =
        refused(merge(&json!({"schedule": {"backup": "sometimes"}, "limits": {"nice": 99}, "stroage": {}})));
    assert_eq!(keys, ["schedule.backup", "limits.nice", "stroage"]);
    let broken = edit::merge(b"site: {name: shop}\n", &json!({"enabled": false})).unwrap_err();
    assert!(broken.to_string().starts_with("the present configuration has "), "{broken}");
    assert!(edit::merge(b"\xff", &json!({})).is_err());
}

#[test]
fn a_configuration_is_written_in_one_step_and_the_former_one_kept() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("shop.yaml");
    let former = home.path().join("shop.yaml.former");
    config::write(&file, b"first").unwrap();
    assert!(!former.exists());
    write(&file, "second", 0o644);
    config::write(&file, b"third").unwrap();
    let read = |path| (fs::read_to_string(path).unwrap(), fs::metadata(path).unwrap().mode() & 0o7777);
    assert_eq!((read(&file), read(&former)), (("third".into(), 0o600), ("second".into(), 0o600)));
    config::write(&file, b"third").unwrap();
    assert_eq!(read(&former).0, "second", "the same once more is no change");
    let link = home.path().join("link.yaml");
    symlink(&file, &link).unwrap();
    assert!(config::write(&link, b"x").unwrap_err().to_string().contains("is a link"));
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 3, "nothing else is left");
}

#[test]
fn show_prints_no_secret() {
    let world = World::new("databases: []");
    let file = world.path("lifeboat.yaml");
    let text = full().replace("# The shop.", &format!("# {CANARY} in a comment"));
    write(&file, &text, 0o600);
    let ran = world.run(&["config", "show"]).expect(0);
    assert!(!ran.out.contains(CANARY) && ran.out.contains("password: '***'"), "{}", ran.out);
    let shown = world.json(0, &["config", "show"]);
    assert_eq!(shown["result"], config::redacted(text.as_bytes()).unwrap());
    assert!(!shown.to_string().contains(CANARY));
    write(&file, &text.replace("storage:", "stroage:"), 0o600);
    let ran = world.run(&["--json", "config", "show"]).expect(2);
    assert!(ran.out.contains("did you mean storage?") && !ran.out.contains(CANARY), "{}", ran.out);
}

/// Texts as people, programs and attackers write them.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{1,12}",
        "\\PC{1,8}",
        prop::sample::select(vec![
            "***", "yes", "0x1F", "null", "~", "- a", "a: b", "#x", "'", "\"", "1e5", " ", "|", ">", "%"
        ])
        .prop_map(str::to_owned),
    ]
}

fn plain_text() -> impl Strategy<Value = String> {
    any_text().prop_filter("a text of the configuration", |text| {
        !text.trim().is_empty() && !text.chars().any(char::is_control)
    })
}

fn secret() -> impl Strategy<Value = Value> {
    prop_oneof![
        plain_text().prop_map(|text| json!(format!("{CANARY}{text}"))),
        Just(json!(HIDDEN)),
        Just(json!({"file": "/etc/lifeboat/secret"})),
        plain_text().prop_map(|text| json!({"command": ["/bin/echo", text]})),
    ]
}

fn any_document() -> impl Strategy<Value = Value> {
    let database = (secret(), plain_text(), any::<bool>()).prop_map(|(password, name, named)| {
        let mut database = json!({"type": "mysql", "user": "u", "name": name, "password": password});
        if !named {
            database.as_object_mut().unwrap().remove("name");
            database.as_object_mut().unwrap().remove("user");
        }
        database
    });
    let webhook =
        (secret(), plain_text(), any_text(), any::<bool>()).prop_map(|(auth, plain, body, has_body)| {
            let plain: String = plain.chars().filter(char::is_ascii).chain(['x']).collect();
            let mut webhook = json!({"url": {"file": "/u"}, "headers": {"X-Auth": auth, "X-Plain": plain}});
            if has_body && !body.contains(['{', '#', '%']) {
                webhook["body"] = json!(format!("{body}\n\n  indented\n{body}\n"));
            }
            webhook
        });
    let exclude = prop::collection::vec("[a-z*?. #-]{1,9}", 0..4);
    let parts =
        (prop::collection::vec(database, 0..4), prop::collection::vec(webhook, 0..3), secret(), exclude);
    parts.prop_map(|(databases, webhooks, password, exclude)| {
        json!({
            "site": {"name": "shop", "root": "/var/www/shop", "exclude": exclude},
            "databases": databases, "storage": {"type": "local", "path": "/backup"},
            "repository": {"password": password}, "notify": {"webhooks": webhooks},
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn to_put_back_what_is_shown_changes_nothing(new in any_document(), as_json in any::<bool>()) {
        let old = if as_json { new.to_string() } else { serde_yaml::to_string(&new).unwrap() };
        let Ok(document) = config::document(old.as_bytes()) else { return Err(TestCaseError::reject("no configuration")) };
        prop_assert_eq!(&document, &new);
        let shown = config::redacted(old.as_bytes()).unwrap();
        prop_assert!(!shown.to_string().contains(CANARY));
        prop_assert_eq!(accepted(edit::merge(old.as_bytes(), &shown)), old.clone());
        prop_assert_eq!(accepted(edit::merge(old.as_bytes(), &json!({}))), old.clone());
        prop_assert_eq!(accepted(edit::replace(Some(old.as_bytes()), &shown)), old.clone());
        let changed = accepted(edit::merge(old.as_bytes(), &json!({"enabled": false})));
        let mut expected = document;
        expected["enabled"] = json!(false);
        prop_assert_eq!(config::document(changed.as_bytes()).unwrap(), expected);
    }
}
