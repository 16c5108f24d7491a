//! Each recipe on ten and more ways in which its application can be configured: what it prints, or why it refuses.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use super::{PROGRAM, Site};

/// What it is called, and the files that it has besides those of the application.
type Variant<'a> = (&'a str, &'a [(&'a str, &'a str)]);

/// Runs all variants, writes down what came of them, and has whatever a recipe accepted checked as a configuration.
fn goldens(application: &str, files: &[(&str, &str)], variants: &[Variant<'_>]) {
    let mut golden = String::new();
    for (name, own) in variants {
        let site = Site::with(&[files, own].concat());
        let ran = site.recipe(application, "recognise");
        let code = ran.status.code().unwrap();
        writeln!(golden, "=== {name}: {code}\n{}{}", site.plain(&ran.stdout), site.plain(&ran.stderr))
            .unwrap();
        if code == 0 {
            check(&site, &String::from_utf8(ran.stdout).unwrap(), name);
        }
    }
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(format!("recipe-{application}"), golden);
    });
    // A tree without a file of the application is not its own.
    let stranger = Site::with(&[("index.php", "<?php echo 'hello';")]);
    assert_eq!(stranger.recipe(application, "recognise").status.code(), Some(1), "{application}");
}

fn check(site: &Site, fragment: &str, name: &str) {
    let file = site.path("lifeboat.yaml");
    let fragment =
        fragment.replace("site:\n", &format!("site:\n  name: demo\n  root: {}\n", site.root.display()));
    let rest = format!(
        "storage: {{type: local, path: {}}}\nrepository: {{password: {{env: PATH}}}}\n",
        site.path("storage").display()
    );
    fs::write(&file, format!("{fragment}{rest}")).unwrap();
    let checked = Command::new(PROGRAM).arg("-c").arg(&file).args(["config", "check"]).output().unwrap();
    let said =
        String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{name}: {said}\n{fragment}");
}

#[test]
fn wordpress() {
    // Its settings are Lifeboat's own to read: there is nothing in which the trees could differ.
    let config = "<?php define('DB_NAME', 'wp'); define('DB_USER', 'u'); define('DB_PASSWORD', 'p'); define('DB_HOST', 'h');";
    let files = [("wp-load.php", ""), ("wp-settings.php", ""), ("wp-config.php", config)];
    goldens("wordpress", &files, &[("as it comes", &[])]);
}

#[test]
fn laravel() {
    let cached = "<?php return array (\n  'app' => array ('name' => 'x'),\n  'database' => array (\n    'default' => 'my.sql',\n    'connections' => array (\n      'my.sql' => array (\n        'driver' => 'mysql',\n        'url' => NULL,\n        'host' => 'db',\n        'port' => '3307',\n        'database' => 'shop',\n        'username' => 'u',\n        'password' => 'it\\'s',\n        'unix_socket' => '',\n      ),\n    ),\n  ),\n);\n";
    goldens(
        "laravel",
        &[("artisan", ""), ("bootstrap/app.php", "")],
        &[
            (
                "as it comes",
                &[(
                    ".env",
                    "APP_NAME=Laravel\nDB_CONNECTION=mysql\nDB_HOST=127.0.0.1\nDB_PORT=3306\nDB_DATABASE=laravel\nDB_USERNAME=root\nDB_PASSWORD=\n",
                )],
            ),
            (
                "quotes, comments, export",
                &[(
                    ".env",
                    "export DB_CONNECTION=\"mysql\" # the usual\nDB_HOST='db.example'\nDB_DATABASE=shop#1\nDB_USERNAME=\"us er\"\nDB_PASSWORD='p$a#s \"s'\n",
                )],
            ),
            (
                "references and escapes",
                &[(
                    ".env",
                    "DB_CONNECTION=mariadb\nNAME=shop\nDB_DATABASE=\"${NAME}_live\"\nDB_USERNAME=u\nDB_PASSWORD=\"a\\\"b\\\\c\\$d\"\n",
                )],
            ),
            (
                "socket",
                &[(
                    ".env",
                    "DB_CONNECTION=mysql\nDB_SOCKET='/run/my sql.sock'\nDB_DATABASE=d\nDB_USERNAME=u\nDB_PASSWORD=p\n",
                )],
            ),
            (
                "localhost",
                &[(
                    ".env",
                    "DB_CONNECTION=mysql\nDB_HOST=localhost\nDB_PORT=3307\nDB_DATABASE=d\nDB_USERNAME=u\nDB_PASSWORD=p\n",
                )],
            ),
            (
                "IPv6",
                &[(
                    ".env",
                    "DB_CONNECTION=mysql\nDB_HOST=fd00::5\nDB_DATABASE=d\nDB_USERNAME=u\nDB_PASSWORD=p\n",
                )],
            ),
            (
                "PostgreSQL",
                &[(
                    ".env",
                    "DB_CONNECTION=pgsql\nDB_HOST=pg\nDB_PORT=5433\nDB_DATABASE=d\nDB_USERNAME=u\nDB_PASSWORD=p\n",
                )],
            ),
            ("SQLite as it comes", &[(".env", "DB_CONNECTION=sqlite\n"), ("database/database.sqlite", "")]),
            (
                "SQLite elsewhere, named from somewhere",
                &[(".env", "DB_CONNECTION=sqlite\nDB_DATABASE=data/x.sqlite\n")],
            ),
            ("address", &[(".env", "DB_CONNECTION=mysql\nDB_URL=mysql://us%40er:p%40ss%2Fw@db:3307/shop\n")]),
            (
                "address of old",
                &[(
                    ".env",
                    "DB_CONNECTION=mysql\nDATABASE_URL=\"mysql://u:p@[fd00::5]:3307/shop?charset=utf8\"\n",
                )],
            ),
            (
                "cached configuration rules",
                &[
                    (".env", "DB_CONNECTION=mysql\nDB_DATABASE=wrong\n"),
                    ("bootstrap/cache/config.php", cached),
                ],
            ),
            (
                "a value of the environment",
                &[(".env", "DB_CONNECTION=mysql\nDB_DATABASE=d\nDB_USERNAME=u\nDB_PASSWORD=${SECRET}\n")],
            ),
            ("another kind of database", &[(".env", "DB_CONNECTION=sqlsrv\nDB_DATABASE=d\nDB_USERNAME=u\n")]),
            ("no settings at all", &[]),
            (
                "hostile names",
                &[(
                    ".env",
                    "DB_CONNECTION=mysql\nDB_DATABASE=\"d'\\nstorage: {}\"\nDB_USERNAME=u\nDB_PASSWORD=p\n",
                )],
            ),
            (
                "hostile names without line ends",
                &[(
                    ".env",
                    "DB_CONNECTION=mysql\nDB_DATABASE=\"d': [$(id)] `id` #\"\nDB_USERNAME='*&!%@'\nDB_PASSWORD=p\n",
                )],
            ),
        ],
    );
}

#[test]
fn symfony() {
    goldens(
        "symfony",
        &[("bin/console", ""), ("config/bundles.php", "<?php return [];")],
        &[
            (
                "as it comes",
                &[(
                    ".env",
                    "APP_ENV=dev\nAPP_SECRET=\n###> doctrine/doctrine-bundle ###\n# DATABASE_URL=\"sqlite:///x\"\nDATABASE_URL=\"mysql://app:!ChangeMe!@127.0.0.1:3306/app?serverVersion=8.0.32&charset=utf8mb4\"\n",
                )],
            ),
            (
                "local precedence",
                &[
                    (".env", "APP_ENV=prod\nDATABASE_URL=mysql://a:b@c/d\n"),
                    (".env.local", "DATABASE_URL=mysql://local:p%40ss@db/shop\n"),
                ],
            ),
            (
                "local precedence of the environment",
                &[
                    (".env", "APP_ENV=prod\nDATABASE_URL=mysql://a:b@c/d\n"),
                    (".env.local", "DATABASE_URL=mysql://local:x@db/shop\n"),
                    (".env.prod.local", "DATABASE_URL=mysql://prod:y@db/shop\n"),
                    (".env.dev.local", "DATABASE_URL=mysql://dev:z@db/shop\n"),
                ],
            ),
            (
                "compiled",
                &[
                    (".env", "DATABASE_URL=mysql://a:b@c/d\n"),
                    (
                        ".env.local.php",
                        "<?php\n\nreturn array (\n  'APP_ENV' => 'prod',\n  'DATABASE_URL' => 'mysql://u:it\\'s@db/shop',\n);\n",
                    ),
                ],
            ),
            (
                "parts in variables",
                &[(
                    ".env",
                    "APP_ENV=prod\nDB_USER=u\nDB_PASS='p%24'\nDATABASE_URL=\"mysql://${DB_USER}:$DB_PASS@db:3307/shop\"\n",
                )],
            ),
            (
                "PostgreSQL",
                &[(".env", "DATABASE_URL=\"postgresql://app:pw@127.0.0.1:5433/app?serverVersion=16\"\n")],
            ),
            ("IPv6", &[(".env", "DATABASE_URL='mysql://u:p@[fd00::5]:3307/shop'\n")]),
            (
                "socket",
                &[(".env", "DATABASE_URL='mysql://u:p@localhost/shop?unix_socket=/run/mysqld/x.sock'\n")],
            ),
            ("no password", &[(".env", "DATABASE_URL=mysql://root@localhost/shop\n")]),
            (
                "SQLite in the project",
                &[
                    (".env", "DATABASE_URL=\"sqlite:///%kernel.project_dir%/var/data.db\"\n"),
                    ("var/data.db", ""),
                ],
            ),
            ("SQLite", &[(".env", "DATABASE_URL=\"sqlite:////srv/data.db\"\n")]),
            ("of the environment", &[(".env", "DATABASE_URL=${REAL_URL}\n")]),
            ("a command", &[(".env", "DATABASE_URL=$(cat /run/secrets/url)\n")]),
            ("no database", &[(".env", "APP_ENV=prod\n")]),
            ("no address", &[(".env", "DATABASE_URL='not an address'\n")]),
            ("a hostile environment", &[(".env", "APP_ENV=../../etc\nDATABASE_URL=mysql://a:b@c/d\n")]),
            ("no settings at all", &[]),
        ],
    );
}

#[test]
#[allow(clippy::too_many_lines)] // a table
fn drupal() {
    let of =
        |text: &'static str| -> [(&'static str, &'static str); 1] { [("sites/default/settings.php", text)] };
    goldens(
        "drupal",
        &[("core/lib/Drupal.php", "")],
        &[
            (
                "as its installer writes it",
                &of(
                    "<?php\n/**\n * @code\n * $databases['default']['default'] = ['database' => 'example'];\n */\n$databases = [];\n$settings['hash_salt'] = 'x';\n$databases['default']['default'] = array (\n  'database' => 'drupal',\n  'username' => 'u',\n  'password' => 'it\\'s \"me\"',\n  'prefix' => '',\n  'host' => 'localhost',\n  'port' => '3306',\n  'isolation_level' => 'READ COMMITTED',\n  'driver' => 'mysql',\n  'namespace' => 'Drupal\\\\mysql\\\\Driver\\\\Database\\\\mysql',\n  'autoload' => 'core/modules/mysql/src/Driver/Database/mysql/',\n);\n",
                ),
            ),
            (
                "host and port",
                &of(
                    "<?php $databases['default']['default'] = ['database' => 'd', 'username' => 'u', 'password' => 'p', 'host' => 'db', 'port' => 3307, 'driver' => 'mysql', 'prefix' => 'x_'];",
                ),
            ),
            (
                "socket",
                &of(
                    "<?php $databases = ['default' => ['default' => ['database' => 'd', 'username' => 'u', 'password' => 'p', 'unix_socket' => '/run/s.sock', 'driver' => 'mysql']]];",
                ),
            ),
            (
                "IPv6",
                &of(
                    "<?php $databases['default']['default'] = ['database' => 'd', 'username' => 'u', 'password' => 'p', 'host' => 'fd00::5', 'driver' => 'mysql'];",
                ),
            ),
            (
                "several databases and a replica",
                &of(
                    "<?php $databases['default']['default'] = ['database' => 'd', 'username' => 'u', 'password' => 'p', 'host' => 'a', 'driver' => 'mysql'];\n$databases['default']['replica'][] = ['database' => 'd', 'username' => 'u', 'password' => 'p', 'host' => 'b', 'driver' => 'mysql'];\n$databases['old.one']['default'] = ['database' => 'o', 'username' => 'u', 'password' => 'q', 'host' => 'c', 'driver' => 'pgsql'];",
                ),
            ),
            (
                "SQLite",
                &[
                    (
                        "sites/default/settings.php",
                        "<?php $databases['default']['default'] = ['database' => 'sites/default/files/.ht.sqlite', 'driver' => 'sqlite'];",
                    ),
                    ("sites/default/files/.ht.sqlite", ""),
                ],
            ),
            (
                "several sites",
                &[
                    (
                        "sites/default/settings.php",
                        "<?php $databases['default']['default'] = ['database' => 'a', 'username' => 'u', 'password' => '', 'driver' => 'mysql'];",
                    ),
                    (
                        "sites/b.example/settings.php",
                        "<?php $databases['default']['default'] = ['database' => 'b', 'username' => 'u', 'password' => '', 'driver' => 'mysql'];",
                    ),
                ],
            ),
            (
                "local settings",
                &[
                    (
                        "sites/default/settings.php",
                        "<?php $databases['default']['default'] = ['database' => 'a', 'username' => 'u', 'password' => 'p', 'driver' => 'mysql'];\nif (file_exists($app_root . '/settings.local.php')) {\n  include $app_root . '/' . $site_path . '/settings.local.php';\n}\n",
                    ),
                    (
                        "sites/default/settings.local.php",
                        "<?php $databases['default']['default'] = ['database' => 'local', 'username' => 'u', 'password' => 'p', 'driver' => 'mysql'];",
                    ),
                ],
            ),
            (
                "local settings that are not included",
                &[
                    (
                        "sites/default/settings.php",
                        "<?php $databases['default']['default'] = ['database' => 'a', 'username' => 'u', 'password' => 'p', 'driver' => 'mysql'];\n# include $app_root . '/settings.local.php';\n",
                    ),
                    (
                        "sites/default/settings.local.php",
                        "<?php $databases['default']['default'] = ['database' => 'local'];",
                    ),
                ],
            ),
            (
                "of the environment",
                &of(
                    "<?php $databases['default']['default'] = ['database' => getenv('DB'), 'username' => 'u', 'password' => 'p', 'driver' => 'mysql'];",
                ),
            ),
            (
                "under a condition",
                &of(
                    "<?php if (getenv('X')) { $databases['default']['default'] = ['database' => 'a', 'driver' => 'mysql']; }",
                ),
            ),
            ("by a program", &of("<?php $databases = json_decode(base64_decode($_ENV['R']), true);")),
            ("none", &of("<?php $databases = [];")),
        ],
    );
}

#[test]
fn joomla() {
    let of = |text: &'static str| -> [(&'static str, &'static str); 1] { [("configuration.php", text)] };
    goldens(
        "joomla",
        &[("administrator/", ""), ("libraries/", ""), ("includes/framework.php", "")],
        &[
            (
                "as its installer writes it",
                &of(
                    "<?php\nclass JConfig {\n\tpublic $offline = false;\n\tpublic $sitename = 'x';\n\tpublic $dbtype = 'mysqli';\n\tpublic $host = 'localhost';\n\tpublic $user = 'u';\n\tpublic $password = 'it\\'s';\n\tpublic $db = 'joomla';\n\tpublic $dbprefix = 'abc_';\n\tpublic $dbencryption = 0;\n}\n",
                ),
            ),
            (
                "of old",
                &of(
                    "<?php class JConfig { var $dbtype = 'mysql'; var $host = 'db'; var $user = 'u'; var $password = 'p'; var $db = 'j'; }",
                ),
            ),
            (
                "port",
                &of(
                    "<?php class JConfig { public $dbtype = 'mysqli'; public $host = 'db:3307'; public $user = 'u'; public $password = 'p'; public $db = 'j'; }",
                ),
            ),
            (
                "socket",
                &of(
                    "<?php class JConfig { public $dbtype = 'mysqli'; public $host = 'localhost:/run/s.sock'; public $user = 'u'; public $password = 'p'; public $db = 'j'; }",
                ),
            ),
            (
                "socket alone",
                &of(
                    "<?php class JConfig { public $dbtype = 'mysqli'; public $host = 'unix:/run/s.sock'; public $user = 'u'; public $password = 'p'; public $db = 'j'; }",
                ),
            ),
            (
                "IPv6",
                &of(
                    "<?php class JConfig { public $dbtype = 'pdomysql'; public $host = '[fd00::5]:3307'; public $user = 'u'; public $password = 'p'; public $db = 'j'; }",
                ),
            ),
            (
                "PostgreSQL",
                &of(
                    "<?php class JConfig { public $dbtype = 'pgsql'; public $host = 'pg'; public $user = 'u'; public $password = 'p'; public $db = 'j'; }",
                ),
            ),
            (
                "no password",
                &of(
                    "<?php class JConfig { public $host = 'localhost'; public $user = 'root'; public $password = ''; public $db = 'j'; }",
                ),
            ),
            (
                "double quotes and comments",
                &of(
                    "<?php final class JConfig { /* public $db = 'x'; */ public $db = \"j\\x41\"; // public $db = 'y';\n public $user = \"u\"; public $password = \"p\\\"\\$\"; }",
                ),
            ),
            ("commented out", &of("<?php class JConfig { # public $db = 'x';\n public $user = 'u'; }")),
            (
                "a constant of elsewhere",
                &of(
                    "<?php class JConfig { public $db = DB_NAME; public $user = 'u'; public $password = 'p'; }",
                ),
            ),
            (
                "another kind of database",
                &of(
                    "<?php class JConfig { public $dbtype = 'sqlsrv'; public $db = 'x'; public $user = 'u'; public $password = 'p'; }",
                ),
            ),
            ("not installed", &[]),
            (
                "hostile",
                &of(
                    "<?php class JConfig { public $db = \"x\\nhooks: {}\"; public $user = 'u'; public $password = 'p'; }",
                ),
            ),
        ],
    );
}

#[test]
fn magento() {
    let of = |text: &'static str| -> [(&'static str, &'static str); 1] { [("app/etc/env.php", text)] };
    goldens(
        "magento",
        &[("bin/magento", ""), ("app/etc/di.xml", "")],
        &[
            (
                "as its installer writes it",
                &of(
                    "<?php\nreturn [\n    'backend' => ['frontName' => 'admin'],\n    'crypt' => ['key' => 'x'],\n    'db' => [\n        'table_prefix' => '',\n        'connection' => [\n            'default' => [\n                'host' => 'localhost',\n                'dbname' => 'magento',\n                'username' => 'u',\n                'password' => 'it\\'s',\n                'model' => 'mysql4',\n                'engine' => 'innodb',\n                'initStatements' => 'SET NAMES utf8;',\n                'active' => '1',\n                'driver_options' => [1014 => false]\n            ]\n        ]\n    ],\n    'resource' => ['default_setup' => ['connection' => 'default']]\n];\n",
                ),
            ),
            (
                "port",
                &of(
                    "<?php return ['db' => ['connection' => ['default' => ['host' => 'db:3307', 'dbname' => 'm', 'username' => 'u', 'password' => 'p', 'active' => '1']]]];",
                ),
            ),
            (
                "socket",
                &of(
                    "<?php return ['db' => ['connection' => ['default' => ['host' => '/run/s.sock', 'dbname' => 'm', 'username' => 'u', 'password' => 'p']]]];",
                ),
            ),
            (
                "IPv6",
                &of(
                    "<?php return ['db' => ['connection' => ['default' => ['host' => '[fd00::5]:3307', 'dbname' => 'm', 'username' => 'u', 'password' => 'p']]]];",
                ),
            ),
            (
                "of old, as array()",
                &of(
                    "<?php return array ('db' => array ('connection' => array ('default' => array ('host' => 'db', 'dbname' => 'm', 'username' => 'u', 'password' => 'p',),),),);",
                ),
            ),
            (
                "split databases",
                &of(
                    "<?php return ['db' => ['connection' => ['default' => ['host' => 'a', 'dbname' => 'm', 'username' => 'u', 'password' => 'p', 'active' => '1'], 'checkout' => ['host' => 'a', 'dbname' => 'quote', 'username' => 'u', 'password' => 'q', 'active' => '1'], 'sales' => ['host' => 'b', 'dbname' => 'sales', 'username' => 'u', 'password' => 'r', 'active' => '1']]]];",
                ),
            ),
            (
                "two connections to one",
                &of(
                    "<?php return ['db' => ['connection' => ['default' => ['host' => 'a', 'dbname' => 'm', 'username' => 'u', 'password' => 'p'], 'indexer' => ['host' => 'a', 'dbname' => 'm', 'username' => 'u', 'password' => 'p']]]];",
                ),
            ),
            (
                "one that is not used",
                &of(
                    "<?php return ['db' => ['connection' => ['default' => ['host' => 'a', 'dbname' => 'm', 'username' => 'u', 'password' => 'p'], 'x.y' => ['host' => 'a', 'dbname' => 'n', 'username' => 'u', 'password' => 'p', 'active' => '0']]]];",
                ),
            ),
            (
                "no password",
                &of(
                    "<?php return ['db' => ['connection' => ['default' => ['host' => 'localhost', 'dbname' => 'm', 'username' => 'u', 'password' => '']]]];",
                ),
            ),
            (
                "password of the environment",
                &of(
                    "<?php return ['db' => ['connection' => ['default' => ['host' => 'localhost', 'dbname' => 'm', 'username' => 'u', 'password' => getenv('DB_PASSWORD') ?: 'x']]]];",
                ),
            ),
            ("merged from elsewhere", &of("<?php return array_merge(require 'base.php', ['db' => []]);")),
            ("no connection", &of("<?php return ['db' => ['connection' => []]];")),
            ("not installed", &[]),
            (
                "a hostile name of a connection",
                &of(
                    "<?php return ['db' => ['connection' => [\"a\\nb\" => ['host' => 'a', 'dbname' => 'm']]]];",
                ),
            ),
        ],
    );
}

#[test]
fn nextcloud() {
    let of = |text: &'static str| -> [(&'static str, &'static str); 1] { [("config/config.php", text)] };
    goldens(
        "nextcloud",
        &[("occ", ""), ("version.php", ""), ("status.php", "")],
        &[
            (
                "as its installer writes it",
                &of(
                    "<?php\n$CONFIG = array (\n  'instanceid' => 'x',\n  'trusted_domains' => \n  array (\n    0 => 'localhost',\n  ),\n  'datadirectory' => '@ROOT@/data',\n  'dbtype' => 'mysql',\n  'version' => '29.0.0.19',\n  'dbname' => 'nextcloud',\n  'dbhost' => 'localhost',\n  'dbport' => '',\n  'dbtableprefix' => 'oc_',\n  'mysql.utf8mb4' => true,\n  'dbuser' => 'u',\n  'dbpassword' => 'it\\'s',\n  'installed' => true,\n);\n",
                ),
            ),
            (
                "data elsewhere",
                &of(
                    "<?php $CONFIG = ['datadirectory' => '/srv/nextcloud', 'dbtype' => 'mysql', 'dbname' => 'n', 'dbhost' => 'db:3307', 'dbuser' => 'u', 'dbpassword' => 'p'];",
                ),
            ),
            (
                "socket",
                &of(
                    "<?php $CONFIG = ['dbtype' => 'mysql', 'dbname' => 'n', 'dbhost' => 'localhost:/run/s.sock', 'dbuser' => 'u', 'dbpassword' => 'p'];",
                ),
            ),
            (
                "port of old",
                &of(
                    "<?php $CONFIG = ['dbtype' => 'mysql', 'dbname' => 'n', 'dbhost' => 'db', 'dbport' => '3307', 'dbuser' => 'u', 'dbpassword' => 'p'];",
                ),
            ),
            (
                "IPv6",
                &of(
                    "<?php $CONFIG = ['dbtype' => 'mysql', 'dbname' => 'n', 'dbhost' => '[fd00::5]:3307', 'dbuser' => 'u', 'dbpassword' => 'p'];",
                ),
            ),
            (
                "PostgreSQL",
                &of(
                    "<?php $CONFIG = ['dbtype' => 'pgsql', 'dbname' => 'n', 'dbhost' => 'pg', 'dbuser' => 'u', 'dbpassword' => 'p'];",
                ),
            ),
            (
                "PostgreSQL by its socket",
                &of(
                    "<?php $CONFIG = ['dbtype' => 'pgsql', 'dbname' => 'n', 'dbhost' => '/run/postgresql', 'dbuser' => 'u', 'dbpassword' => ''];",
                ),
            ),
            (
                "SQLite",
                &[
                    ("config/config.php", "<?php $CONFIG = ['dbtype' => 'sqlite3'];"),
                    ("data/owncloud.db", ""),
                ],
            ),
            (
                "element by element",
                &of(
                    "<?php $CONFIG = []; $CONFIG['dbtype'] = 'mysql'; $CONFIG['dbname'] = 'n'; $CONFIG['dbhost'] = 'db'; $CONFIG['dbuser'] = 'u'; $CONFIG['dbpassword'] = \"p\\$\";",
                ),
            ),
            (
                "database in a further file",
                &[
                    (
                        "config/config.php",
                        "<?php $CONFIG = ['dbtype' => 'mysql', 'dbname' => 'n', 'dbuser' => 'u'];",
                    ),
                    ("config/db.config.php", "<?php $CONFIG = ['dbname' => 'm'];"),
                ],
            ),
            (
                "a further file about other things",
                &[
                    (
                        "config/config.php",
                        "<?php $CONFIG = ['dbtype' => 'mysql', 'dbname' => 'n', 'dbuser' => 'u'];",
                    ),
                    ("config/redis.config.php", "<?php $CONFIG = ['redis' => []];"),
                ],
            ),
            (
                "of the environment",
                &of(
                    "<?php $CONFIG = ['dbtype' => 'mysql', 'dbname' => getenv('MYSQL_DATABASE'), 'dbuser' => 'u'];",
                ),
            ),
            ("Oracle", &of("<?php $CONFIG = ['dbtype' => 'oci', 'dbname' => 'n', 'dbuser' => 'u'];")),
            ("not installed", &[]),
        ],
    );
}

#[test]
fn prestashop() {
    let of =
        |text: &'static str| -> [(&'static str, &'static str); 1] { [("app/config/parameters.php", text)] };
    goldens(
        "prestashop",
        &[("config/defines.inc.php", ""), ("classes/", ""), ("app/config/", "")],
        &[
            (
                "as its installer writes it",
                &of(
                    "<?php return array (\n  'parameters' => \n  array (\n    'database_host' => '127.0.0.1',\n    'database_port' => '',\n    'database_name' => 'prestashop',\n    'database_user' => 'root',\n    'database_password' => 'it\\'s',\n    'database_prefix' => 'ps_',\n    'database_engine' => 'InnoDB',\n    'use_debug_toolbar' => true,\n  ),\n);\n",
                ),
            ),
            (
                "port of its own",
                &of(
                    "<?php return ['parameters' => ['database_host' => 'db', 'database_port' => 3307, 'database_name' => 'p', 'database_user' => 'u', 'database_password' => 'x']];",
                ),
            ),
            (
                "port with the host",
                &of(
                    "<?php return ['parameters' => ['database_host' => 'db:3307', 'database_port' => '', 'database_name' => 'p', 'database_user' => 'u', 'database_password' => 'x']];",
                ),
            ),
            (
                "socket",
                &of(
                    "<?php return ['parameters' => ['database_host' => 'localhost:/run/s.sock', 'database_name' => 'p', 'database_user' => 'u', 'database_password' => 'x']];",
                ),
            ),
            (
                "IPv6",
                &of(
                    "<?php return ['parameters' => ['database_host' => '[fd00::5]:3307', 'database_name' => 'p', 'database_user' => 'u', 'database_password' => 'x']];",
                ),
            ),
            (
                "no password",
                &of(
                    "<?php return ['parameters' => ['database_host' => 'localhost', 'database_name' => 'p', 'database_user' => 'u', 'database_password' => NULL]];",
                ),
            ),
            (
                "comments",
                &of(
                    "<?php /* return []; */ return ['parameters' => [ // 'database_name' => 'x'\n 'database_name' => \"p\\u{e4}\", # y\n 'database_user' => 'u', 'database_password' => \"a\\tb\\\"\"]];",
                ),
            ),
            (
                "of the environment",
                &of(
                    "<?php return ['parameters' => ['database_host' => $_ENV['H'] ?? 'db', 'database_name' => 'p', 'database_user' => 'u']];",
                ),
            ),
            ("by a variable", &of("<?php $c = ['parameters' => []]; return $c;")),
            ("name is missing", &of("<?php return ['parameters' => ['database_user' => 'u']];")),
            ("not installed", &[]),
        ],
    );
}

#[test]
fn moodle() {
    let of = |text: &'static str| -> [(&'static str, &'static str); 1] { [("config.php", text)] };
    goldens(
        "moodle",
        &[("lib/moodlelib.php", "")],
        &[
            (
                "as its installer writes it",
                &of(
                    "<?php  // Moodle configuration file\n\nunset($CFG);\nglobal $CFG;\n$CFG = new stdClass();\n\n$CFG->dbtype    = 'mariadb';\n$CFG->dblibrary = 'native';\n$CFG->dbhost    = 'localhost';\n$CFG->dbname    = 'moodle';\n$CFG->dbuser    = 'u';\n$CFG->dbpass    = 'it\\'s';\n$CFG->prefix    = 'mdl_';\n$CFG->dboptions = array (\n  'dbpersist' => 0,\n  'dbport' => '',\n  'dbsocket' => '',\n  'dbcollation' => 'utf8mb4_unicode_ci',\n);\n\n$CFG->wwwroot   = 'https://m.example';\n$CFG->dataroot  = '/var/moodledata';\n$CFG->admin     = 'admin';\n\n$CFG->directorypermissions = 0777;\n\nrequire_once(__DIR__ . '/lib/setup.php');\n",
                ),
            ),
            (
                "port",
                &of(
                    "<?php $CFG = new stdClass; $CFG->dataroot = '/d'; $CFG->dbtype = 'mysqli'; $CFG->dbhost = 'db'; $CFG->dbname = 'm'; $CFG->dbuser = 'u'; $CFG->dbpass = 'p'; $CFG->dboptions = ['dbport' => 3307];",
                ),
            ),
            (
                "socket",
                &of(
                    "<?php $CFG = new stdClass; $CFG->dataroot = '/d'; $CFG->dbtype = 'mysqli'; $CFG->dbhost = 'localhost'; $CFG->dbname = 'm'; $CFG->dbuser = 'u'; $CFG->dbpass = 'p'; $CFG->dboptions = ['dbsocket' => '/run/s.sock'];",
                ),
            ),
            (
                "usual socket",
                &of(
                    "<?php $CFG = new stdClass; $CFG->dataroot = '/d'; $CFG->dbtype = 'mysqli'; $CFG->dbhost = 'db'; $CFG->dbname = 'm'; $CFG->dbuser = 'u'; $CFG->dbpass = 'p'; $CFG->dboptions = ['dbsocket' => true];",
                ),
            ),
            (
                "IPv6",
                &of(
                    "<?php $CFG = new stdClass; $CFG->dataroot = '/d'; $CFG->dbtype = 'mysqli'; $CFG->dbhost = 'fd00::5'; $CFG->dbname = 'm'; $CFG->dbuser = 'u'; $CFG->dbpass = 'p';",
                ),
            ),
            (
                "PostgreSQL",
                &of(
                    "<?php $CFG = new stdClass; $CFG->dataroot = '/d'; $CFG->dbtype = 'pgsql'; $CFG->dbhost = 'pg'; $CFG->dbname = 'm'; $CFG->dbuser = 'u'; $CFG->dbpass = 'p'; $CFG->dboptions['dbport'] = 5433;",
                ),
            ),
            (
                "data inside",
                &[
                    (
                        "config.php",
                        "<?php $CFG = new stdClass; $CFG->dataroot = '@ROOT@/data'; $CFG->dbtype = 'mysqli'; $CFG->dbhost = 'db'; $CFG->dbname = 'm'; $CFG->dbuser = 'u'; $CFG->dbpass = 'p';",
                    ),
                    ("data/", ""),
                ],
            ),
            (
                "no password",
                &of(
                    "<?php $CFG = new stdClass; $CFG->dataroot = '/d'; $CFG->dbtype = 'mysqli'; $CFG->dbname = 'm'; $CFG->dbuser = 'u'; $CFG->dbpass = '';",
                ),
            ),
            (
                "of the environment",
                &of(
                    "<?php $CFG = new stdClass; $CFG->dataroot = '/d'; $CFG->dbtype = getenv('DBTYPE') ?: 'mysqli'; $CFG->dbname = 'm'; $CFG->dbuser = 'u';",
                ),
            ),
            (
                "by host",
                &of(
                    "<?php $CFG = new stdClass; $CFG->dataroot = '/d'; $CFG->dbtype = 'mysqli'; $CFG->dbname = 'm'; if ($_SERVER['HTTP_HOST'] == 'x') { $CFG->dbname = 'n'; } $CFG->dbuser = 'u';",
                ),
            ),
            (
                "data by a computation",
                &of(
                    "<?php $CFG = new stdClass; $CFG->dataroot = dirname(__DIR__) . '/d'; $CFG->dbtype = 'mysqli'; $CFG->dbname = 'm'; $CFG->dbuser = 'u';",
                ),
            ),
            (
                "SQL Server",
                &of(
                    "<?php $CFG = new stdClass; $CFG->dataroot = '/d'; $CFG->dbtype = 'sqlsrv'; $CFG->dbname = 'm'; $CFG->dbuser = 'u';",
                ),
            ),
            ("not installed", &[]),
        ],
    );
}

#[test]
fn mediawiki() {
    let of = |text: &'static str| -> [(&'static str, &'static str); 1] { [("LocalSettings.php", text)] };
    goldens(
        "mediawiki",
        &[("api.php", ""), ("load.php", ""), ("includes/", ""), ("images/", "")],
        &[
            (
                "as its installer writes it",
                &of(
                    "<?php\n# This file was automatically generated by the MediaWiki installer.\nif ( !defined( 'MEDIAWIKI' ) ) {\n\texit;\n}\n$wgSitename = \"x\";\n## Database settings\n$wgDBtype = \"mysql\";\n$wgDBserver = \"localhost\";\n$wgDBname = \"my_wiki\";\n$wgDBuser = \"u\";\n$wgDBpassword = \"it's\\\\\";\n$wgDBprefix = \"\";\n$wgDBTableOptions = \"ENGINE=InnoDB, DEFAULT CHARSET=binary\";\nwfLoadSkin( 'Vector' );\n",
                ),
            ),
            (
                "port",
                &of("<?php $wgDBserver = 'db:3307'; $wgDBname = 'w'; $wgDBuser = 'u'; $wgDBpassword = 'p';"),
            ),
            (
                "socket",
                &of(
                    "<?php $wgDBserver = ':/run/s.sock'; $wgDBname = 'w'; $wgDBuser = 'u'; $wgDBpassword = 'p';",
                ),
            ),
            (
                "IPv6",
                &of(
                    "<?php $wgDBserver = '[fd00::5]:3307'; $wgDBname = 'w'; $wgDBuser = 'u'; $wgDBpassword = 'p';",
                ),
            ),
            (
                "PostgreSQL",
                &of(
                    "<?php $wgDBtype = 'postgres'; $wgDBserver = 'pg'; $wgDBport = '5433'; $wgDBname = 'w'; $wgDBuser = 'u'; $wgDBpassword = 'p';",
                ),
            ),
            (
                "SQLite",
                &[
                    (
                        "LocalSettings.php",
                        "<?php $wgDBtype = 'sqlite'; $wgDBname = 'w'; $wgSQLiteDataDir = \"@ROOT@/data\";",
                    ),
                    ("data/w.sqlite", ""),
                ],
            ),
            (
                "lock file of its own",
                &of(
                    "<?php $wgReadOnlyFile = '/run/wiki/lock'; $wgDBname = 'w'; $wgDBuser = 'u'; $wgDBpassword = 'p';",
                ),
            ),
            (
                "lock file by a computation",
                &of(
                    "<?php $wgReadOnlyFile = \"$IP/lock\"; $wgDBname = 'w'; $wgDBuser = 'u'; $wgDBpassword = 'p';",
                ),
            ),
            (
                "password elsewhere",
                &of("<?php require '/etc/mediawiki/private.php'; $wgDBname = 'w'; $wgDBuser = 'u';"),
            ),
            (
                "a farm",
                &of(
                    "<?php $wgDBname = 'w'; if ($_SERVER['SERVER_NAME'] === 'x') { $wgDBname = 'v'; } $wgDBuser = 'u'; $wgDBpassword = 'p';",
                ),
            ),
            ("defaults", &of("<?php $wgDBpassword = 'p';")),
            ("not installed", &[]),
        ],
    );
}
