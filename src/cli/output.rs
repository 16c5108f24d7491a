//! Results on stdout, problems on stderr, as text for people or as one JSON document for programs.

use std::io::{self, IsTerminal, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::json;

use super::args::Global;
use super::{Done, SUCCESS};
use crate::error::{Context, Error};
pub(super) use crate::event::printable;
use crate::event::printable_lines;

pub(super) struct Output {
    json: bool,
    quiet: bool,
}

impl Output {
    pub(super) fn new(global: &Global) -> Self {
        Self { json: global.json, quiet: global.quiet }
    }

    /// For a command line that could not be read beyond its wish for JSON.
    pub(super) const fn json() -> Self {
        Self { json: true, quiet: true }
    }

    /// A command's result: `document` as JSON, or what `text` writes.
    pub(super) fn result(
        &self,
        code: u8,
        document: &impl Serialize,
        text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Done {
        let mut out = io::stdout().lock();
        let written = if self.json {
            let document = Envelope { exit_code: code, result: document };
            serde_json::to_writer_pretty(&mut out, &document)
                .map_err(io::Error::from)
                .and_then(|()| writeln!(out))
        } else {
            text(&mut Printable(&mut out))
        };
        finish(written.and_then(|()| out.flush()), code)
    }

    /// Bytes as they are, whatever the format asked for.
    pub(super) fn raw(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Done {
        let mut out = io::stdout().lock();
        finish(write(&mut out).and_then(|()| out.flush()), SUCCESS)
    }

    /// A line that tells the story while it goes on; not part of any JSON.
    pub(super) fn say(&self, line: impl AsRef<str>) {
        if !self.json && !self.quiet {
            // A closed terminal is noticed by whoever writes the result.
            drop(writeln!(Printable(&mut io::stdout().lock()), "{}", line.as_ref()));
        }
    }

    pub(super) fn error(&self, error: &Error) {
        if self.json {
            let document = json!({
                "exit_code": error.kind().exit_code(),
                "error": { "kind": error.kind(), "message": error.to_string(), "remedy": error.remedy() },
            });
            drop(writeln!(io::stdout().lock(), "{document:#}"));
        } else {
            let mut err = io::stderr().lock();
            drop(writeln!(Printable(&mut err), "error: {error}"));
            if let Some(remedy) = error.remedy() {
                drop(writeln!(Printable(&mut err), "   try: {remedy}"));
            }
        }
    }

    /// There is a person at a terminal.
    pub(super) fn can_ask(&self) -> bool {
        !self.json && io::stdin().is_terminal()
    }

    /// Asks on the terminal; without one the answer is no.
    pub(super) fn confirm(&self, question: &str) -> bool {
        if !self.can_ask() {
            return false;
        }
        let mut err = io::stderr().lock();
        if write!(err, "{question} [y/N] ").and_then(|()| err.flush()).is_err() {
            return false;
        }
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
    }
}

/// The last line of defence for text that came here without `printable`: only line breaks and tabs pass.
struct Printable<'a, W>(&'a mut W);

impl<W: Write> Write for Printable<'_, W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(data);
        self.0.write_all(printable_lines(&text).as_bytes())?;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What every successful command prints with `--json`.
#[derive(Serialize)]
struct Envelope<'a, T> {
    exit_code: u8,
    result: &'a T,
}

/// A reader that went away (`| head`) has seen enough.
fn finish(written: io::Result<()>, code: u8) -> Done {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(code),
        other => other.map(|()| code).context("write to standard output"),
    }
}

/// A plain table; columns named in `right` hold numbers.
pub(super) fn table(header: &[&str], right: &[usize], rows: impl IntoIterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.to_vec());
    for row in rows {
        table.add_row(row);
    }
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if right.contains(&at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// `1.2 GiB`.
pub(super) fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}

/// `1 file`, `2 files`.
pub(super) fn count(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", indicatif::HumanCount(number), if number == 1 { "" } else { "s" })
}

/// `0.04 s`, `12 s`, `5 min`, `1.5 h`.
pub(super) fn duration(seconds: f64) -> String {
    match seconds {
        short if short < 10.0 => format!("{short:.2} s"),
        seconds if seconds < 100.0 => format!("{seconds:.0} s"),
        long if long < 5400.0 => format!("{:.0} min", long / 60.0),
        hours => format!("{:.1} h", hours / 3600.0),
    }
}
