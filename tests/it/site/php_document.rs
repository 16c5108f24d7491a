//! PHP as applications write their settings in it: arrays, objects, classes and what a file returns.

use std::io::Write;
use std::process::{Command, Stdio};

use lifeboat::site::php::{Document, Environment};
use lifeboat::site::tree::{Miss, Path, Tree};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::{Value, json};

fn read(source: &str) -> Document {
    Document::read(source.as_bytes(), None)
}

#[track_caller]
fn value(source: &str, path: &str) -> String {
    match read(source).get(&Path::parse(path)) {
        Ok(tree) => String::from_utf8(tree.raw().expect("one value")).unwrap(),
        Err(miss) => panic!("{miss:?}: {path} in {source}"),
    }
}

#[track_caller]
fn why(source: &str, path: &str) -> String {
    match read(source).get(&Path::parse(path)) {
        Err(Miss::Unreadable(reason)) => reason.why,
        Err(Miss::Absent) => "absent".to_owned(),
        Ok(_) => panic!("{path} was read in {source}"),
    }
}

#[test]
fn values_are_found_by_their_paths() {
    for (source, path) in [
        ("<?php return ['db' => ['host' => 'v']];", "db.host"),
        ("<?php return array ( 'db' => array ( 'a.b' => 'v', ), );", r"db.a\.b"),
        (
            "<?php\nreturn [\n 'x' => f(1, [2, 3]), // c, ]\n 'db' => [ 0 => ['host' => 'v'] ] ] ?>",
            "db.0.host",
        ),
        ("<?php return ['v'];", "0"),
        ("<?php return ['a' => 1, 'b', 'c' => 2, 'v'];", "1"),
        ("<?php return [7 => 'a', 'v'];", "8"),
        ("<?php return ['a' => ['b' => 'w'], 'a' => ['b' => 'v']];", "a.b"),
        ("<?php $databases['default']['default'] = array('host' => 'v');", "$databases.default.default.host"),
        (
            "<?php $databases = []; $databases['default']['default'] = ['host' => 'v'];",
            "$databases.default.default.host",
        ),
        ("<?php $a = ['b' => 'w']; $a['b'] = 'v';", "$a.b"),
        ("<?php $a['b'] = 'w'; $a = ['b' => 'v'];", "$a.b"),
        ("<?php unset($CFG); global $CFG; $CFG = new stdClass(); $CFG->dbhost = 'v';", "$CFG.dbhost"),
        ("<?php $CFG->opts = array('dbport' => 'v', 'x' => $y);", "$CFG.opts.dbport"),
        ("<?php $a[] = 'u'; $a[] = 'v';", "$a.1"),
        (
            "<?php class JConfig { public $host = 'v'; var $b = 2; function f() { $host = 'w'; } }",
            "JConfig::host",
        ),
        ("<?php final class A extends B implements C { const X = 'v'; private ?string $y = null; }", "A::X"),
        ("<?php class A { public array $list = ['k' => 'v']; }", "A::$list.k"),
        ("<?php define('P', 'v'); $a = ['k' => P . ''];", "$a.k"),
        ("<?php define('K', 'k'); $a[K] = 'v';", "$a.k"),
        ("<?php define('DB', 'v'); return ['x' => 1];", "DB"),
        ("<?php $a = 'v'; function f() { $a = 'w'; } if (1) { }", "$a"),
        ("<?php $a = function () { $b = 'w'; return 1; }; $b = 'v';", "$b"),
        ("<?php $a ??= 'v';", "$a"),
        ("<?php $a = 'v'; $a ??= 'w';", "$a"),
        ("<?php if ($x) { $a = 'w'; } $a = 'v';", "$a"),
        ("<?php $a = 'v'; if ($x) { $a = 'v'; }", "$a"),
        ("<?php if (!defined('MW')) { exit; } $wgDBserver = \"v\";", "$wgDBserver"),
        ("<?php $a = ['b' => 'v', 'c' => \"x$y\"];", "$a.b"),
    ] {
        assert_eq!(value(source, path), "v", "{source}");
    }
}

#[test]
fn what_cannot_be_told_is_not_guessed() {
    for (source, path, reason) in [
        ("<?php return ['a' => getenv('A')];", "a", "comes from the environment variable A of the site"),
        ("<?php $a = getenv('A') ?: 'b';", "$a", "comes from the environment variable A of the site"),
        ("<?php return ['a' => f()];", "a", "comes from the function f()"),
        ("<?php return ['a' => f()];", "a.b", "comes from the function f()"),
        ("<?php return ['a' => 1, ...$b];", "a", "comes from another array"),
        ("<?php return ['a' => 1, $k => 2];", "a", "is in an array with a key that cannot be read"),
        ("<?php $a[$k]['x'] = 1;", "$a.b.x", "is in an array with a key that cannot be read"),
        ("<?php $a = 'v'; if ($b) { $a = 'w'; }", "$a", "depends on a condition"),
        ("<?php if ($b) { $a = 'w'; }", "$a", "is set only under a condition"),
        ("<?php if ($b) { $a['k'] = 'w'; }", "$a.k", "is set only under a condition"),
        ("<?php $a = 'v'; $a .= 'w';", "$a", "comes from a computed expression"),
        ("<?php $a = 1; $a++;", "$a", "comes from a computed expression"),
        ("<?php $a = 1; list($a) = f();", "$a", "is taken out of another value"),
        ("<?php $a = 1; ['k' => $a] = f();", "$a", "is taken out of another value"),
        ("<?php $a = 1; foreach ($b as $a) {}", "$a", "is taken out of another value"),
        ("<?php $a = $b;", "$a.x", "comes from the variable $b"),
        ("<?php $a = new Other(); ", "$a.x", "comes from the constant new, whose value is not in this file"),
        (
            "<?php if ($x) { return ['a' => 1]; } return ['a' => 2];",
            "a",
            "is returned only under a condition",
        ),
        ("<?php require 'x.php';", "$a", "is not defined here (line 1 includes another file)"),
        ("<?php if (1) { class A { public $x = 1; } }", "A::x", "is set only under a condition"),
        ("<?php return ['a' => 'b' . 'c' ?: 'd'];", "a", "comes from a computed expression"),
        ("<?php $a = 'v'; unset($a);", "$a", "absent"),
        ("<?php return ['a' => 1]; $b = 2;", "$b", "absent"),
        ("<?php $a = ['k' => 1];", "$a.l", "absent"),
        ("<?php class A { function f() { $x = 1; } }", "$x", "absent"),
    ] {
        assert_eq!(why(source, path), reason, "{source}");
    }
}

#[test]
fn who_knows_the_sites_environment_can_tell() {
    let environment: Environment =
        [("SET", "s"), ("ZERO", "0")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    for (expression, expected) in [
        ("getenv('SET')", "s"),
        ("getenv('NONE')", ""),
        ("getenv('NONE') ?: 'd'", "d"),
        ("getenv('ZERO') ?: 'd'", "d"),
        ("getenv('NONE', true) ?: 'd'", "d"),
        ("$_ENV['SET'] ?? 'd'", "s"),
        ("$_ENV['NONE'] ?? 'd'", "d"),
        ("$_SERVER['ZERO'] ?? 'd'", "0"),
        ("env('NONE', 'd')", "d"),
        ("getenv_docker('SET', 'd')", "s"),
        ("getenv('NONE') ?? 'd'", ""),
    ] {
        let document = Document::read(format!("<?php return [{expression}];").as_bytes(), Some(&environment));
        let tree = document.get(&Path::parse("0")).unwrap_or_else(|miss| panic!("{expression}: {miss:?}"));
        assert_eq!(tree.raw().unwrap(), expected.as_bytes(), "{expression}");
    }
}

#[test]
fn types_are_kept() {
    let source = "<?php return ['t' => 'x', 'n' => 3306, 'm' => -1, 'y' => true, 'f' => FALSE, 'z' => null, 'l' => [1, 'a'], 'e' => []];";
    let (json, missing) = read(source).tree().get(&["returned".to_owned()]).unwrap().json();
    assert!(missing.is_empty());
    let expected =
        json!({"t": "x", "n": 3306, "m": -1, "y": true, "f": false, "z": null, "l": [1, "a"], "e": {}});
    assert_eq!(json, expected);
}

#[test]
fn hostile_documents_end_soon() {
    for piece in [
        "$a=[",
        "$a=[$b=[",
        "[",
        "array(",
        "$a[",
        "$a[$a[",
        "$a->b->",
        "$a['k']",
        "$a[]=",
        "$a[]=1;",
        "return [",
        "function(){",
        "class A{",
        "class A{ public $b=[",
        "'k'=>",
        "...",
        "$a=[1,",
        "A.A.",
        "define('A','aaaaaaaaaaaaaaaaaaaa');$a[]=A.A.A.A;",
        "unset($a",
        "unset($a[1]);",
        "as $a",
        "list($a",
        "[$a",
        "$a??=1;",
        "getenv('a')?:",
        "$a=getenv('a')?:[",
        "=>",
        "$a=&",
        "{",
    ] {
        for head in ["<?php ", "<?php $x=[", "<?php return "] {
            let source = format!("{head}{}", piece.repeat(256 * 1024 / piece.len()));
            let started = std::time::Instant::now();
            let tree = read(&source).tree();
            drop(tree.json());
            // Unoptimised builds on a busy machine take a fraction of this; anything quadratic takes minutes.
            assert!(started.elapsed().as_secs() < 20, "{head}{piece:?} took {:?}", started.elapsed());
        }
    }
}

fn soup() -> Vec<&'static str> {
    vec![
        "$a = 'x';",
        "$a = ['k' => 'v', 'n' => ['m' => 1]];",
        "$a = [];",
        "$b = [];",
        "$a['k'] = 'w';",
        "$a['n']['m'] = 2;",
        "$a['n'][] = true;",
        "$a[] = 'z';",
        "$b = $a;",
        "$o = new stdClass;",
        "$o->p = 'q';",
        "$o->q['r'] = 's';",
        "if ($u) {",
        "if (1) {",
        "} else {",
        "}",
        "unset($a['k']);",
        "unset($a);",
        "$a ??= 'd';",
        "$b['k'] ??= 'e';",
        "$c = array(1, 2, 'three' => 3, 5 => 'five', 'six', '7' => 7, 'x',);",
        "$c = [true => 'a', null => 'b', '1' => 'c', '01' => 'd'];",
        "define('C@', 'dd');",
        "$c[C@] = 'by constant';",
        "$d = C@ . 'e';",
        "function f@() { $a = 'local'; }",
        "class K@ { public $a = 'prop'; const B = 2; function g() { $a = 'method'; } }",
        "$d = (function () { $a = 'closure'; return 1; })();",
        "foreach ([1] as $a) {",
        "foreach ([] as $x => $b) {",
        "$e = [...[1, 2], 3];",
        "$a = $b = 'chain';",
        "$f = -5;",
        "$g = 'a' . 'b' . 7;",
        "?>",
        "<?php",
        "// c\n",
        "# c ?>\n<?php ",
        "$i = null;",
        "while (0) {",
        "switch (1) { case 1:",
        "[$a, $b] = [1, 2];",
        "list($c) = ['l'];",
        "$f++;",
        "$f *= 2;",
        "$g .= 'h';",
        "$a = 1 ? 2 : 3;",
        "$a = ['k' => 1 + 1];",
        "$a = ['k' => \"d\\x41\"];",
        "fn() => $a = 1;",
        "$u = 'never' && 0;",
        "if (1):",
        "else:",
        "endif;",
        "try {",
        "} catch (E $e) {}",
        "$a = <<<E\nh\nE;\n",
        "$b = array('a' => array('b' => array('c' => 'deep')));",
        "$b['a']['b']['c'] = 'deeper';",
        "($a = 'in brackets');",
        "0 && $a = 'no';",
        "$z = $a === 'x';",
        "switch (2) { default:",
        "do {",
        "} while (0);",
        "static $s = 's';",
        "$c = [0x10, 0b1, 017];",
        "return ['r' => 1];",
        "return ['r' => [1, 'two' => ['x' => 'y']]];",
    ]
}

/// Runs each source on its own and prints what is there at its end: variables and what is returned, as JSON lines.
const ORACLE: &str = r#"
set_error_handler(fn() => true);
foreach (json_decode(stream_get_contents(STDIN)) as $__source) {
    set_time_limit(2);
    ob_start();
    $__said = json_encode((function () use ($__source) {
        try {
            $__result = (function () use ($__source) { $__returned = eval($__source . "\n;return null;"); return [get_defined_vars(), $__returned]; })();
        } catch (Throwable $e) { return null; }
        return $__result;
    })(), JSON_PARTIAL_OUTPUT_ON_ERROR);
    ob_end_clean();
    echo $__said, "\n";
}
"#;

fn ask(sources: &[String]) -> Vec<Value> {
    let mut php = Command::new("php")
        .args(["-d", "display_errors=stderr", "-r", ORACLE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = php.stdin.take().unwrap();
    let text = serde_json::to_vec(sources).unwrap();
    let feeder = std::thread::spawn(move || input.write_all(&text));
    let output = php.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    // An uncaught end leaves the text that the source printed.
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map_while(|line| serde_json::from_str(line).ok())
        .collect()
}

/// What we claim to know, PHP itself must say as well; the other way round we may know less.
#[test]
fn php_agrees_with_every_tree() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let lines = prop::collection::vec(prop::sample::select(soup()), 1..9);
    let sources: Vec<String> = (0..15_000)
        .map(|number| {
            lines.new_tree(&mut runner).unwrap().current().join(" ").replace('@', &number.to_string())
        })
        .collect();
    let mut said = Vec::new();
    // What PHP does not even compile ends it; the others are asked again.
    while said.len() < sources.len() {
        said.extend(ask(&sources[said.len()..]));
        if said.len() < sources.len() {
            said.push(Value::Null);
        }
    }
    let mut agreed = 0;
    for (source, php) in sources.iter().zip(&said) {
        let Some([variables, returned]) = php.as_array().map(Vec::as_slice) else { continue };
        let tree = read(&format!("<?php {source}")).tree();
        let ours = tree.get(&["variables".to_owned()]).unwrap();
        // A return on the way leaves assignments behind it undone; only what it returns can be compared.
        if !source.contains("return [") {
            agreed += agree(ours, variables, source);
        }
        if let Ok(ours) = tree.get(&["returned".to_owned()]) {
            agreed += agree(ours, returned, source);
        }
    }
    assert!(agreed > 3000, "only {agreed} values were comparable");
}

/// Counts the values that are the same, and fails at the first that is not.
fn agree(ours: &Tree, php: &Value, source: &str) -> usize {
    match ours {
        Tree::Unreadable(_) => 0,
        Tree::Map(map) => map
            .keys()
            .map(|key| {
                let Ok(ours) = ours.get(&[key.to_string()]) else { return 0 };
                let php = match (php, key.to_string().parse::<usize>()) {
                    (Value::Array(items), Ok(number)) => items.get(number),
                    _ => php.get(key.to_string()),
                };
                match php {
                    Some(php) => agree(ours, php, source),
                    None => panic!("PHP has no {key} in {source}"),
                }
            })
            .sum(),
        plain => {
            assert_eq!(plain.json().0, *php, "{source}");
            1
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_settings_do_no_harm(words in prop::collection::vec(prop::sample::select(soup()), 0..60), cut in 0..2000_usize) {
        let source = format!("<?php {}", words.concat());
        let cut = (0..=cut.min(source.len())).rev().find(|at| source.is_char_boundary(*at)).unwrap();
        drop(read(&source[..cut]).tree().json());
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        drop(Document::read(&bytes, None).tree().json());
    }
}
