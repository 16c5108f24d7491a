//! Snapshots that the platform's former backup add-ons left in a repository: what their only tag and their paths say.

use std::path::{Path, PathBuf};

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::Serialize;

use super::list::Snapshot;
use super::reader::Reader;
use crate::error::{Error, Result};

/// Where they put what is no file of the site.
const BESIDE: [&str; 2] = ["/root", "/tmp"];

/// Their clock read the tag's time just before restic read its own; a tag that is further off tells no time.
const NEAR_SECONDS: i64 = 26 * 3600;

/// What becomes of the snapshots that were there before the repository was adopted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adoption {
    /// They stay, and take no other snapshot's place.
    Keep,
    /// They are judged by the rules of retention as the site's own.
    Rotate,
}

/// What the snapshot of a former add-on says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Adopted {
    /// The first word of its tag, by which their forms name it: `2024-01-01_000000_UTC`.
    pub stamp: String,
    /// `auto` or `manual`, where the tag says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Product and version of the database server, where the tag says so: `mariadb-10.11.6`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

/// A tag taken apart.
struct Tag {
    adopted: Adopted,
    civil: DateTime,
    utc: bool,
}

impl Adopted {
    /// What the tags say, and the moment that they mean; a snapshot without such a tag is known by its own time.
    pub(super) fn read<'a>(tags: impl Iterator<Item = &'a String>, made: &Zoned) -> (Self, Timestamp) {
        let own = made.timestamp();
        let Some(tag) = tags.into_iter().find_map(|tag| Tag::parse(tag)) else {
            return (Self { stamp: stamp(own), cause: None, server: None }, own);
        };
        // Letters such as CST mean several zones; but the node that wrote them told restic its offset.
        let zone = if tag.utc { TimeZone::UTC } else { TimeZone::fixed(made.offset()) };
        let told = zone.to_timestamp(tag.civil).ok();
        let near = |time: &Timestamp| time.duration_since(own).as_secs().abs() <= NEAR_SECONDS;
        (tag.adopted, told.filter(near).unwrap_or(own))
    }
}

impl Tag {
    /// `2024-01-01_000000_UTC COMMIT auto`, with an empty commit most of the time, or `2024-01-01_000000_UTC-auto(mysql-8.0.35)`.
    fn parse(tag: &str) -> Option<Self> {
        let civil = civil(tag)?;
        let zone: String =
            tag[DATE_AND_TIME..].strip_prefix('_')?.chars().take_while(|c| is_zone(*c)).collect();
        let mut end = DATE_AND_TIME + 1 + zone.len();
        let mut cause = None;
        // The sign of a zone without letters is no dash before a word.
        for word in ["auto", "manual"] {
            if let Some(before) = zone.strip_suffix(word).and_then(|zone| zone.strip_suffix('-')) {
                end = DATE_AND_TIME + 1 + before.len();
                cause = Some(word.to_owned());
            }
        }
        let server = tag.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).map(str::to_owned);
        let last = tag.split(' ').next_back();
        let cause =
            cause.or_else(|| last.filter(|word| ["auto", "manual"].contains(word)).map(str::to_owned));
        let zone = &tag[DATE_AND_TIME + 1..end];
        let utc = zone.is_empty() || ["UTC", "GMT", "UCT", "Z"].contains(&zone);
        Some(Self { adopted: Adopted { stamp: tag[..end].to_owned(), cause, server }, civil, utc })
    }
}

/// Letters in `2024-01-01_000000`.
const DATE_AND_TIME: usize = 17;

const fn is_zone(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-')
}

/// The date and the time at the beginning of a stamp.
fn civil(text: &str) -> Option<DateTime> {
    let head = text.get(..DATE_AND_TIME)?;
    let shape = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        10 => byte == b'_',
        _ => byte.is_ascii_digit(),
    };
    if !head.bytes().enumerate().all(shape) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| head[range].parse::<i16>().ok();
    let small = |at: usize| number(at..at + 2).and_then(|number| i8::try_from(number).ok());
    let date = Date::new(number(0..4)?, small(5)?, small(8)?).ok()?;
    Some(DateTime::from_parts(date, Time::new(small(11)?, small(13)?, small(15)?, 0).ok()?))
}

/// A moment as their forms name it.
pub fn stamp(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d_%H%M%S_UTC").to_string()
}

impl Snapshot {
    /// What the forms of the former add-ons name it by, whoever made it.
    pub fn stamp(&self) -> String {
        self.adopted.as_ref().map_or_else(|| stamp(self.time), |adopted| adopted.stamp.clone())
    }
}

impl Reader {
    /// Where a snapshot that says nothing of itself has the site: at `root`, or at the only directory it is of. `None` if it has
    /// no site at all, such as one of a database.
    pub fn recorded_root(&self, snapshot: &Snapshot, root: &Path) -> Result<Option<PathBuf>> {
        let is_dir =
            |path: &Path| Ok::<_, Error>(self.find(snapshot.tree, path)?.is_some_and(|node| node.is_dir()));
        let mut found = Vec::new();
        for path in &snapshot.paths {
            if path == root && is_dir(path)? {
                return Ok(Some(root.to_owned()));
            }
            if !is_beside(path) && is_dir(path)? {
                found.push(path);
            }
        }
        match found.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some((*one).clone())),
            several => Err(Error::usage(format!(
                "snapshot {} is of {} directories, and none of them is {}",
                snapshot.short_id(),
                several.len(),
                root.display()
            ))
            .with_remedy("restore it elsewhere with `--to DIR`")),
        }
    }

    /// The dumps of databases in such a snapshot, as plain or packed SQL.
    pub fn recorded_dumps(&self, snapshot: &Snapshot) -> Result<Vec<PathBuf>> {
        let mut dumps = Vec::new();
        for path in snapshot.paths.iter().filter(|path| is_beside(path)) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let sql = name.ends_with(".sql") || name.ends_with(".sql.gz");
            if sql && self.find(snapshot.tree, path)?.is_some_and(|node| node.is_file()) {
                dumps.push(path.clone());
            }
        }
        Ok(dumps)
    }
}

fn is_beside(path: &Path) -> bool {
    BESIDE.iter().any(|directory| path.starts_with(directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tag: &str, made: &str) -> (Adopted, String) {
        let (adopted, time) = Adopted::read([tag.to_owned()].iter(), &made.parse().unwrap());
        (adopted, time.to_string())
    }

    #[test]
    fn the_one_tag_is_a_moment_and_a_cause() {
        let (adopted, time) = read("2024-01-01_000000_UTC  auto", "2024-01-01T00:00:07+00:00[UTC]");
        assert_eq!(
            (adopted.stamp.as_str(), adopted.cause.as_deref()),
            ("2024-01-01_000000_UTC", Some("auto"))
        );
        assert_eq!((adopted.server, time.as_str()), (None, "2024-01-01T00:00:00Z"));
        let (adopted, _) = read("2024-01-01_000000_UTC 3f2a91c manual", "2024-01-01T00:00:07+00:00[UTC]");
        assert_eq!(adopted.cause.as_deref(), Some("manual"));
    }

    #[test]
    fn the_database_add_on_writes_it_without_blanks() {
        let (adopted, _) = read("2024-01-01_000000_UTC-auto(mysql-8.0.35)", "2024-01-01T00:00:07+00:00[UTC]");
        assert_eq!(adopted.stamp, "2024-01-01_000000_UTC");
        assert_eq!(
            (adopted.cause.as_deref(), adopted.server.as_deref()),
            (Some("auto"), Some("mysql-8.0.35"))
        );
    }

    #[test]
    fn a_zone_of_letters_is_what_the_node_meant_by_it() {
        let (adopted, time) = read("2024-07-01_120000_CST  auto", "2024-07-01T12:00:09+08:00[+08:00]");
        assert_eq!(
            (adopted.stamp.as_str(), time.as_str()),
            ("2024-07-01_120000_CST", "2024-07-01T04:00:00Z")
        );
        let (adopted, time) = read("2024-07-01_120000_-03  auto", "2024-07-01T12:00:09-03:00[-03:00]");
        assert_eq!(
            (adopted.stamp.as_str(), time.as_str()),
            ("2024-07-01_120000_-03", "2024-07-01T15:00:00Z")
        );
    }

    #[test]
    fn what_tells_no_time_leaves_the_snapshots_own() {
        let made = "2024-01-01T01:02:03+00:00[UTC]";
        for odd in [
            "",
            "daily",
            "2024-13-01_000000_UTC",
            "9999-01-01_000000_UTC",
            "2024-01-01",
            "2024-01-01_00:00:00",
        ] {
            assert_eq!(read(odd, made).1, "2024-01-01T01:02:03Z", "{odd}");
        }
        assert_eq!(read("daily", made).0.stamp, "2024-01-01_010203_UTC");
    }
}
