//! `WordPress` in a directory: found where `WordPress` itself would find it, and honest about what cannot be read.

use std::fs;
use std::path::Path;

use lifeboat::error::Kind as ErrorKind;
use lifeboat::site::{DbHost, Kind, WordPress, recognise};
use tempfile::TempDir;

const SAMPLE: &str = r#"<?php
/** The name of the database for WordPress */
define( 'DB_NAME', 'shop' );
define( "DB_USER", "shop_user" );
define('DB_PASSWORD', 'p\'a"$s\\s; # /* not a comment');
define('DB_HOST', '127.0.0.1' . ':' . 3307);
define('DB_CHARSET', 'utf8mb4');
$table_prefix = 'wp7_';
if ( ! defined( 'ABSPATH' ) ) {
    define( 'ABSPATH', __DIR__ . '/' );
}
require_once ABSPATH . 'wp-settings.php';
"#;

fn wordpress(root: &Path) -> WordPress {
    match recognise(root).unwrap() {
        Kind::WordPress(wordpress) => wordpress,
        Kind::Generic => panic!("not recognised"),
    }
}

#[test]
fn a_usual_site_is_read() {
    let root = TempDir::new().unwrap();
    fs::write(root.path().join("wp-config.php"), SAMPLE).unwrap();
    let site = wordpress(root.path());
    assert_eq!(site.name().unwrap(), "shop");
    assert_eq!(site.user().unwrap(), "shop_user");
    assert_eq!(site.password().unwrap().unwrap().reveal(), "p'a\"$s\\s; # /* not a comment");
    assert_eq!(site.host().unwrap(), DbHost::Tcp { host: "127.0.0.1".into(), port: 3307 });
    assert_eq!(site.charset().as_deref(), Some("utf8mb4"));
    assert_eq!(site.prefix().as_deref(), Some("wp7_"));
    assert!(!format!("{site:?}").contains("$s"));
}

#[test]
fn the_configuration_may_lie_one_level_above() {
    let above = TempDir::new().unwrap();
    let root = above.path().join("ROOT");
    fs::create_dir(&root).unwrap();
    fs::write(above.path().join("wp-config.php"), SAMPLE).unwrap();
    assert!(matches!(recognise(&root).unwrap(), Kind::Generic), "nothing of WordPress is in the root itself");

    fs::write(root.join("wp-settings.php"), "<?php").unwrap();
    assert_eq!(wordpress(&root).config(), above.path().join("wp-config.php"));

    fs::write(above.path().join("wp-settings.php"), "<?php").unwrap();
    let error = recognise(&root).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "the configuration above belongs to the WordPress above");
    assert!(error.remedy().unwrap().contains("databases"));
}

#[test]
fn an_empty_directory_is_generic() {
    assert!(matches!(recognise(TempDir::new().unwrap().path()).unwrap(), Kind::Generic));
}

#[test]
fn what_cannot_be_read_is_said_with_place_and_key() {
    let root = TempDir::new().unwrap();
    let config = root.path().join("wp-config.php");
    fs::write(&config, SAMPLE.replace(r#"'p\'a"$s\\s; # /* not a comment'"#, "getenv('DB_PASSWORD')"))
        .unwrap();
    let site = wordpress(root.path());
    let error = site.password().unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot tell the site's database login: {}:5: DB_PASSWORD comes from the function getenv(), \
             and the site's PHP is never executed",
            config.display()
        )
    );
    assert_eq!(error.remedy(), Some("say it in the configuration, as databases[0].password"));
    assert_eq!(site.name().unwrap(), "shop", "the rest is still readable");
}

#[test]
fn a_pipe_or_a_giant_in_place_of_the_configuration_is_refused() {
    let root = TempDir::new().unwrap();
    let config = root.path().join("wp-config.php");
    nix::unistd::mkfifo(&config, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(recognise(root.path()).unwrap_err().to_string().contains("not a regular file"));
    fs::remove_file(&config).unwrap();
    fs::File::create(&config).unwrap().set_len(1 << 40).unwrap();
    assert!(recognise(root.path()).unwrap_err().to_string().contains("larger than"));
}
