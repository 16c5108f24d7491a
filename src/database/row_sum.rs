//! A sum of row hashes, for tables whose rows have no order of their own.

/// A 128-bit sum of row hashes: equal for equal multisets of rows in whatever order.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RowSum(u64, u64);

impl RowSum {
    pub(super) fn add(&mut self, hash: &blake3::Hash) {
        let (one, other) = halves(hash);
        self.0 = self.0.wrapping_add(one);
        self.1 = self.1.wrapping_add(other);
    }

    pub(super) fn text(&self) -> String {
        format!("{:016x}{:016x}", self.0, self.1)
    }
}

/// Enough of a hash to decide where a file is cut.
pub(super) fn first_half(hash: &blake3::Hash) -> u64 {
    halves(hash).0
}

fn halves(hash: &blake3::Hash) -> (u64, u64) {
    let bytes = hash.as_bytes();
    let half =
        |start: usize| bytes[start..start + 8].iter().fold(0, |all, byte| (all << 8) | u64::from(*byte));
    (half(0), half(8))
}
