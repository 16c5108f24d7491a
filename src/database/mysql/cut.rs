//! Where one file of rows ends and the next begins, so that a change of a row touches one small file on every run.

use serde::{Deserialize, Serialize};

/// Size that files of rows aim at, in bytes: small ones make the second backup small, large ones the first.
const TARGET: u64 = 128 << 10;

/// Files larger than this are cut anyway, in bytes; it bounds memory, together with the widest row.
const LARGEST: usize = 1 << 20;

/// No content cut before this many bytes: it evens out the sizes, which random cuts alone would scatter.
const SMALLEST: u64 = TARGET / 2;

/// Most files of one table; beyond that its files grow.
const MOST_FILES: u64 = 1 << 16;

/// Files per directory, as a power of two.
const DIRECTORY_BITS: u32 = 8;

/// The rule by which a table's rows are cut into files; kept in the manifest, so that a verification cuts alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub(super) enum Cut {
    /// Ranges of an integer key: `1 << step_bits` keys per file; `digits` is the width of the key in file names.
    Key { step_bits: u32, digits: usize },
    /// After rows that their own key and size select, independent of all other rows.
    Content,
}

impl Cut {
    /// The range width for a key between these two, in a table of about so many bytes. It depends on the density of the
    /// keys, which hardly changes as a table grows: a changed width would make every file new.
    pub(super) fn for_keys(first: i128, last: i128, bytes: u64, digits: usize) -> Self {
        let span = u128::try_from(last - first).unwrap_or(0) + 1;
        let per_file = u128::from(TARGET.max(bytes / MOST_FILES));
        // What the server counts includes page overhead: half again of what the rows take as text.
        let keys = span.saturating_mul(per_file).saturating_mul(3) / (2 * u128::from(bytes.max(1)));
        Self::Key { step_bits: keys.max(1).ilog2().min(63), digits }
    }
}

/// What the cutter has to know of a row besides its encoded bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum RowKey {
    Integer(i128),
    /// A hash of the key, or of the whole row where there is no key.
    Hash(u64),
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
    /// Of the file that is being filled.
    range: i128,
    /// Which file of its range or table this is.
    part: u64,
    /// The row before asked for a cut after itself.
    due: bool,
}

impl Cutter {
    pub(super) fn new(cut: Cut) -> Self {
        Self { cut, buffer: Vec::new(), rows: 0, range: i128::MIN, part: 0, due: false }
    }

    /// Takes a row that `encode` appends to the buffer; gives back the file that ended before this row.
    pub(super) fn push(&mut self, key: RowKey, encode: impl FnOnce(&mut Vec<u8>)) -> Option<Piece> {
        let start = self.buffer.len();
        encode(&mut self.buffer);
        let size = self.buffer.len() - start;
        let range = match (self.cut, key) {
            (Cut::Key { step_bits, .. }, RowKey::Integer(key)) => key >> step_bits,
            _ => 0,
        };
        let ended = self.rows > 0 && (range != self.range || self.due || start >= LARGEST);
        let piece = ended.then(|| {
            let next = self.buffer.split_off(start);
            self.finish(next)
        });
        self.part = if range == self.range { self.part + u64::from(ended) } else { 0 };
        self.range = range;
        self.rows += 1;
        self.due = match (self.cut, key) {
            (Cut::Content, RowKey::Hash(hash)) => self.buffer.len() as u64 > SMALLEST && selects(hash, size),
            _ => false,
        };
        piece
    }

    /// The last file, if any rows are left.
    pub(super) fn end(&mut self) -> Option<Piece> {
        (self.rows > 0).then(|| self.finish(Vec::new()))
    }

    fn finish(&mut self, next: Vec<u8>) -> Piece {
        let data = std::mem::replace(&mut self.buffer, next);
        Piece { name: self.name(), data, rows: std::mem::take(&mut self.rows) }
    }

    fn name(&self) -> String {
        match self.cut {
            Cut::Key { step_bits, digits } => {
                let directory = (self.range >> DIRECTORY_BITS) << (step_bits + DIRECTORY_BITS);
                let start = key_text(self.range << step_bits, digits);
                let part = if self.part > 0 { format!("_{:08}", self.part) } else { String::new() };
                format!("{}/{start}{part}.tsv", key_text(directory, digits))
            }
            Cut::Content => format!("{:06}/{:010}.tsv", self.part >> DIRECTORY_BITS, self.part),
        }
    }
}

/// A row asks for a cut with a chance that is proportional to its size, so that files get the wanted size on average
/// without anybody knowing sizes beforehand.
fn selects(hash: u64, size: usize) -> bool {
    u128::from(hash) * u128::from(TARGET - SMALLEST) < (size as u128) << 64
}

/// A key as fixed-width text that sorts like the key: negative ones as the complement behind a minus sign, which sorts
/// before all digits.
fn key_text(key: i128, digits: usize) -> String {
    if key >= 0 {
        format!("{key:0digits$}")
    } else {
        let complement = 10_i128.pow(u32::try_from(digits).unwrap_or(20).min(38)) + key;
        format!("-{:0digits$}", complement.max(0))
    }
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

    #[test]
    fn ranges_of_keys_sort_like_the_keys_also_below_zero() {
        let keys = [-70_000, -300, -1, 0, 1, 255, 256, 65_536, 2_147_483_647];
        let rows = keys.map(|key| (RowKey::Integer(key), 10));
        let pieces = files(Cut::Key { step_bits: 4, digits: 10 }, rows);
        let names: Vec<_> = pieces.iter().map(|piece| piece.name.clone()).collect();
        let mut sorted = names.clone();
        sorted.sort_by(|a, b| a.split('/').cmp(b.split('/')));
        assert_eq!(names, sorted);
        assert_eq!(names.len(), 8, "0 and 1 share a range");
        assert_eq!(pieces.iter().map(|piece| piece.rows).sum::<u64>(), 9);
    }

    #[test]
    fn a_range_that_grows_too_large_is_cut_and_keeps_its_order() {
        let rows = (0..40).map(|_| (RowKey::Integer(7), 100 << 10));
        let pieces = files(Cut::Key { step_bits: 10, digits: 10 }, rows);
        assert!(pieces.len() > 2 && pieces.iter().all(|piece| piece.data.len() <= LARGEST + (100 << 10)));
        assert!(pieces.windows(2).all(|pair| pair[0].name < pair[1].name), "{pieces:?}");
    }

    #[test]
    fn content_cuts_have_the_wanted_size_and_come_back_after_a_change() {
        let hash = |n: u64| {
            let digest = blake3::hash(&n.to_le_bytes());
            u64::from_le_bytes(digest.as_bytes()[..8].try_into().expect("eight bytes"))
        };
        let all: Vec<_> = (0..100_000).map(|n| (RowKey::Hash(hash(n)), 100)).collect();
        let before = files(Cut::Content, all.clone());
        let average = 10_000_000 / before.len();
        assert!((100_000..160_000).contains(&average), "{average}");
        let mut changed = all;
        changed.remove(50);
        let after = files(Cut::Content, changed);
        let sizes =
            |pieces: &[Piece]| pieces.iter().rev().take(50).map(|piece| piece.rows).collect::<Vec<_>>();
        assert_eq!(sizes(&before), sizes(&after));
    }

    #[test]
    fn the_step_follows_the_density_of_the_keys() {
        let Cut::Key { step_bits, .. } = Cut::for_keys(1, 1_000_000, 100_000_000, 10) else {
            panic!("no range")
        };
        assert_eq!(step_bits, 10);
        assert_eq!(Cut::for_keys(5, 5, 0, 10), Cut::Key { step_bits: 17, digits: 10 });
        assert!(matches!(
            Cut::for_keys(i128::from(i64::MIN), i128::from(u64::MAX), 1, 20),
            Cut::Key { step_bits: 63, .. }
        ));
    }
}
