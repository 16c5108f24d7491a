//! The stream in which a plugin hands over a dump and takes one back: named parts, each with its hash, and an end that counts them.
//!
//! ```text
//! lifeboat-dump 1
//! moment                      the content is fixed from here on (may be left out)
//! part NAME LENGTH            then so many bytes, or with a length of `-`: pieces, each a line with its length and then its
//!                             bytes, and a piece of length 0 behind the last
//! sum SHA256                  of the part's bytes
//! end PARTS BYTES             of all parts together; bytes may be `-`
//! ```

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};

use sha2::{Digest, Sha256};

use crate::error::{Context, Error, Result};

const MAGIC: &str = "lifeboat-dump 1";

/// Bytes of a name of a part.
const LONGEST_NAME: usize = 100;

/// No line of a stream needs more.
const LONGEST_LINE: u64 = 256;

/// Parts of one dump; their list is held in memory.
const MOST_PARTS: u64 = 10_000;

const WRITE: &str = "write the dump stream";

/// What comes next in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    Moment,
    /// Its bytes are read by `data`.
    Part {
        name: String,
        /// In bytes; `None` if it becomes known only at its end.
        length: Option<u64>,
    },
    /// Nothing came behind it.
    End,
}

/// Reads a stream that may be anything; whatever is not as it should be is an error that says where.
pub struct Frames<R> {
    from: BufReader<R>,
    begun: bool,
    moment: bool,
    part: Option<Part>,
    /// The name of the last one, and its hash if it is at its end.
    last: Option<(String, Option<String>)>,
    parts: u64,
    bytes: u64,
    ended: bool,
}

struct Part {
    /// Of the present piece, or of all of it.
    left: u64,
    in_pieces: bool,
    sum: Sha256,
}

impl<R: Read> Frames<R> {
    pub fn new(from: R) -> Self {
        Self {
            from: BufReader::with_capacity(64 << 10, from),
            begun: false,
            moment: false,
            part: None,
            last: None,
            parts: 0,
            bytes: 0,
            ended: false,
        }
    }

    /// What comes next; of a part that was not read to its end the rest is passed over, and verified all the same.
    pub fn record(&mut self) -> Result<Record> {
        if self.ended {
            return Ok(Record::End);
        }
        let mut rest = [0; 8192];
        while self.part.is_some() {
            self.data(&mut rest)?;
        }
        if !self.begun {
            let line = self.line()?;
            if line != MAGIC {
                return Err(self.wrong(&format!("begins with {line:?} and not with {MAGIC:?}")));
            }
            self.begun = true;
        }
        let line = self.line()?;
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            ["moment"] if !self.moment => {
                self.moment = true;
                Ok(Record::Moment)
            }
            ["part", name, length] => self.begin(name, length),
            ["end", parts, bytes] => self.end(parts, bytes),
            _ => Err(self.wrong(&format!("has {line:?} where a part or the end should begin"))),
        }
    }

    /// More bytes of the part that was begun last; 0 at its end, which is reached only if its hash is right.
    pub fn data(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let Some(part) = &mut self.part else { return Ok(0) };
        if part.left == 0 && part.in_pieces {
            let line = self.line()?;
            let length = self.number(&line)?;
            if let Some(part) = self.part.as_mut().filter(|_| length > 0) {
                part.left = length;
                return self.data(buffer);
            }
            return self.sum().map(|()| 0);
        }
        if part.left == 0 {
            return self.sum().map(|()| 0);
        }
        let most = buffer.len().min(usize::try_from(part.left).unwrap_or(usize::MAX));
        let read = self.from.read(&mut buffer[..most]).context("read the dump stream")?;
        if read == 0 {
            return Err(self.wrong("ends within a part"));
        }
        part.left -= read as u64;
        part.sum.update(&buffer[..read]);
        self.bytes = self.bytes.saturating_add(read as u64);
        Ok(read)
    }

    /// The hash of the part that was read last, as it was sent and found.
    pub fn last_sum(&self) -> &str {
        self.last.as_ref().and_then(|(_, sum)| sum.as_deref()).unwrap_or_default()
    }

    fn begin(&mut self, name: &str, length: &str) -> Result<Record> {
        if !is_name(name) {
            return Err(self.wrong(&format!("names a part {name:?}, which is not a plain name")));
        }
        if let Some((last, _)) = &self.last
            && last.as_bytes() >= name.as_bytes()
        {
            return Err(self.wrong(&format!("names a part {name} behind {last}: their names must ascend")));
        }
        if self.parts >= MOST_PARTS {
            return Err(self.wrong(&format!("has more than {MOST_PARTS} parts")));
        }
        let length = if length == "-" { None } else { Some(self.number(length)?) };
        self.part = Some(Part { left: length.unwrap_or(0), in_pieces: length.is_none(), sum: Sha256::new() });
        self.last = Some((name.to_owned(), None));
        Ok(Record::Part { name: name.to_owned(), length })
    }

    fn sum(&mut self) -> Result<()> {
        let line = self.line()?;
        let Some(part) = self.part.take() else { return Ok(()) };
        let found = hex(&part.sum.finalize());
        match line.split_once(' ') {
            Some(("sum", sum)) if sum.eq_ignore_ascii_case(&found) => {
                if let Some((_, last)) = &mut self.last {
                    *last = Some(found);
                }
                self.parts += 1;
                Ok(())
            }
            Some(("sum", _)) => Err(self.wrong("has a part whose hash is another than it says")),
            _ => Err(self.wrong(&format!("has {line:?} where the hash of a part should be"))),
        }
    }

    fn end(&mut self, parts: &str, bytes: &str) -> Result<Record> {
        let said = self.number(parts)?;
        if said != self.parts {
            return Err(self.wrong(&format!("had {} parts and says {said}", self.parts)));
        }
        if bytes != "-" {
            let said = self.number(bytes)?;
            if said != self.bytes {
                return Err(self.wrong(&format!("had {} bytes and says {said}", self.bytes)));
            }
        }
        if !self.from.fill_buf().context("read the dump stream")?.is_empty() {
            return Err(self.wrong("goes on behind its end"));
        }
        self.ended = true;
        Ok(Record::End)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        self.from.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).context("read the dump stream")?;
        if line.is_empty() {
            return Err(self.wrong("ends without an end record"));
        }
        if line.pop() != Some(b'\n') {
            return Err(self.wrong("has a line that does not end"));
        }
        String::from_utf8(line).map_err(|_| self.wrong("has a line that is no text"))
    }

    /// As a stream writes it: digits alone.
    fn number(&self, text: &str) -> Result<u64> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if digits { text.parse().ok() } else { None };
        number.ok_or_else(|| self.wrong(&format!("has {text:.40?} where a number should be")))
    }

    fn wrong(&self, what: &str) -> Error {
        let place = match &self.last {
            Some((name, _)) => format!("at part {name}, after {} bytes", self.bytes),
            None => "at its beginning".to_owned(),
        };
        Error::failed(format!("the dump stream {what} ({place})"))
    }
}

/// Writes a stream.
pub struct FrameWriter<W> {
    to: W,
    parts: u64,
    bytes: u64,
}

impl<W: Write> FrameWriter<W> {
    pub fn begin(mut to: W) -> Result<Self> {
        writeln!(to, "{MAGIC}").context(WRITE)?;
        Ok(Self { to, parts: 0, bytes: 0 })
    }

    /// One part of a known length, from pieces that must come to it.
    pub fn part(
        &mut self,
        name: &str,
        length: u64,
        next: impl FnMut() -> Result<Option<Vec<u8>>>,
    ) -> Result<()> {
        let sum = self.content(name, length, next)?;
        self.sum(&sum)
    }

    /// The same without its hash, which is given back.
    pub(super) fn content(
        &mut self,
        name: &str,
        length: u64,
        mut next: impl FnMut() -> Result<Option<Vec<u8>>>,
    ) -> Result<String> {
        writeln!(self.to, "part {name} {length}").context(WRITE)?;
        let (mut sum, mut done) = (Sha256::new(), 0_u64);
        while let Some(piece) = next()? {
            sum.update(&piece);
            done += piece.len() as u64;
            self.to.write_all(&piece).context(WRITE)?;
        }
        if done != length {
            return Err(Error::failed(format!("part {name} has {done} bytes and should have {length}")));
        }
        self.parts += 1;
        self.bytes += done;
        Ok(hex(&sum.finalize()))
    }

    pub(super) fn sum(&mut self, sum: &str) -> Result<()> {
        writeln!(self.to, "sum {sum}").context(WRITE)
    }

    /// The end, and what was written to.
    pub fn end(mut self) -> Result<W> {
        writeln!(self.to, "end {} {}", self.parts, self.bytes).context(WRITE)?;
        self.to.flush().context(WRITE)?;
        Ok(self.to)
    }
}

/// One part whose length is not known, for who writes the rest of the stream itself. `whole` is asked before the part gets its
/// end: if that fails, it has none.
pub fn write_unknown(
    name: &str,
    mut from: impl Read,
    to: &mut impl Write,
    whole: impl FnOnce() -> Result<()>,
) -> Result<()> {
    if !is_name(name) {
        return Err(Error::usage(format!("{name:?} is no name for a part")).with_remedy(
            "use up to 100 letters, digits, dots, dashes and underscores, and no dot or dash first",
        ));
    }
    writeln!(to, "part {name} -")?;
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        let read = from.read(&mut buffer).context("read what the part is made of")?;
        if read == 0 {
            break;
        }
        sum.update(&buffer[..read]);
        writeln!(to, "{read}")?;
        to.write_all(&buffer[..read])?;
    }
    whole()?;
    writeln!(to, "0\nsum {}", hex(&sum.finalize()))?;
    to.flush()?;
    Ok(())
}

/// A plain file name that needs no quotes anywhere.
pub fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with(['.', '-'])
}

pub(super) fn hex(hash: &[u8]) -> String {
    hash.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;

    type Parts = Vec<(String, Vec<u8>)>;

    fn read(stream: &[u8]) -> Result<Parts> {
        let mut frames = Frames::new(stream);
        let mut parts = Parts::new();
        loop {
            match frames.record()? {
                Record::Moment => {}
                Record::Part { name, .. } => {
                    let (mut all, mut buffer) = (Vec::new(), [0; 7]);
                    loop {
                        match frames.data(&mut buffer)? {
                            0 => break,
                            read => all.extend_from_slice(&buffer[..read]),
                        }
                    }
                    parts.push((name, all));
                }
                Record::End => return Ok(parts),
            }
        }
    }

    fn write(parts: &Parts, known: bool) -> Vec<u8> {
        let mut stream = Vec::new();
        let mut writer = FrameWriter::begin(&mut stream).unwrap();
        if known {
            for (name, data) in parts {
                let mut pieces = data.chunks(5).map(<[u8]>::to_vec);
                writer.part(name, data.len() as u64, || Ok(pieces.next())).unwrap();
            }
            writer.end().unwrap();
        } else {
            for (name, data) in parts {
                write_unknown(name, data.as_slice(), &mut stream, || Ok(())).unwrap();
            }
            stream.extend(format!("end {} -\n", parts.len()).bytes());
        }
        stream
    }

    fn some_parts() -> impl Strategy<Value = Parts> {
        btree_map("[a-z0-9][a-z0-9._-]{0,8}", vec(any::<u8>(), 0..60), 0..5)
            .prop_map(|parts| parts.into_iter().collect())
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(parts in some_parts(), known: bool) {
            prop_assert_eq!(read(&write(&parts, known)).unwrap(), parts);
        }

        #[test]
        fn a_stream_that_ends_early_is_refused(parts in some_parts(), known: bool, at: prop::sample::Index) {
            let stream = write(&parts, known);
            prop_assert!(read(&stream[..at.index(stream.len())]).is_err());
        }

        /// Only the names of parts, and how hashes and numbers are written, can be others without being noticed.
        #[test]
        fn a_changed_byte_changes_no_content(parts in some_parts(), at: prop::sample::Index, to: u8) {
            let mut stream = write(&parts, true);
            let at = at.index(stream.len());
            stream[at] = to;
            if let Ok(found) = read(&stream) {
                let content = |parts: Parts| parts.into_iter().map(|(_, data)| data).collect::<Vec<_>>();
                prop_assert_eq!(content(found), content(parts));
            }
        }

        #[test]
        fn anything_is_read_or_refused(stream in vec(any::<u8>(), 0..300)) {
            drop(read(&stream));
            drop(read(&[format!("{MAGIC}\npart a -\n").as_bytes(), &stream].concat()));
        }
    }

    #[test]
    fn each_refusal_says_what_is_wrong() {
        let sum = hex(&Sha256::digest(b"x"));
        for (stream, said) in [
            ("", "ends without an end record"),
            ("lifeboat-dump 2\n", "begins with"),
            ("M\nend 0 0\n", "begins with"),
            ("M\nend 0 0\nx", "goes on behind its end"),
            ("M\nend 1 0\n", "had 0 parts and says 1"),
            ("M\npart a 1\nxsum S\nend 1 2\n", "had 1 bytes and says 2"),
            ("M\npart a 1\nxsum S\n", "ends without an end record (at part a, after 1 bytes)"),
            ("M\npart a 1\nysum S\nend 1 1\n", "whose hash is another"),
            ("M\npart a 2\nx", "ends within a part"),
            ("M\npart a 1\nxend 1 1\n", "where the hash of a part should be"),
            ("M\npart a -1\n", "where a number should be"),
            ("M\npart a -\n99999999999999999999\n", "where a number should be"),
            ("M\npart ../a 1\n", "which is not a plain name"),
            ("M\npart b 1\nxsum S\npart a 1\nxsum S\n", "their names must ascend"),
            ("M\npart a 1\nxsum S\npart a 1\nxsum S\n", "their names must ascend"),
            ("M\nmoment\nmoment\n", "where a part or the end should begin"),
        ] {
            let stream = if stream.starts_with("M\nend 0 0\n") && said == "begins with" {
                stream.to_owned()
            } else {
                stream.replace("M\n", "lifeboat-dump 1\n").replace('S', &sum)
            };
            let error = read(stream.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(said), "{stream:?}: {error}");
        }
        let long = format!("{MAGIC}\npart {} 1\n", "a".repeat(1000));
        assert!(read(long.as_bytes()).unwrap_err().to_string().contains("a line that does not end"));
    }
}
