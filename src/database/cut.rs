//! Where one file of rows ends and the next begins, so that a change of a row touches one small file on every run.
//!
//! Each row decides by its own key and size whether a file ends behind it. An estimate of the server takes part for huge
//! tables alone, and what was decided once stays for a long time: a rule that moves makes every file new.

use serde::{Deserialize, Serialize};

/// Size that files of rows aim at, in bytes: small ones make the second backup small, large ones the first.
const TARGET: u64 = 96 << 10;

/// A table gets larger files rather than more than about so many.
const MOST_FILES: u64 = 1 << 16;

/// How many times the wanted size has to move before the size in use follows.
const GROWTH: u64 = 4;

/// One file in so many begins a directory.
const PER_DIRECTORY: u64 = 256;

/// The rule by which a table's rows are cut into files; kept in the manifest, so that a verification cuts alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cut {
    /// Average size of a file, in bytes.
    target: u64,
    /// No cut before this many bytes: it evens out the sizes, which chance alone would scatter.
    smallest: u64,
    /// How many digits a key has in a file's name; without it files are numbered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digits: Option<usize>,
}

impl Cut {
    #[cfg(test)]
    const fn new(digits: Option<usize>) -> Self {
        Self::aiming_at(TARGET, digits)
    }

    const fn aiming_at(target: u64, digits: Option<usize>) -> Self {
        Self { target, smallest: target / 2, digits }
    }

    /// For a table of about so many bytes, cut like this `before`.
    pub(super) fn fit(digits: Option<usize>, bytes: u64, before: Option<&Self>) -> Self {
        let wanted = TARGET * bytes.div_ceil(TARGET * MOST_FILES).next_power_of_two();
        let near = |used: u64| wanted < used.saturating_mul(GROWTH) && used < wanted.saturating_mul(GROWTH);
        let used = before.map(|cut| cut.target).filter(|used| *used >= TARGET && near(*used));
        Self::aiming_at(used.unwrap_or(wanted), digits)
    }

    /// Whether a table of about so many bytes may be cut in another way than all small ones are.
    pub(super) const fn may_differ(bytes: u64) -> bool {
        bytes > TARGET * MOST_FILES / GROWTH
    }

    /// How many digits a key has in a file's name, if it is one integer.
    pub(super) const fn digits(self) -> Option<usize> {
        self.digits
    }

    /// Files of this many bytes are cut anyway; it bounds memory, together with the widest row.
    fn largest(self) -> usize {
        usize::try_from(self.target.saturating_mul(32) / 3).unwrap_or(usize::MAX)
    }

    /// The chance of a cut is proportional to the size of the row, so that the average comes out right for all tables.
    fn selects(self, hash: u64, size: usize) -> bool {
        let rest = self.target.saturating_sub(self.smallest);
        u128::from(hash) * u128::from(rest) < (size as u128) << 64
    }
}

/// What the cutter has to know of a row besides its encoded bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowKey {
    /// Of the key, or of the whole row where there is no key.
    pub hash: u64,
    /// The key itself, if it is one integer.
    pub integer: Option<i128>,
}

impl RowKey {
    pub(super) fn integer(key: i128) -> Self {
        Self { hash: mix(key), integer: Some(key) }
    }

    pub(super) const fn hashed(hash: u64) -> Self {
        Self { hash, integer: None }
    }
}

/// A finished file, relative to the table's directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub name: String,
    pub data: Vec<u8>,
    pub rows: u64,
}

/// Collects encoded rows into files; holds one file and one row at most.
#[derive(Debug)]
pub(super) struct Cutter {
    cut: Cut,
    buffer: Vec<u8>,
    rows: u64,
    /// Name of the file that is being filled, and of its directory.
    file: String,
    directory: String,
    files: u64,
    directories: u64,
    /// The row before asked for a cut behind itself.
    due: bool,
    /// And for a new directory.
    turn: bool,
}

impl Cutter {
    pub(super) fn new(cut: Cut) -> Self {
        Self {
            cut,
            buffer: Vec::new(),
            rows: 0,
            file: String::new(),
            directory: String::new(),
            files: 0,
            directories: 0,
            due: true,
            turn: true,
        }
    }

    /// Takes a row that `encode` appends to the buffer; gives back the file that ended before this row.
    pub(super) fn push(&mut self, key: RowKey, encode: impl FnOnce(&mut Vec<u8>)) -> Option<Piece> {
        let start = self.buffer.len();
        encode(&mut self.buffer);
        let size = self.buffer.len() - start;
        let cut = self.due || start >= self.cut.largest();
        let piece = (cut && self.rows > 0).then(|| {
            let next = self.buffer.split_off(start);
            self.finish(next)
        });
        if cut {
            self.begin(key);
        }
        self.rows += 1;
        self.due = self.buffer.len() as u64 > self.cut.smallest && self.cut.selects(key.hash, size);
        self.turn = self.due && key.hash.is_multiple_of(PER_DIRECTORY);
        piece
    }

    /// The last file, if any rows are left.
    pub(super) fn end(&mut self) -> Option<Piece> {
        (self.rows > 0).then(|| self.finish(Vec::new()))
    }

    fn finish(&mut self, next: Vec<u8>) -> Piece {
        let data = std::mem::replace(&mut self.buffer, next);
        Piece {
            name: format!("{}/{}.tsv", self.directory, self.file),
            data,
            rows: std::mem::take(&mut self.rows),
        }
    }

    /// Names the file that this row begins: by its key, or by numbers that begin again in each directory, so that a file
    /// more in one leaves the names in all others alone.
    fn begin(&mut self, key: RowKey) {
        if self.turn {
            self.files = 0;
            self.directories += 1;
        }
        self.file = match (self.cut.digits, key.integer) {
            (Some(digits), Some(key)) => key_text(key, digits),
            _ => format!("{:08}", self.files),
        };
        if self.turn {
            self.directory = match key.integer.and(self.cut.digits) {
                Some(_) => self.file.clone(),
                None => format!("{:06}", self.directories - 1),
            };
        }
        self.files += 1;
    }
}

/// The finalizer of splitmix64: neighbouring keys get unrelated numbers.
fn mix(key: i128) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "only the low bits are wanted"
    )]
    let mut mixed = (key as u64).wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// A key as fixed-width text that sorts like the key: negative ones as the complement behind a minus sign, which sorts
/// before all digits.
fn key_text(key: i128, digits: usize) -> String {
    if key >= 0 {
        return format!("{key:0digits$}");
    }
    let complement = 10_i128.pow(u32::try_from(digits).unwrap_or(20).min(38)) + key;
    format!("-{complement:0digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(cut: Cut, rows: impl IntoIterator<Item = (RowKey, usize)>) -> Vec<Piece> {
        let mut cutter = Cutter::new(cut);
        let mut all = Vec::new();
        for (key, size) in rows {
            all.extend(cutter.push(key, |out| out.resize(out.len() + size, b'x')));
        }
        all.extend(cutter.end());
        all
    }

    fn assert_ascending(pieces: &[Piece]) {
        let names: Vec<_> = pieces.iter().map(|piece| std::path::Path::new(&piece.name)).collect();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
    }

    #[test]
    fn names_sort_like_the_keys_also_below_zero() {
        let keys = [i128::from(i64::MIN), -70_000, -300, -1, 0, 1, 9, 10, 65_536, i128::from(u64::MAX)];
        let rows = keys.map(|key| (RowKey::integer(key), 200 << 10));
        let pieces = files(Cut::new(Some(20)), rows);
        assert_ascending(&pieces);
        assert_eq!(pieces.len(), 10);
    }

    #[test]
    fn many_files_are_spread_over_directories() {
        let pieces = files(Cut::new(None), (0..1500).map(|key| (RowKey::hashed(mix(key)), 100 << 10)));
        assert_ascending(&pieces);
        let directories: std::collections::BTreeSet<_> =
            pieces.iter().filter_map(|piece| piece.name.split('/').next()).collect();
        assert!((2..20).contains(&directories.len()), "{directories:?}");
        assert_ascending(&files(Cut::new(Some(10)), (0..1500).map(|key| (RowKey::integer(key), 100 << 10))));
    }

    #[test]
    fn huge_tables_get_larger_files_and_keep_them_for_long() {
        let target = |gigabytes: u64, before: Option<u64>| {
            let before = before.map(|target| Cut::aiming_at(target, None));
            Cut::fit(Some(10), gigabytes << 30, before.as_ref()).target / TARGET
        };
        assert_eq!([0, 6, 7, 12, 13, 100].map(|size| target(size, None)), [1, 1, 2, 2, 4, 32]);
        assert_eq!(target(13, Some(2 * TARGET)), 2, "twice as large is no reason to store everything anew");
        assert_eq!(target(25, Some(2 * TARGET)), 8, "four times is");
        assert_eq!([1, 6].map(|size| target(size, Some(2 * TARGET))), [2, 2]);
        assert_eq!([0, 6].map(|size| target(size, Some(4 * TARGET))), [1, 1]);
        assert!(!Cut::may_differ(1 << 30) && Cut::may_differ(2 << 30));
        assert_eq!(target(1, Some(7)), 1, "a manifest may say anything");
    }

    #[test]
    fn files_have_the_wanted_size_and_come_back_behind_a_change() {
        for size in [20, 300, 5000] {
            let count = 20_000_000 / size;
            let all: Vec<_> = (0..count as i128).map(|key| (RowKey::integer(key), size)).collect();
            let before = files(Cut::new(Some(10)), all.clone());
            let average = 20_000_000 / before.len();
            assert!((80_000..120_000).contains(&average), "rows of {size}: {average}");
            let largest = before.iter().map(|piece| piece.data.len()).max();
            assert!(largest < Some((1 << 20) + size));
            let mut changed = all;
            changed.remove(50);
            let after = files(Cut::new(Some(10)), changed);
            let new = after.iter().filter(|piece| !before.contains(piece)).count();
            assert!(new <= 3, "rows of {size}: {new} new files");
        }
    }
}
