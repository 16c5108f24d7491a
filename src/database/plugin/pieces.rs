//! Cuts a part into files where its own content says so: what is inserted in one place makes few of them new.

/// In bytes. The repository cuts files again into blobs of about one MiB; larger files than these would cost memory.
const LEAST: usize = 512 << 10;
const MOST: usize = 8 << 20;

/// So many bits of the hash must be 0: a cut about every 2 MiB behind the least.
const MASK: u64 = ((1 << 21) - 1) << 43;

/// Collects bytes and gives them back as pieces.
pub(super) struct Pieces {
    gear: [u64; 256],
    pending: Vec<u8>,
    /// Of `pending`, how far there is no cut.
    looked: usize,
    hash: u64,
}

impl Pieces {
    pub(super) fn new() -> Self {
        // Any fixed numbers will do; others would make all pieces new.
        let number = |byte: usize| {
            let hash = blake3::hash(&[u8::try_from(byte).unwrap_or_default()]);
            hash.as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
        };
        Self { gear: std::array::from_fn(number), pending: Vec::new(), looked: 0, hash: 0 }
    }

    pub(super) fn push(&mut self, data: &[u8]) {
        self.pending.extend_from_slice(data);
    }

    /// The next piece, if its end has come.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        let end = self.pending.len().min(MOST);
        while self.looked < end {
            let byte = self.pending[self.looked];
            self.hash = (self.hash << 1).wrapping_add(self.gear[usize::from(byte)]);
            self.looked += 1;
            if self.looked >= LEAST && (self.hash & MASK == 0 || self.looked == MOST) {
                let rest = self.pending.split_off(self.looked);
                (self.looked, self.hash) = (0, 0);
                return Some(std::mem::replace(&mut self.pending, rest));
            }
        }
        None
    }

    /// What is left at the end of a part.
    pub(super) fn rest(&mut self) -> Option<Vec<u8>> {
        (self.looked, self.hash) = (0, 0);
        let rest = std::mem::take(&mut self.pending);
        (!rest.is_empty()).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn cut(data: &[u8]) -> Vec<Vec<u8>> {
        let (mut pieces, mut all) = (Pieces::new(), Vec::new());
        for some in data.chunks(100_000) {
            pieces.push(some);
            while let Some(piece) = pieces.next() {
                all.push(piece);
            }
        }
        all.extend(pieces.rest());
        all
    }

    #[test]
    fn an_insertion_makes_few_pieces_new() {
        let mut data = Vec::new();
        blake3::Hasher::new().finalize_xof().fill({
            data.resize(24 << 20, 0);
            &mut data
        });
        let before = cut(&data);
        assert_eq!(before.concat(), data);
        assert!(before.len() > 5 && before.iter().all(|piece| piece.len() <= MOST), "{}", before.len());
        data.splice(9_000_000..9_000_000, b"inserted".iter().copied());
        let (before, after): (BTreeSet<_>, BTreeSet<_>) =
            (before.into_iter().collect(), cut(&data).into_iter().collect());
        assert!(after.difference(&before).count() <= 2);
    }

    #[test]
    fn what_has_no_place_to_cut_is_cut_all_the_same() {
        let pieces = cut(&vec![0; MOST * 2 + 1]);
        assert_eq!(pieces.iter().map(Vec::len).sum::<usize>(), MOST * 2 + 1);
        assert!(pieces.iter().all(|piece| piece.len() <= MOST));
        assert!(cut(&[]).is_empty());
    }
}
