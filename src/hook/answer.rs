//! What a hook has to say to a run: one JSON object on its standard output, hostile until it is parsed.

use ignore::gitignore::GitignoreBuilder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{plain, point};
use crate::error::{Context, Error, Result};
use crate::event::{RunKind, RunState, check_tag};

/// Patterns, or tags, in one answer.
const MOST: usize = 1000;

/// Of a text, in characters; what is longer is cut.
const LONGEST_TEXT: usize = 1000;

/// Of a pattern, in bytes.
const LONGEST_PATTERN: usize = 4096;

/// The answer of a hook. Standard output that begins with `{` is one, and then must be nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Leave this run out, for this reason; from `before-` hooks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<String>,
    /// What this backup leaves out of the files besides what the configuration says: patterns as in a .gitignore, relative to
    /// the root of the site. Until the files are read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub exclude: Vec<String>,
    /// What the snapshot is to be found by besides. Until the files are read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub tags: Vec<String>,
    /// A fact that is worth a line in the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Whether somebody who writes this wants to answer.
pub(super) fn is_meant(output: &[u8]) -> bool {
    output.trim_ascii_start().starts_with(b"{")
}

/// Reads an answer, of which nothing may be missing.
pub(super) fn read(output: &[u8], cut: bool) -> Result<Answer> {
    if cut {
        return Err(Error::failed("it is longer than what is kept"));
    }
    let mut answer: Answer = serde_json::from_slice(output)?;
    for text in [&mut answer.skip, &mut answer.note].into_iter().flatten() {
        let short: String = plain(text).chars().take(LONGEST_TEXT).collect();
        short.trim().clone_into(text);
    }
    Ok(answer)
}

impl Answer {
    /// As far as it concerns this run, if all of it may be said at this point. What shapes a backup is passed over by others: no
    /// restore is to fail because a hook at `before-run` does not look of what kind a run is.
    pub(super) fn fit(mut self, at: &str, state: &RunState) -> Result<Self> {
        if self.skip.is_some() && !point::can_stop(at, state) {
            return Err(Error::failed("`skip` has no meaning at this point"));
        }
        if state.kind != Some(RunKind::Backup) {
            self.exclude.clear();
            self.tags.clear();
        }
        if (!self.exclude.is_empty() || !self.tags.is_empty()) && !point::can_shape(at, state) {
            return Err(Error::failed("`exclude` and `tags` must come before the files are read"));
        }
        if self.exclude.len() > MOST || self.tags.len() > MOST {
            return Err(Error::failed(format!("there are more than {MOST} patterns or tags")));
        }
        self.exclude.iter().try_for_each(|pattern| check_pattern(pattern))?;
        let tag =
            |tag: &String| check_tag(tag).map_err(|why| Error::failed(format!("the tag {tag:?} {why}")));
        self.tags.iter().try_for_each(tag)?;
        Ok(self)
    }
}

/// A hook can leave out more, and bring nothing in: what the configuration leaves out may be files of a database.
fn check_pattern(pattern: &str) -> Result<()> {
    let refuse = |why: &str| Err(Error::failed(format!("the pattern {pattern:?} {why}")));
    if pattern.len() > LONGEST_PATTERN {
        return Err(Error::failed(format!("a pattern is longer than {LONGEST_PATTERN} bytes")));
    }
    if pattern.trim().is_empty() || pattern.starts_with('#') {
        return refuse("leaves nothing out");
    }
    if pattern.starts_with('!') {
        return refuse("would bring something in");
    }
    if pattern.chars().any(char::is_control) {
        return refuse("has a control character in it");
    }
    let mut builder = GitignoreBuilder::new("/");
    builder.add_line(None, pattern).map(drop).with_context(|| format!("read the pattern {pattern:?}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn backup() -> RunState {
        RunState { kind: Some(RunKind::Backup), ..RunState::default() }
    }

    #[test]
    fn an_answer_says_what_it_says_and_nothing_else() {
        let text = br#" {"exclude": ["/cache/", "*.log"], "tags": ["night"], "note": "two\nlines"} "#;
        let answer = read(text, false).unwrap();
        assert_eq!(answer.exclude, ["/cache/", "*.log"]);
        assert_eq!(answer.note.as_deref(), Some("two lines"));
        assert_eq!(answer.clone().fit("before-run", &backup()).unwrap(), answer);
        let restore = RunState { kind: Some(RunKind::Restore), ..RunState::default() };
        let left = answer.fit("before-run", &restore).unwrap();
        assert_eq!(left, Answer { note: Some("two lines".to_owned()), ..Answer::default() });
        assert_eq!(read(b"{}", false).unwrap(), Answer::default());
        for wrong in [
            &br#"{"skipp": "x"}"#[..],
            br#"{"skip": 1}"#,
            br#"{"exclude": "*.log"}"#,
            br#"{"tags": null}"#,
            br#"{"note": "a"} {"note": "b"}"#,
            br#"{"note": "a", "note": "b"}"#,
            br#"{"note": "a"}, done"#,
            b"{",
            b"{\"note\": \"\xff\"}",
        ] {
            assert!(is_meant(wrong));
            assert!(read(wrong, false).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
        assert!(read(b"{}", true).unwrap_err().to_string().contains("longer"));
        for text in [&b"working {1}"[..], b"", b"[1]"] {
            assert!(!is_meant(text));
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let patterns = ["", "  ", "#x", "!cache", "a\nb", "a{b", &"x".repeat(5000)];
        for pattern in patterns {
            let answer = Answer { exclude: vec![pattern.to_owned()], ..Answer::default() };
            assert!(answer.fit("before-run", &backup()).is_err(), "{pattern}");
        }
        for tag in ["", "a,b", "a\nb", "safety", "incomplete"] {
            let answer = Answer { tags: vec![tag.to_owned()], ..Answer::default() };
            assert!(answer.fit("before-run", &backup()).is_err(), "{tag}");
        }
        let many = Answer { tags: vec!["x".to_owned(); 1001], ..Answer::default() };
        assert!(many.fit("before-run", &backup()).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever a hook writes, it is an error or an answer that fits on lines and says the same when it is read again.
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut text = b"{".to_vec();
            text.extend(bytes);
            drop(read(&text, false));
        }

        #[test]
        fn what_is_accepted_is_harmless(
            skip in prop::option::of(".{0,40}"),
            exclude in prop::collection::vec(".{0,20}", 0..3),
            tags in prop::collection::vec(".{0,20}", 0..3),
            note in prop::option::of("(?s).{0,1200}"),
            more in prop::option::of("[a-z]{1,6}"),
        ) {
            let mut document = json!({"exclude": exclude, "tags": tags});
            for (key, text) in [("skip", &skip), ("note", &note)] {
                if let Some(text) = text {
                    document[key] = json!(text);
                }
            }
            let known = ["skip", "exclude", "tags", "note"];
            let strange = more.filter(|key| !known.contains(&key.as_str()));
            if let Some(key) = &strange {
                document[key] = json!(1);
            }
            let answer = read(document.to_string().as_bytes(), false);
            prop_assert_eq!(answer.is_err(), strange.is_some());
            let Ok(answer) = answer else { return Ok(()) };
            prop_assert_eq!((&answer.exclude, &answer.tags), (&exclude, &tags));
            for text in [&answer.skip, &answer.note].into_iter().flatten() {
                let wrong = |letter: char| letter.is_control() && letter != '\t';
                prop_assert!(text.chars().count() <= LONGEST_TEXT && !text.contains(wrong));
            }
            if let Ok(answer) = answer.clone().fit("before-run", &backup()) {
                prop_assert!(answer.exclude.iter().all(|pattern| !pattern.starts_with(['!', '#'])));
                prop_assert!(answer.tags.iter().all(|tag| !tag.contains([',', '\n']) && !tag.is_empty()));
            }
            let again = read(&serde_json::to_vec(&answer).unwrap(), false).unwrap();
            prop_assert_eq!(again, answer);
        }
    }
}
