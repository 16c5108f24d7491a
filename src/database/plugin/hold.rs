//! A database that is held still by its plugin, for as long as this is held.

use std::io::{Read, Write};
use std::time::Duration;

use super::call::{Call, Verb};
use crate::database::PluginSpec;
use crate::error::{Error, Result};
use crate::event::Cx;

/// How long a database may take to stand still, and to go on again.
const PATIENCE: Duration = Duration::from_mins(2);

/// Bytes of the line that says that it stands.
const LONGEST_LINE: usize = 200;

/// The plugin holds it until its standard input closes: so it also ends with this process, however that ends.
pub(super) struct Hold {
    /// `None` once it was given back.
    call: Option<Call>,
    input: Option<Box<dyn Write + Send>>,
    /// Kept open: a plugin that writes more must not break at it.
    output: Box<dyn Read + Send>,
}

impl Hold {
    /// Waits until it stands still.
    pub(super) fn begin(spec: &PluginSpec, cx: &Cx) -> Result<Self> {
        let brief = PluginSpec { timeout: spec.timeout.min(PATIENCE), ..spec.clone() };
        let mut call = Call::start(&brief, Verb::Quiesce, cx)?;
        let input = match call.ask(spec) {
            Ok(input) => input,
            Err(error) => return Err(call.fail(error)),
        };
        let mut hold = Self { output: call.output(), input: Some(input), call: Some(call) };
        match hold.stands() {
            Ok(()) => Ok(hold),
            Err(error) => match hold.call.take() {
                Some(call) => {
                    hold.input = None;
                    Err(call.fail(error))
                }
                None => Err(error),
            },
        }
    }

    fn stands(&mut self) -> Result<()> {
        let mut byte = [0];
        for _ in 0..LONGEST_LINE {
            if self.output.read(&mut byte)? == 0 {
                return Err(Error::failed("it ended before the database stood still"));
            }
            if byte == *b"\n" {
                return Ok(());
            }
        }
        Err(Error::failed("it did not say in one short line that the database stands still"))
    }

    /// Gives it back; an error says that it may still stand.
    pub(super) fn end(mut self) -> Result<()> {
        self.release()
    }

    fn release(&mut self) -> Result<()> {
        self.input = None;
        let Some(call) = self.call.take() else { return Ok(()) };
        call.be_patient();
        call.end()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // An error is on its way already, and what the plugin says of this is in the log.
        drop(self.release());
    }
}
