//! Any text, spelled in any way PHP allows, is read back as it was; any bytes at all do no harm.

use lifeboat::site::php::Definitions;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

/// How one piece of a text is written.
#[derive(Clone, Debug)]
enum Spelling {
    Single,
    Double,
    /// Every byte as an octal or hexadecimal escape.
    Octal,
    Hexadecimal,
    CodePoints,
    Parentheses,
    /// By way of another constant.
    Constant,
}

fn spelling() -> impl Strategy<Value = Spelling> {
    prop_oneof![
        Just(Spelling::Single),
        Just(Spelling::Double),
        Just(Spelling::Octal),
        Just(Spelling::Hexadecimal),
        Just(Spelling::CodePoints),
        Just(Spelling::Parentheses),
        Just(Spelling::Constant),
    ]
}

fn single(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn double(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

/// The expression, after what has to be defined before it.
fn print(text: &str, spelling: &Spelling, number: usize) -> (String, String) {
    let bytes = |write: fn(u8) -> String| format!("\"{}\"", text.bytes().map(write).collect::<String>());
    let plain = |expression: String| (String::new(), expression);
    match spelling {
        Spelling::Single => plain(single(text)),
        Spelling::Double => plain(double(text)),
        Spelling::Octal => plain(bytes(|byte| format!("\\{byte:03o}"))),
        Spelling::Hexadecimal => plain(bytes(|byte| format!("\\x{byte:02X}"))),
        Spelling::CodePoints => {
            let points: Vec<_> = text.chars().map(|char| format!("\\u{{{:x}}}", u32::from(char))).collect();
            plain(format!("\"{}\"", points.concat()))
        }
        Spelling::Parentheses => plain(format!("( {} )", double(text))),
        Spelling::Constant => (format!("define('PART{number}', {});", single(text)), format!("PART{number}")),
    }
}

fn blank() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just(" ".to_owned()),
        Just("\n\t".to_owned()),
        Just("/* ' \" ) ; */".to_owned()),
        Just(" // ' \" ( ;\n".to_owned()),
        Just(" # <?php '\r\n".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn texts_survive_any_spelling(
        pieces in prop::collection::vec((any::<String>(), spelling()), 1..5),
        blanks in prop::collection::vec(blank(), 6),
        noise in prop::collection::vec(any::<String>(), 0..3),
        keyword in prop::sample::select(vec!["define", "DEFINE", "Define", "\\define"]),
    ) {
        let text: String = pieces.iter().map(|(text, _)| text.as_str()).collect();
        let (before, parts): (Vec<_>, Vec<_>) =
            pieces.iter().enumerate().map(|(number, (text, spelling))| print(text, spelling, number)).unzip();
        let comment = |noise: &String| noise.replace(['\n', '\r', '?'], "");
        let noise: Vec<_> = noise.iter().map(|noise| format!("$noise = {}; // {}\n", single(noise), comment(noise))).collect();
        let noise = noise.concat();
        let [a, b, c, d, e, f] = &blanks[..] else { unreachable!() };
        let value = parts.join(&format!("{a}.{b}"));
        let source = format!("<?php\n{noise}{}\n{keyword}{c}({d}'SECRET'{e},{f}{value}{a}){b};\n{noise}", before.join("\n"));
        let found = Definitions::read(source.as_bytes()).constant("SECRET");
        prop_assert_eq!(found.as_deref().map_err(|unreadable| unreadable.why.clone()), Ok(text.as_str()), "{}", source);
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let found = Definitions::read(&bytes);
        let _ = found.constant("DB_NAME");
    }

    #[test]
    fn arbitrary_php_does_no_harm(words in prop::collection::vec(prop::sample::select(vec![
        "define", "(", ")", "'X'", ",", ".", ";", "\"", "'", "{$", "}", "{", "<<<E\n", "\nE", "?>", "<?php ", "if", "else", ":",
        "endif", "!", "defined", "||", "const ", "X", "=", "$v", "/*", "*/", "#", "\\", "0x", "1.", "function ", "->", "${", "`",
    ]), 0..200)) {
        let source = format!("<?php {}", words.concat());
        let found = Definitions::read(source.as_bytes());
        let _ = (found.constant("X"), found.variable("$v"));
    }
}

/// What we claim to know, PHP itself must say as well; the other way round we may know less.
#[test]
#[ignore = "needs the php command"]
fn php_agrees_with_every_value() {
    let words = [
        "define('X', 'a');",
        "define('X', 'b');",
        "define('X', A . 'c');",
        "define('A', 'x');",
        "const X = 'd';",
        "const A = 1;",
        "if (!defined('X')) {",
        "if (!defined('X')):",
        "if (!defined('A')) {",
        "if (1) {",
        "if (0):",
        "} else {",
        "else:",
        "}",
        "endif;",
        "if (0)",
        "if (!defined('X'))",
        "else",
        "defined('X') ||",
        "defined('X') or",
        "!defined('X') &&",
        "?>",
        "<?php",
        "/*",
        "*/",
        "// c\n",
        "# c\n",
        "'",
        "\"",
        "$a = <<<E\n",
        "\nE;\n",
        "\nE\n",
        "$a = \"{$b[\"",
        "\"]}\";",
        "f(function () {",
        "});",
        "return;",
        "while (0)",
        "switch (1) { case 1:",
        "$a = 1 ? 2 :",
        ";",
        "{",
        "function f($x) {",
        "foreach ([] as $b):",
        "endforeach;",
        "do {",
        "} while (0);",
        "$a ??",
        "0 and",
        "1 &&",
        "class C { const X = 'z';",
        "exit;",
        "namespace N;",
        "$o?->",
        "C::",
        "match(1) {",
        "default => ",
        "define('X', \"\\x41\\u{42}\\103\");",
        "goto e;",
        "e:",
        "try {",
        "} catch (E $e) {",
        "fn() =>",
        "@",
        "return 1;",
    ];
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let soup = prop::collection::vec(prop::sample::select(words.to_vec()), 1..10);
    let mut agreed = 0;
    for _ in 0..4000 {
        let body = soup.new_tree(&mut runner).unwrap().current().join(" ");
        let source = format!("<?php {body}");
        let Ok(value) = Definitions::read(source.as_bytes()).constant("X") else { continue };
        // The value is printed at the end of the run, however it ends; a file PHP refuses to compile says nothing.
        let script = format!(
            "set_error_handler(fn() => true); register_shutdown_function(function () {{ \
             echo \"\\0\", defined('X') ? constant('X') : '?', \"\\0\"; }}); eval(base64_decode('{}'));",
            base64(format!("?>{source}").as_bytes())
        );
        let output = std::process::Command::new("php")
            .args(["-d", "display_errors=stderr", "-d", "max_execution_time=1", "-r", &script])
            .output()
            .unwrap();
        let broken = String::from_utf8_lossy(&output.stderr).contains("rror");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = said.rsplit('\0').nth(1).unwrap_or("?").to_owned();
        // A guard that ends the run early defines nothing at all; such a site does not work either.
        let ended_early = said == "?" && (body.contains("exit;") || body.contains("return"));
        if !broken && !ended_early {
            assert_eq!(said, value, "{source}");
            agreed += 1;
        }
    }
    assert!(agreed > 50, "only {agreed} sources were comparable");
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = chunk.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS[(number >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}
