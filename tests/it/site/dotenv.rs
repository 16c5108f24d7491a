//! `.env` files, compared with the libraries that read them in earnest.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use lifeboat::site::dotenv::{Dialect, Dotenv};
use lifeboat::site::tree::Miss;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::Value;

fn get(source: &str, dialect: Dialect) -> Result<String, String> {
    let mut found = Dotenv::default();
    found.read(source.as_bytes(), dialect);
    match found.get("X") {
        Ok(text) => Ok(String::from_utf8(text.to_vec()).unwrap()),
        Err(Miss::Absent) => Err("absent".to_owned()),
        Err(Miss::Unreadable(reason)) => Err(reason.why),
    }
}

/// The file, and what the variable X is to Laravel and to Symfony; an exclamation mark stands before the reason why it cannot be told.
const TABLE: [(&str, &str, &str); 34] = [
    ("X=v", "v", "v"),
    ("X=", "", ""),
    ("X", "!absent", "!absent"),
    // The library wants a name of two letters there.
    ("export X=v", "!absent", "v"),
    ("export\t XX=w\nX=v", "v", "v"),
    ("X=a\nX=b", "b", "b"),
    ("# X=a\nX=b # c", "b", "b"),
    ("X=a#b", "a", "a#b"),
    ("X=#b", "", ""),
    ("X='a#b $c ${d} \\n'", "a#b $c ${d} \\n", "a#b $c ${d} \\n"),
    ("X=\"a#b\" # c", "a#b", "a#b"),
    ("X=\"a\\nb\"", "a\nb", "a\nb"),
    ("X=\"a\\tb\"", "a\tb", "a\\tb"),
    ("X=\"a\\qb\"", "!has an escape that means nothing", "a\\qb"),
    ("X=\"a\\\"b\\\\c\\$d\"", "a\"b\\c$d", "a\"b\\c$d"),
    ("X=\"a\nb\"", "a\nb", "a\nb"),
    ("X='a\nb'", "!has a quote that is not closed", "a\nb"),
    (
        "X=a b",
        "!has more behind a space or quote, which must be in quotes",
        "!has a space that is not in quotes",
    ),
    ("X= v", "v", "!has a space before its value"),
    ("X =v", "v", "!absent"),
    ("A=v\nX=${A}w", "vw", "vw"),
    ("A=v\nX=$A-w", "$A-w", "v-w"),
    ("A=v\nX='${A}'", "${A}", "${A}"),
    (
        "X=${NONE}",
        "!refers to a variable that is not in the file",
        "!refers to a variable that is not in the file",
    ),
    ("X=pa$word", "pa$word", "!refers to a variable that is not in the file"),
    ("X=pa$$1", "pa$$1", "pa$$1"),
    ("A=\nX=${A:-d}", "${A:-d}", "d"),
    ("X=$(id)", "$(id)", "!runs a command, which is never done here"),
    ("X=\"no end", "!has a quote that is not closed", "!has a quote that is not closed"),
    ("X='a'\"b\"c", "!has more behind a space or quote, which must be in quotes", "abc"),
    ("\"X\"=v", "v", "!absent"),
    ("X=v\r\nY=w\r\n", "v", "v"),
    (
        "X=mysql://u:p%40@h:3306/d?a=b&c=d",
        "mysql://u:p%40@h:3306/d?a=b&c=d",
        "mysql://u:p%40@h:3306/d?a=b&c=d",
    ),
    ("X=ümlaut€", "ümlaut€", "ümlaut€"),
];

#[test]
fn each_dialect_by_its_own_rules() {
    for (source, laravel, symfony) in TABLE {
        for (dialect, expected) in [(Dialect::Laravel, laravel), (Dialect::Symfony, symfony)] {
            let told = get(source, dialect).unwrap_or_else(|why| format!("!{why}"));
            assert_eq!(told, expected, "{dialect:?}: {source:?}");
        }
    }
}

#[test]
fn a_later_file_takes_precedence_and_refers_to_earlier_ones() {
    let mut found = Dotenv::default();
    found.read(b"HOST=a\nUSER=u", Dialect::Symfony);
    found.read(b"HOST=b\nURL=$USER@$HOST", Dialect::Symfony);
    assert_eq!(found.get("URL").unwrap(), b"u@b");
}

#[test]
fn hostile_files_end_soon() {
    for dialect in [Dialect::Laravel, Dialect::Symfony] {
        for piece in [
            "X",
            "X=",
            "X=$",
            "X=${",
            "X=\"",
            "X='",
            "=\"",
            "\"\n",
            "X=\"\n",
            "${X}",
            "$X",
            "\\",
            "\\$",
            "\\\"",
            "#",
            "\n",
            "\r",
            "X=${X}${X}\n",
            "$(",
            "X=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nY=${X}${X}\nX=${Y}\n",
            " ",
            "export ",
            "'a'",
            "X=a b\n",
        ] {
            for head in ["", "X=", "X=\"", "A=b\nX=$A"] {
                let source = format!("{head}{}", piece.repeat(256 * 1024 / piece.len()));
                let started = std::time::Instant::now();
                drop(get(&source, dialect));
                assert!(
                    started.elapsed().as_secs() < 20,
                    "{dialect:?} {head:?} {piece:?} took {:?}",
                    started.elapsed()
                );
            }
        }
    }
}

/// Prints for each file what the library makes of it, or null where it refuses it.
const LARAVEL: &str = r#"
require '/usr/share/php/Dotenv/autoload.php';
foreach (json_decode(stream_get_contents(STDIN)) as $source) {
    try { $found = Dotenv\Dotenv::parse($source); } catch (Throwable $e) { $found = null; }
    echo json_encode($found === null ? null : (object) $found, JSON_INVALID_UTF8_SUBSTITUTE), "\n";
}
"#;
const SYMFONY: &str = r#"
require '/usr/share/php/Symfony/Component/Dotenv/autoload.php';
foreach (json_decode(stream_get_contents(STDIN)) as $source) {
    try { $found = (new Symfony\Component\Dotenv\Dotenv())->parse($source); } catch (Throwable $e) { $found = null; }
    echo json_encode($found === null ? null : (object) $found, JSON_INVALID_UTF8_SUBSTITUTE), "\n";
}
"#;

fn ask(script: &str, sources: &[String]) -> Vec<Option<BTreeMap<String, Value>>> {
    let mut php = Command::new("php")
        .args(["-d", "display_errors=stderr", "-r", script])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = php.stdin.take().unwrap();
    let text = serde_json::to_vec(sources).unwrap();
    let feeder = std::thread::spawn(move || input.write_all(&text));
    let output = php.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    let said: Vec<_> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(said.len(), sources.len(), "PHP ended early");
    said
}

/// What we claim to know, the library must say as well; where it refuses a file no site works, and we may say anything.
fn compare(script: &str, dialect: Dialect) {
    // No "(": the library of Symfony does not come back from one that is not closed.
    let words = [
        "X", "Y", "A", "=", "=", "=", "'", "\"", "\\", "$", "${", "}", "${A}", "$A", "$Y", "#", " ", " #",
        "\n", "\n", "\nX=", "\nA=b\n", "\r\n", "\t", "a", "b c", "\\n", "\\$", "\\\\", "export ", "\"\"",
        "''", ":-d", "1", ".", "_", "ü", "v", "\"v\"", "'v'",
    ];
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let lines = prop::collection::vec(prop::sample::select(words.to_vec()), 1..12);
    let table = TABLE.iter().map(|(source, ..)| (*source).to_owned());
    let random =
        (0..20_000).map(|_| format!("X={}", lines.new_tree(&mut runner).unwrap().current().concat()));
    let sources: Vec<String> = table.chain(random).collect();
    let mut agreed = 0;
    for (source, said) in sources.iter().zip(ask(script, &sources)) {
        let (Ok(ours), Some(said)) = (get(source, dialect), said) else { continue };
        assert_eq!(Some(&Value::String(ours)), said.get("X"), "{source:?}");
        agreed += 1;
    }
    assert!(agreed > 3000, "only {agreed} files were comparable");
}

#[test]
fn the_library_of_laravel_agrees() {
    compare(LARAVEL, Dialect::Laravel);
}

#[test]
fn the_library_of_symfony_agrees() {
    compare(SYMFONY, Dialect::Symfony);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        for dialect in [Dialect::Laravel, Dialect::Symfony] {
            let mut found = Dotenv::default();
            found.read(&bytes, dialect);
            drop(found.tree().json());
        }
    }
}
