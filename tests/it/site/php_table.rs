//! PHP as people write it in `wp-config.php`, and what must be read from it.

use lifeboat::site::php::Definitions;

fn read(source: &str) -> Definitions {
    Definitions::read(source.as_bytes())
}

fn value(source: &str) -> String {
    read(source).constant("X").unwrap_or_else(|unreadable| panic!("{unreadable:?} in {source}"))
}

fn why(source: &str) -> String {
    read(source).constant("X").expect_err(source).why
}

#[test]
fn spellings_of_a_definition() {
    for source in [
        "<?php define('X','v');",
        "<?php define( \"X\" , \"v\" ) ;",
        "<?PHP\nDEFINE\t(\n'X',\n'v'\n);",
        "<?php \\define('X', 'v', true);",
        "<?php @define('X', 'v',);",
        "<?php define /* a */ ( # b\n 'X' // c ) ;\n , 'v' ) ?>",
        "<?php const X = 'v';",
        "<?php const A = 1, X = 'v', B = 2;",
        "<?php define('X', ('v'));",
        "<?php define('X', b'v');",
        "text <? no <?php define('X', 'v') ?> text",
        "<?= define('X', 'v') ?>",
        "<?php define('A', 'v'); define('X', A);",
        "<?php define('A', ''); const B = \\A . 'v'; define('X', '' . B . A . null . false);",
        "<?php define('N', 'X'); define(N, 'v');",
        "<?php declare(strict_types=1); namespace { define('X', 'v'); }",
    ] {
        assert_eq!(value(source), "v", "{source}");
    }
}

#[test]
fn what_is_not_a_definition() {
    for source in [
        "",
        "define('X', 'v');",
        "<?php // define('X', 'v');",
        "<?php # define('X', 'v');",
        "<?php /* define('X', 'v'); */",
        "<?php '; define(\\'X\\', 1); ';",
        "<?php $a->define('X', 'v'); A::define('X', 'v'); my_define('X', 'v'); Mine\\define('X', 'v');",
        "<?php class A { const X = 'v'; }",
        "<?php namespace A; const X = 'v';",
        "<?php ?> define('X', 'v'); <?php",
        "<?php // one ?> define('X', 'v');",
        "<?php define('x', 'v');",
        "<?php define('X');",
        "<?php return; define('X', 'v');",
        "<?php exit(1); define('X', 'v');",
        "<?php __halt_compiler(); define('X', 'v');",
        "<?php $a = <<<E\n define('X', 'v');\n E;\n",
        "<?php $a = <<<'E'\n E1\n define('X', 'v');\nE;\n",
        "<?php $a = \"{$b[\"define('X', 'v')\"]}; define('X', 'v'); \";",
    ] {
        assert_eq!(why(source), "is not defined", "{source}");
    }
}

#[test]
fn strings_keep_every_byte() {
    for (literal, expected) in [
        (r"'a\'b\\c\n$x{$y}'", r"a'b\c\n$x{$y}"),
        (r"'it\\'", r"it\"),
        (r#""a\"b\\c\$x""#, r#"a"b\c$x"#),
        (r#""\n\t\r\v\e\f""#, "\n\t\r\u{b}\u{1b}\u{c}"),
        (r#""\101\x41\u{41}\7\x7""#, "AAA\u{7}\u{7}"),
        (r#""\u{1F600}\501""#, "\u{1F600}A"),
        (r#""\q\xg\8\'""#, r"\q\xg\8\'"),
        (r#""pa$$ $1 $ { $ } 5$""#, "pa$$ $1 $ { $ } 5$"),
        (r"'#//?> /* <?php'", "#//?> /* <?php"),
        ("'a\r\nb'", "a\r\nb"),
        ("1_000", "1000"),
        ("-7", "-7"),
        ("0x1F", "31"),
        ("017", "15"),
        ("0b11", "3"),
        ("'p' . 4 . \"w\" . true", "p4w1"),
        ("TRUE", "1"),
        ("'ümlaut€'", "ümlaut€"),
    ] {
        assert_eq!(value(&format!("<?php\ndefine('X', {literal});")), expected, "{literal}");
    }
}

#[test]
fn what_only_php_could_tell_is_named() {
    for (literal, reason) in [
        ("getenv('X')", "comes from the function getenv()"),
        ("\\getenv_docker( 'A', 'b' )", "comes from the function \\getenv_docker()"),
        ("$_ENV['X']", "comes from the variable $_ENV"),
        ("\"a$b\"", "comes from a string with a variable in it"),
        ("\"a{$b['c']}\"", "comes from a string with a variable in it"),
        ("\"${a}\"", "comes from a string with a variable in it"),
        ("`id`", "comes from a string with a variable in it"),
        ("'a' . OTHER", "comes from the constant OTHER, whose value is not in this file"),
        ("'a' ?: 'b'", "comes from a computed expression"),
        ("!1", "comes from a computed expression"),
        ("1.5", "comes from a number that is not a plain whole one"),
        ("99999999999999999999", "comes from a number that is not a plain whole one"),
        ("<<<E\na\nE", "comes from a heredoc"),
        ("A::B", "comes from the expression at A"),
        (r#""\u{zz}""#, "comes from a string with an invalid escape"),
        (r#""\xff""#, "comes from a text that is not UTF-8"),
    ] {
        let source = format!("<?php\n\ndefine('X', {literal});");
        let unreadable = read(&source).constant("X").expect_err(literal);
        assert_eq!((unreadable.line, unreadable.why.as_str()), (Some(3), reason), "{literal}");
    }
}

#[test]
fn the_first_definition_wins() {
    assert_eq!(value("<?php define('X', 'a'); define('X', 'b');"), "a");
    assert_eq!(value("<?php const X = 'a'; define('X', getenv('B'));"), "a");
    assert_eq!(value("<?php define('X', 'a'); if ($b) { define('X', 'b'); }"), "a");
}

#[test]
fn guards_change_nothing() {
    for source in [
        "<?php if (!defined('X')) define('X', 'v');",
        "<?php if ( ! \\Defined( \"X\" ) ) { define('X', 'v'); }",
        "<?php if (!defined('X')): define('X', 'v'); endif; define('Y', 1);",
        "<?php defined('X') || define('X', 'v');",
        "<?php defined('X') or define('X', 'v');",
        "<?php ! defined('X') && define('X', 'v');",
        "<?php if (!defined('A')) { define('A', '/'); } define('X', 'v');",
        "<?php if ($a) { f(function () { return; }); } elseif ($b): endif; define('X', 'v');",
        "<?php if ($a) $b = c() ? (1) : (2); else { d(); } define('X', 'v');",
        "<?php defined('ABSPATH') or exit; define('X', 'v');",
        "<?php foreach ($a as $b): if ($c): d(); else: e(); endif; endforeach; define('X', 'v');",
    ] {
        assert_eq!(value(source), "v", "{source}");
    }
}

#[test]
fn what_depends_on_a_condition_is_not_guessed() {
    for source in [
        "<?php if ($a) { define('X', 'v'); }",
        "<?php if ($a) define('X', 'v');",
        "<?php if (!defined('Y')) { define('X', 'v'); }",
        "<?php $a && define('X', 'v');",
        "<?php $a ? define('X', 'v') : 0;",
        "<?php function f() { define('X', 'v'); }",
        "<?php f(function () { g(); }, define('Z', 1)) || define('X', 'v');",
        "<?php if ($a): b(); else: define('X', 'v'); endif;",
        "<?php switch ($a) { case 1: define('X', 'v'); }",
        "<?php if ($a) goto b; define('X', 'v'); b:",
        "<?php try { define('X', 'v'); } catch (E $e) {}",
    ] {
        assert_eq!(why(source), "is set only under a condition", "{source}");
    }
    let both = "<?php\nif ($a) {\n define('X', 'a');\n} else {\n define('X', 'b');\n}";
    assert_eq!(why(both), "depends on a condition: line 5 has another value");
    let default = "<?php if ($a) { define('X', 'a'); }\ndefine('X', 'b');";
    assert_eq!(why(default), "depends on a condition: line 2 has another value");
    assert_eq!(value("<?php if ($a) { define('X', 'a'); } define('X', 'a');"), "a");
}

#[test]
fn missing_because_of_something_is_said() {
    assert_eq!(why("<?php\nrequire 'db.php';"), "is not defined here (line 2 includes another file)");
    assert_eq!(
        why("<?php\n\n$a = 'no end; define('X', 1);"),
        "was not found before line 3, where reading had to stop"
    );
}

#[test]
fn the_last_plain_assignment_wins() {
    let prefix = |source: &str| read(source).variable("$table_prefix");
    assert_eq!(prefix("<?php $table_prefix = 'wp_';").as_deref(), Ok("wp_"));
    assert_eq!(prefix("<?php $table_prefix='a_'; $table_prefix  =  'b_' ?>").as_deref(), Ok("b_"));
    assert!(prefix("<?php $table_prefix = 'a_'; if ($b) { $table_prefix = 'b_'; }").is_err());
    assert!(prefix("<?php $table_prefix = 'a_'; $table_prefix .= 'b_';").is_err());
    assert!(prefix("<?php $table_prefix = getenv('P') ?: 'wp_';").is_err());
    assert!(prefix("<?php $x->table_prefix = 'wp_'; A::$table_prefix = 'a_';").is_err());
}

#[test]
fn hostile_sources_end_soon() {
    let megabyte = 1024 * 1024;
    let repeat = |piece: &str| format!("<?php {}", piece.repeat((megabyte - 6) / piece.len()));
    for piece in [
        "(",
        "{",
        "[",
        "\"",
        "'",
        "`",
        "\"{$a[",
        "<<<A\n",
        "<<<",
        "/*",
        "#",
        "#[",
        "?>",
        "<?php ",
        "$",
        "\\",
        "if(!defined('X')){",
        "define('A',",
        "define('X',((((",
        "define('A',A.A.A);",
        "const A=A.A;",
        "${",
        "\"${",
        "'a'.",
        "defined('X')||",
        "\u{e4}",
        "<<<'",
        "else:",
        "if(1):",
        "endif;",
        "}",
        ")",
        "0.",
        "->",
        "define('X','a');",
        "if(!defined('X')) define('X',getenv());",
    ] {
        let started = std::time::Instant::now();
        let found = read(&repeat(piece));
        let _ = (found.constant("X"), found.variable("$x"));
        // Unoptimised builds on a busy machine take a fraction of this; anything quadratic takes minutes.
        assert!(started.elapsed().as_secs() < 10, "{piece:?} took {:?}", started.elapsed());
    }
}

#[test]
fn too_large_a_source_is_refused() {
    let source = format!("<?php define('X', 'v'); {}", " ".repeat(1024 * 1024));
    assert_eq!(why(&source), "was not found before line 1, where reading had to stop");
}
