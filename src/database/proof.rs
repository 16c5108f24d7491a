//! Rows of a restored table, read back as a dump would have them, held against the files that were dumped.

use super::cut::Piece;
use super::entry::FileEntry;

/// What a table should be, and how much of it was found. What is wrong is said in words, for whoever knows its name.
pub(super) struct Proof<'a> {
    /// `None` for a table without a key: its order is the server's, and only the sum can be compared.
    wanted: Option<std::slice::Iter<'a, FileEntry>>,
    rows: u64,
    row_sum: Option<&'a str>,
    found: u64,
}

impl<'a> Proof<'a> {
    pub(super) fn new(files: &'a [FileEntry], rows: u64, row_sum: Option<&'a str>, keyed: bool) -> Self {
        Self { wanted: keyed.then(|| files.iter()), rows, row_sum, found: 0 }
    }

    /// Takes the next file that was read back.
    pub(super) fn take(&mut self, piece: &Piece) -> Result<(), String> {
        self.found += piece.rows;
        let Some(wanted) = &mut self.wanted else { return Ok(()) };
        let file = wanted.next().ok_or("there are more rows than were dumped")?;
        if !file.path.ends_with(&piece.name) || file.rows != piece.rows || !file.matches(&piece.data) {
            return Err(format!("{} reads differently", file.path));
        }
        Ok(())
    }

    /// All was read; `sum` is that of a table without a key.
    pub(super) fn end(&self, sum: Option<&str>) -> Result<(), String> {
        if self.found != self.rows {
            return Err(format!("there are {} rows and there should be {}", self.found, self.rows));
        }
        if self.wanted.is_none() && sum != self.row_sum {
            return Err("the rows are not the same".to_owned());
        }
        Ok(())
    }
}
