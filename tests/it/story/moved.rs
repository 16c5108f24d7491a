//! A site restored into another one: it keeps its own configuration and database, and takes another name.

use std::fs;
use std::process::Command;

use super::wordpress::{Site, rows};
use crate::world::{Ran, World, assert_same, fingerprint};

/// Values as plugins keep them: nested, objects, serialised twice, JSON, names that only look alike.
const FILL: &str = r#"
    class Lab_Cart { public $url = 'https://example.test/cart'; protected $deep = ['a' => ['http://example.test/x', 5, null, true, 1.5]]; private $own = 'äöü http://example.test'; }
    update_option('siteurl', 'http://example.test'); update_option('home', 'http://example.test');
    update_option('lab_nested', ['home' => 'http://example.test/', 'mail' => 'info@example.test', 'other' => 'http://example.test.evil.org/', 'http://example.test' => 'a key stays', 'n' => 42]);
    update_option('lab_object', new Lab_Cart());
    update_option('lab_twice', ['inner' => serialize(['u' => 'http://example.test/äöü'])]);
    update_option('lab_json', json_encode(['u' => 'https://example.test/a/b']));
    update_option('lab_plain', 'see http://EXAMPLE.test/page and https://www.example.test/');
    global $wpdb;
    $wpdb->query("UPDATE {$wpdb->posts} SET post_content='<a href=\"http://example.test/p\">x</a>', guid='http://example.test/?p=9', post_modified='2020-01-02 03:04:05' WHERE ID=9");
    $wpdb->query("CREATE TABLE wp_woocommerce_sessions (session_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, session_key char(32) NOT NULL, session_value longtext NOT NULL, session_expiry BIGINT UNSIGNED NOT NULL, PRIMARY KEY (session_id), UNIQUE KEY session_key (session_key))");
    $wpdb->insert('wp_woocommerce_sessions', ['session_key' => 'k', 'session_value' => serialize(['cart' => serialize(['p' => ['url' => 'http://example.test/product/1']])]), 'session_expiry' => 1]);
    $wpdb->query("CREATE TABLE wp_actionscheduler_actions (action_id bigint(20) unsigned NOT NULL auto_increment, hook varchar(191) NOT NULL, args varchar(191), extended_args varchar(8000) DEFAULT NULL, touched TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, PRIMARY KEY (action_id))");
    $wpdb->query("INSERT INTO wp_actionscheduler_actions VALUES (1,'h','[\"http:\\\\/\\\\/example.test\\\\/hook\"]',NULL,'2020-01-01 00:00:00')");
    $wpdb->query("CREATE TABLE wp_redirection_logs (url mediumtext NOT NULL, agent mediumtext) ENGINE=MyISAM CHARACTER SET latin1");
    $wpdb->query("INSERT INTO wp_redirection_logs VALUES ('http://example.test/old', 'Mozilla'), ('http://example.test/old', NULL), ('/x', '//example.test')");
    $wpdb->query("CREATE TABLE wp_lab_keys (k VARCHAR(50) CHARACTER SET latin1 COLLATE latin1_german1_ci, b VARBINARY(20), v BLOB, PRIMARY KEY (k, b))");
    $wpdb->query("INSERT INTO wp_lab_keys VALUES ('straße', 'x\\0y', '//example.test/1'), ('O''Neil\\\\', '', '//example.test/2')");
    echo 'FILLED';
"#;

/// What the moved site itself reads.
const READ: &str = r#"
    class Lab_Cart { public $url; protected $deep; private $own; function all() { return [$this->url, $this->deep, $this->own]; } }
    global $wpdb;
    $session = unserialize(unserialize($wpdb->get_var("SELECT session_value FROM wp_woocommerce_sessions"))['cart']);
    $read = [get_option('siteurl'), get_option('home'), get_option('lab_nested'), get_option('lab_object')->all(), unserialize(get_option('lab_twice')['inner']),
        json_decode(get_option('lab_json'), true), get_option('lab_plain'), $wpdb->get_row("SELECT post_content, guid, post_modified FROM wp_posts WHERE ID=9", ARRAY_N),
        $session, $wpdb->get_row("SELECT args, touched FROM wp_actionscheduler_actions", ARRAY_N), $wpdb->get_col("SELECT CONCAT_WS('|', url, agent) FROM wp_redirection_logs ORDER BY 1"),
        $wpdb->get_col("SELECT v FROM wp_lab_keys ORDER BY 1"), DB_NAME];
    echo json_encode($read, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
"#;

fn php(world: &World, script: &str) -> String {
    let script = format!(
        "$_SERVER['HTTP_HOST']='x'; $_SERVER['REQUEST_URI']='/'; require '{}/wp-load.php'; {script}",
        world.root.display()
    );
    Ran::of(&Command::new("php").args(["-d", "display_errors=stderr", "-r", &script]).output().unwrap())
        .expect(0)
        .out
}

/// A second site with a configuration and a file of its own.
fn target(site: &Site) -> World {
    site.server.sql("", "CREATE DATABASE staging; CREATE TABLE staging.before_it (id INT, x INT); INSERT INTO staging.before_it VALUES (7, 8)");
    let target = World::new("");
    let config = fs::read_to_string(site.world.root.join("wp-config.php")).unwrap();
    target.write("wp-config.php", config.replace("'DB_NAME', 'shop'", "'DB_NAME', 'staging'"));
    target.write("wp-settings.php", "<?php");
    target.write("robots.txt", "Disallow: /");
    target.write("page", "of the target");
    target.init();
    target
}

#[test]
fn a_site_moves_to_another_name_and_keeps_its_serialised_values() {
    let site = Site::install(None);
    assert!(php(&site.world, FILL).contains("FILLED"));
    site.world.init();
    site.world.backup();
    let (source_files, source_rows) = (fingerprint(&site.world.root), site.rows());
    let target = target(&site);
    let (before_files, before_rows) = (fingerprint(&target.root), rows(&site.server, "staging"));
    let config = fs::read(target.root.join("wp-config.php")).unwrap();
    let into = target.path("lifeboat.yaml").display().to_string();
    let command = |more: &[&str]| {
        let fixed =
            ["restore", "--at", "latest", "--into", &into, "--remap", "example.test=staging.test:8080/copy"];
        site.world.run(&[&fixed, more].concat())
    };
    let told = command(&["--dry-run"]).expect(0).out;
    assert!(told.contains("staging"), "{told}");
    let done = command(&["--keep", "robots.txt", "--yes"]).expect(0);
    assert!(done.err.contains("the site's name was changed in"), "{}", done.err);

    let new = "staging.test:8080/copy";
    let expected = serde_json::json!([
        format!("http://{new}"), format!("http://{new}"),
        {"home": format!("http://{new}/"), "mail": "info@example.test", "other": "http://example.test.evil.org/", "http://example.test": "a key stays", "n": 42},
        [format!("https://{new}/cart"), {"a": [format!("http://{new}/x"), 5, null, true, 1.5]}, format!("äöü http://{new}")],
        {"u": format!("http://{new}/äöü")},
        {"u": format!("https://{new}/a/b")},
        format!("see http://{new}/page and https://www.example.test/"),
        [format!("<a href=\"http://{new}/p\">x</a>"), "http://example.test/?p=9", "2020-01-02 03:04:05"],
        {"p": {"url": format!("http://{new}/product/1")}},
        [r#"["http:\/\/staging.test:8080\/copy\/hook"]"#, "2020-01-01 00:00:00"],
        [format!("/x|//{new}"), format!("http://{new}/old"), format!("http://{new}/old|Mozilla")],
        [format!("//{new}/1"), format!("//{new}/2")],
        "staging"
    ]);
    let read: serde_json::Value = serde_json::from_str(&php(&target, READ)).unwrap();
    assert_eq!(read, expected, "{read:#}");
    assert_eq!(fs::read(target.root.join("wp-config.php")).unwrap(), config, "its own");
    assert_eq!(fs::read_to_string(target.root.join("robots.txt")).unwrap(), "Disallow: /");
    assert!(!target.root.join("page").exists());
    // The first site is what it was.
    assert_same(&source_files, &fingerprint(&site.world.root));
    assert_eq!(source_rows, site.rows());

    target.run(&["restore", "--undo", "--yes"]).expect(0);
    assert_same(&before_files, &fingerprint(&target.root));
    assert_eq!(before_rows, rows(&site.server, "staging"));
}

#[test]
fn what_could_harm_the_first_site_is_refused_before_anything_changes() {
    let site = Site::install(None);
    site.slim();
    site.world.init();
    site.world.backup();
    let target = target(&site);
    let into = target.path("lifeboat.yaml").display().to_string();
    let own = fs::read_to_string(target.root.join("wp-config.php")).unwrap();
    let refused = |why: &str| {
        let before = (fingerprint(&target.root), site.server.schemas(), site.rows());
        let ran = site.world.run(&["restore", "--at", "latest", "--into", &into, "--yes"]);
        assert!(ran.code != 0 && ran.err.contains(why), "{why}: {} {}", ran.code, ran.err);
        let after = (fingerprint(&target.root), site.server.schemas(), site.rows());
        assert_same(&before.0, &after.0);
        assert_eq!((before.1, before.2), (after.1, after.2), "{why}");
    };
    // Another configuration than the site's own names the database.
    let socket = site.server.socket().display().to_string();
    let databases = |name: &str| {
        format!("databases: [{{type: mysql, name: {name}, host: \"localhost:{socket}\", user: root}}]")
    };
    target.configure(&databases("staging"), None, "");
    target.write("wp-config.php", own.replace("'DB_NAME', 'staging'", "'DB_NAME', 'shop'"));
    refused("which the target's configuration does not");
    fs::remove_file(target.root.join("wp-config.php")).unwrap();
    refused("leads to the first site's database");
    target.write("wp-config.php", own.replace("'wp_'", "'other_'"));
    refused("the tables of the saved site begin with");
    target.configure("databases: []", None, "");
    target.write("wp-config.php", &own);
    refused("does not");
    // Of other programs too: their secrets are in another file.
    site.world.write(".env", "DB_PASSWORD=first");
    site.world.backup();
    target.configure(&databases("staging"), None, "");
    refused(".env is not there, and the one in the snapshot leads to the first site's database");
    let same = site.world.path("lifeboat.yaml").display().to_string();
    site.world.run(&["restore", "--at", "latest", "--into", &same, "--yes"]).expect(2);
    for wrong in ["nonsense", "http://a=http://b"] {
        site.world.run(&["restore", "--at", "latest", "--into", &into, "--remap", wrong, "--yes"]).expect(2);
    }
}
