//! Any text, spelled in any way PHP allows, is read back as it was; any bytes at all do no harm.

use lifeboat::site::php::Definitions;
use proptest::prelude::*;

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
        Spelling::CodePoints => plain(format!(
            "\"{}\"",
            text.chars().map(|char| format!("\\u{{{:x}}}", char as u32)).collect::<String>()
        )),
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
        let noise: String = noise.iter().map(|noise| format!("$noise = {}; // {}\n", single(noise), noise.replace(['\n', '\r', '?'], ""))).collect();
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
