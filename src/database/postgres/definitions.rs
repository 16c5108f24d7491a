//! Everything in a database but its rows, as two scripts: what comes before the rows, and what comes after.

use super::fault::changed;
use super::program::PgDump;
use crate::database::PostgresSpec;
use crate::error::{Error, Result};
use crate::event::Cx;

/// With these lines a script ends; without them it was cut off.
const END: &[u8] = b"\n--\n-- PostgreSQL database dump complete\n--\n";

const RESTRICT: &[u8] = b"\\restrict ";
const UNRESTRICT: &[u8] = b"\\unrestrict ";

/// Words with which `pg_dump` says that what it was about to read has just been changed.
const CHANGES: [&str; 7] = [
    "lock timeout",
    "deadlock detected",
    "concurrently",
    "does not exist",
    "cache lookup failed",
    "could not open relation",
    "could not find",
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Definitions {
    pub before: Vec<u8>,
    pub after: Vec<u8>,
}

impl Definitions {
    /// Of a database as it is now.
    pub(super) fn read(program: &PgDump, spec: &PostgresSpec, database: &str, cx: &Cx) -> Result<Self> {
        let section = |name: &str| -> Result<Vec<u8>> {
            match program.definitions(spec, (database, name), cx)? {
                Ok(text) => plain(&text).ok_or_else(|| {
                    Error::failed(format!("pg_dump ended well, but its {name} definitions are not whole"))
                }),
                Err(said) if CHANGES.iter().any(|words| said.contains(words)) => Err(changed(&said)),
                Err(said) => Err(Error::failed(format!("pg_dump could not write the definitions: {said}"))
                    .with_remedy("the database user needs the right to read every table")),
            }
        };
        Ok(Self { before: section("pre-data")?, after: section("post-data")? })
    }
}

/// The script without the two lines that hold a random word, or equal databases would make different files; `None` if it
/// does not come to its end.
fn plain(script: &[u8]) -> Option<Vec<u8>> {
    let end = script.windows(END.len()).rposition(|window| window == END)? + END.len();
    let (body, tail) = script.split_at(end);
    let mut rest = tail.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let (word, more) = (rest.next(), rest.next());
    let mut text = body.to_vec();
    match word {
        None => {}
        Some(line) if line.starts_with(UNRESTRICT) && more.is_none() => {
            let opening = [RESTRICT, &line[UNRESTRICT.len()..], b"\n"].concat();
            // The first lines are comments; what looks like it further down is somebody's text.
            let at = body.windows(opening.len()).position(|window| window == opening)?;
            let head = body[..at].split(|byte| *byte == b'\n');
            if !head.into_iter().all(|line| line.is_empty() || line.starts_with(b"--")) {
                return None;
            }
            text.drain(at..at + opening.len());
        }
        Some(_) => return None,
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_random_word_goes_and_what_is_cut_off_is_refused() {
        let script = "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSELECT '\n\\restrict abc\n';\n\n--\n\
                      -- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n\n";
        let plain_text = String::from_utf8(plain(script.as_bytes()).unwrap()).unwrap();
        assert!(
            plain_text.starts_with("--\n-- PostgreSQL database dump\n--\n\n\nSELECT '\n\\restrict abc\n'")
        );
        assert!(plain_text.ends_with("complete\n--\n"));
        let old =
            script.replace("\\restrict abc\n\nSELECT", "\nSELECT").replace("\n\\unrestrict abc\n\n", "\n");
        assert!(plain(old.as_bytes()).is_some(), "a program that knows no such lines");
        for end in [0, 10, 40, script.len() - 40] {
            assert_eq!(plain(&script.as_bytes()[..end]), None, "cut at {end}");
        }
    }
}
