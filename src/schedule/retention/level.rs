//! Levels of a retention policy: for each, how many snapshots stay, and which one of a minute, an hour, a day is the one.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Zoned;
use jiff::civil::DateTime;
use serde::Serialize;

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// More than anybody keeps.
const MOST: u32 = 10_000;

/// The levels, from the finest to the coarsest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    Minutely,
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

impl Level {
    pub const ALL: [Self; 6] =
        [Self::Minutely, Self::Hourly, Self::Daily, Self::Weekly, Self::Monthly, Self::Yearly];

    /// As the configuration says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Minutely => "minutely",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Yearly => "yearly",
        }
    }

    const fn period(self) -> &'static str {
        match self {
            Self::Minutely => "minute",
            Self::Hourly => "hour",
            Self::Daily => "day",
            Self::Weekly => "week",
            Self::Monthly => "month",
            Self::Yearly => "year",
        }
    }

    /// What a reference counts, with its first and its last value.
    const fn unit(self) -> (&'static str, u8, u8) {
        match self {
            Self::Minutely => ("second", 0, 59),
            Self::Hourly => ("minute", 0, 59),
            Self::Daily => ("hour", 0, 23),
            Self::Weekly => ("day of the week (1 is Monday)", 1, 7),
            Self::Monthly => ("day of the month", 1, 31),
            Self::Yearly => ("month", 1, 12),
        }
    }

    /// Whose winners are the candidates of this level. Months do not end with weeks: both choose among days.
    const fn from(self) -> Option<Self> {
        match self {
            Self::Minutely => None,
            Self::Hourly => Some(Self::Minutely),
            Self::Daily => Some(Self::Hourly),
            Self::Weekly | Self::Monthly => Some(Self::Daily),
            Self::Yearly => Some(Self::Monthly),
        }
    }

    /// Where in its period a moment is.
    #[allow(clippy::cast_sign_loss)] // none of them is negative
    fn position(self, at: &Zoned) -> u8 {
        (match self {
            Self::Minutely => at.second(),
            Self::Hourly => at.minute(),
            Self::Daily => at.hour(),
            Self::Weekly => at.weekday().to_monday_one_offset(),
            Self::Monthly => at.day(),
            Self::Yearly => at.month(),
        }) as u8
    }

    /// The period a moment belongs to, on the clocks and by the calendar of its zone; weeks begin on Monday. An hour that the
    /// clocks show twice is two hours.
    fn key(self, at: &Zoned) -> Key {
        let (date, hour, minute) = (at.date(), at.hour(), at.minute());
        let offset = at.offset().seconds();
        match self {
            Self::Minutely => (date.at(hour, minute, 0, 0), -offset),
            Self::Hourly => (date.at(hour, 0, 0, 0), -offset),
            Self::Daily => (date.at(0, 0, 0, 0), 0),
            Self::Weekly => {
                let back = i64::from(at.weekday().to_monday_zero_offset());
                (date.saturating_sub(jiff::Span::new().days(back)).at(0, 0, 0, 0), 0)
            }
            Self::Monthly => (date.first_of_month().at(0, 0, 0, 0), 0),
            Self::Yearly => (date.first_of_year().at(0, 0, 0, 0), 0),
        }
    }

    /// The period of a moment, as people name it.
    pub(super) fn say(self, at: &Zoned) -> String {
        let format = match self {
            Self::Minutely => "%Y-%m-%d %H:%M",
            Self::Hourly => "%Y-%m-%d %H:00",
            Self::Daily => "%Y-%m-%d",
            Self::Weekly => "week %G-W%V",
            Self::Monthly => "%Y-%m",
            Self::Yearly => "%Y",
        };
        at.strftime(format).to_string()
    }
}

/// The beginning of a period, and what tells the two hours apart that the clocks show twice: the later one has the
/// smaller offset.
type Key = (DateTime, i32);

/// How many a level keeps, and which snapshot of its period it prefers: `4@L`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Elect {
    pub keep: u32,
    /// The second, minute, hour, weekday (1 is Monday), day or month that its snapshot should be closest to.
    pub reference: u8,
}

impl Elect {
    /// What a level is whose key is left out: nothing is kept, and the last of a period stands for it.
    pub const fn none(level: Level) -> Self {
        Self { keep: 0, reference: level.unit().2 }
    }

    /// Reads `4@L`, `4@3`, `4@sat` or `4`, which is `4@L`; the error says what is wrong.
    pub fn parse(level: Level, text: &str) -> Result<Self, String> {
        let (count, reference) = text.trim().split_once('@').unwrap_or((text.trim(), "L"));
        let (unit, first, last) = level.unit();
        let keep = digits(count).filter(|keep| *keep <= MOST);
        let keep = keep.ok_or_else(|| format!("{count:?} is no number of snapshots from 0 to {MOST}"))?;
        let lower = reference.to_ascii_lowercase();
        let words: &[&str] = match level {
            Level::Weekly => &WEEKDAYS,
            Level::Yearly => &MONTHS,
            _ => &[],
        };
        let word = words.iter().zip(first..).find(|(word, _)| **word == lower).map(|(_, value)| value);
        let number = digits(reference).and_then(|value| u8::try_from(value).ok());
        let number = number.filter(|value| (first..=last).contains(value));
        let reference = if lower == "l" { Some(last) } else { word.or(number) };
        reference.map(|reference| Self { keep, reference }).ok_or_else(|| {
            format!("the part behind @ is no {unit} from {first} to {last}, nor L for the last")
        })
    }
}

impl Elect {
    /// As the configuration writes it.
    pub fn text(self, level: Level) -> String {
        let Self { keep, reference } = self;
        if reference == level.unit().2 { format!("{keep}@L") } else { format!("{keep}@{reference}") }
    }
}

/// Digits and nothing else; Rust alone would take a sign too.
pub(super) fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// All six levels of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Levels([Elect; 6]);

impl Default for Levels {
    fn default() -> Self {
        Self(Level::ALL.map(Elect::none))
    }
}

impl Levels {
    #[must_use]
    pub fn with(mut self, level: Level, elect: Elect) -> Self {
        self.0[level as usize] = elect;
        self
    }

    pub fn of(&self, level: Level) -> Elect {
        self.0[level as usize]
    }

    /// Levels that keep something, from the finest to the coarsest.
    pub fn keeping(&self) -> impl DoubleEndedIterator<Item = (Level, Elect)> + '_ {
        Level::ALL.into_iter().map(|level| (level, self.of(level))).filter(|(_, elect)| elect.keep > 0)
    }
}

/// For which level a snapshot stays, and as which one of it, counted from the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) level: Level,
    pub(super) rank: u32,
}

/// What the levels say of snapshots.
pub(super) struct Election {
    kept: BTreeMap<usize, Place>,
    /// For each level, the places of its winners in the list, newest first.
    winners: [Vec<usize>; 6],
    levels: Levels,
}

impl Election {
    /// `times` are all the snapshots that count, newest first.
    ///
    /// In each period of a level, the candidate wins that is closest to the level's reference; of two that are as close, the
    /// later. Candidates are the winners of the next finer level. Each level then keeps the newest of its winners that no
    /// coarser level keeps already.
    ///
    /// Backtor's meaning, where it is at odds with itself, is read in the way that keeps more:
    /// - "Each counts in its highest level only": there, what a level has no room for any more is removed, though a finer level
    ///   would have room; at the next look a neighbour takes its place in the coarse level, and is removed too. Here it counts in
    ///   the highest level that has room for it.
    /// - A level that keeps none (`0@L`) does not elect: seven daily ones are seven, whatever day the week ends with.
    /// - "The newest has all tags" would let it push an old one out of the coarsest level, for as long as it is the newest. Here
    ///   it is kept as the newest, and counts where it is elected like any other.
    pub(super) fn hold(times: &[Zoned], levels: Levels) -> Self {
        let mut winners: [Vec<usize>; 6] = std::array::from_fn(|_| Vec::new());
        for level in Level::ALL {
            let all: Vec<usize>;
            let candidates = if let Some(finer) = level.from() {
                &winners[finer as usize]
            } else {
                all = (0..times.len()).collect();
                &all
            };
            winners[level as usize] = winners_of(level, times, candidates, levels.of(level).reference);
        }
        let mut kept = BTreeMap::new();
        for (level, elect) in levels.keeping().rev() {
            let free: Vec<usize> =
                winners[level as usize].iter().copied().filter(|at| !kept.contains_key(at)).collect();
            for (at, rank) in free.into_iter().zip(1..=elect.keep) {
                kept.insert(at, Place { level, rank });
            }
        }
        Self { kept, winners, levels }
    }

    pub(super) fn place(&self, at: usize) -> Option<Place> {
        self.kept.get(&at).copied()
    }

    /// Why no level keeps it; nothing if there are no levels.
    pub(super) fn why_not(&self, at: usize) -> Option<String> {
        let won = |(level, _): &(Level, Elect)| self.winners[*level as usize].contains(&at);
        if let Some((level, elect)) = self.levels.keeping().rev().find(won) {
            return Some(format!("older than the {} {} {} kept", elect.keep, level.name(), are(elect.keep)));
        }
        let (finest, _) = self.levels.keeping().next()?;
        Some(format!("another one stands for its {}", finest.period()))
    }
}

const fn are(count: u32) -> &'static str {
    if count == 1 { "one that is" } else { "ones that are" }
}

fn winners_of(level: Level, times: &[Zoned], candidates: &[usize], reference: u8) -> Vec<usize> {
    let mut best = BTreeMap::new();
    for &at in candidates {
        let time = &times[at];
        // There is one candidate in each period of the finer level, so that a later one is of a later period: what else there
        // was in it has no say, and removing that changes nobody's place.
        let rank = (level.position(time).abs_diff(reference), at);
        let entry = best.entry(level.key(time)).or_insert(rank);
        *entry = rank.min(*entry);
    }
    let mut winners: Vec<usize> = best.into_values().map(|(_, at)| at).collect();
    winners.sort_unstable();
    winners
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
