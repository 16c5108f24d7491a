//! Tries a plugin for its author: what it must do, and above all what it must refuse without changing anything.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};

use super::call::{Call, Verb};
use super::describe::{Description, PROTOCOL};
use super::feed::PluginFeed;
use super::frame::FrameWriter;
use super::hold::Hold;
use super::in_place::send;
use super::manifest::Manifest;
use crate::database::PluginSpec;
use crate::database::spool::Spool;
use crate::dump::Feed;
use crate::error::{Error, Kind, Result};
use crate::event::Cx;
use crate::sys::secret::Secret;

/// One thing that was tried.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    pub what: &'static str,
    pub verdict: Verdict,
    /// What was found; of a failure, why.
    pub text: String,
    pub remedy: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Passed,
    Failed,
    /// It does not come to it here; the text says why.
    LeftOut,
}

/// What is tried.
pub struct Trial {
    /// Its request is made from `options`.
    pub spec: PluginSpec,
    pub options: Value,
    /// Whether the database may be written to.
    pub overwrite: bool,
}

/// The document that a plugin reads first, in one line.
pub fn request(name: &str, options: &Value) -> Secret {
    Secret::new(json!({ "version": PROTOCOL, "name": name, "options": options }).to_string())
}

/// Tries all of it, as far as one thing does not depend on another that failed. An error only if somebody asked to stop, or
/// nothing could be kept here: whatever a plugin does is a finding.
pub fn prove(trial: &Trial, cx: &Cx) -> Result<Vec<Check>> {
    let spec = PluginSpec { request: request(&trial.spec.name, &trial.options), ..trial.spec.clone() };
    let mut proof = Proof { spec, trial, cx, checks: Vec::new(), dumps: Vec::new() };
    let told = proof.tell();
    for dump in &proof.dumps {
        dump.spool.remove()?;
    }
    told.map(|()| proof.checks)
}

struct Proof<'a> {
    spec: PluginSpec,
    trial: &'a Trial,
    cx: &'a Cx,
    checks: Vec<Check>,
    dumps: Vec<Dump>,
}

struct Dump {
    spool: Spool,
    manifest: Manifest,
}

/// What is wrong with a stream that a plugin must refuse.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spoil {
    CutShort,
    WrongHash,
    NoEnd,
    MoreBehind,
}

const SPOILED: [(&str, Spoil); 4] = [
    ("restore refuses a stream that ends early", Spoil::CutShort),
    ("restore refuses a part with a wrong hash", Spoil::WrongHash),
    ("restore refuses a stream without its end", Spoil::NoEnd),
    ("restore refuses what goes on behind the end", Spoil::MoreBehind),
];

const REFUSE: &str = "change nothing before the stream was read to its end record and each hash was compared; \
    `lifeboat plugin unpack` does both";

impl Proof<'_> {
    fn tell(&mut self) -> Result<()> {
        let advice = "print one JSON document with version, engine, server and name";
        let said = |found: &Description| format!("{}: {}, {}", found.engine, found.name, found.server);
        let asked = Description::ask(&self.spec, self.cx);
        let described = self.note("describe says what it is for", asked, said, advice)?;
        self.refusals()?;
        let Some(description) = described else { return Ok(()) };
        if description.quiesce {
            let advice =
                "print a line when the database stands still, and end well when standard input closes";
            let held = Hold::begin(&self.spec, self.cx).and_then(Hold::end);
            let said = |(): &()| "held and given back".to_owned();
            self.note("quiesce holds it still until its input closes", held, said, advice)?;
        }
        let advice = "see in the log what it said; hooks/plugins.md describes the stream";
        for what in ["dump writes a whole stream", "a second dump does so too"] {
            let said =
                |dump: &Dump| format!("{} parts, {} bytes", dump.manifest.parts.len(), dump.manifest.bytes);
            let dumped = self.note(what, self.take_dump(), said, advice)?;
            let Some(dump) = dumped else { return Ok(()) };
            self.dumps.push(dump);
        }
        let equal = same(&self.dumps[0].manifest, &self.dumps[1].manifest);
        let by =
            if description.fingerprint.is_some() { "the fingerprint" } else { "the hashes of all parts" };
        let said = |(): &()| format!("by {by}");
        let advice = "stop what writes to the database; if equal content makes other bytes, have describe print a fingerprint";
        if self.note("two dumps of one content are equal", equal, said, advice)?.is_none() {
            return Ok(());
        }
        self.restores()
    }

    /// What must end with another status than 0.
    fn refusals(&mut self) -> Result<()> {
        let mut unknown = self.trial.options.clone();
        if let Value::Object(options) = &mut unknown {
            options.insert("lifeboat-no-such-option".to_owned(), Value::from(1));
        }
        let with = |request: Secret| PluginSpec { request, ..self.spec.clone() };
        let (broken, mistyped) = (Secret::new("{\"version\": 1, "), request(&self.spec.name, &unknown));
        let tries = [
            (
                "an unknown verb is refused",
                self.spec.clone(),
                "no-such-verb",
                "end with another status than 0 for any word but the four verbs",
            ),
            (
                "what is no JSON is refused",
                with(broken),
                Verb::Describe.name(),
                "read the first line of standard input as JSON; `lifeboat plugin options` does",
            ),
            (
                "an unknown option is refused",
                with(mistyped),
                Verb::Describe.name(),
                "refuse options that you do not know: a mistyped one must not be passed over",
            ),
        ];
        for (what, spec, verb, advice) in tries {
            let refused = is_refused(&spec, verb, self.cx);
            self.note(what, refused, |()| "it is".to_owned(), advice)?;
        }
        Ok(())
    }

    fn restores(&mut self) -> Result<()> {
        if !self.trial.overwrite {
            let why = "it was not allowed to write to the database that the options name";
            self.leave_out("restore", why);
            return Ok(());
        }
        for (what, spoil) in SPOILED {
            if self.dumps[0].manifest.bytes == 0 {
                self.leave_out(what, "the dump has no bytes: put something into the database");
                continue;
            }
            let refused = match self.restore(Some(spoil)) {
                Ok(()) => Err(Error::failed("it ended with status 0")),
                Err(error) if error.kind() == Kind::Cancelled => Err(error),
                Err(_) => self.is_unchanged(),
            };
            self.note(what, refused, |()| "and a dump after it is equal".to_owned(), REFUSE)?;
        }
        let restored = self.restore(None).and_then(|()| self.is_unchanged());
        let advice =
            "replace the whole content by what the stream has, and end with status 0 only if that is done";
        let said = |(): &()| "a dump after it is equal".to_owned();
        self.note("restore brings back what was dumped", restored, said, advice).map(drop)
    }

    fn take_dump(&self) -> Result<Dump> {
        let name = format!("{}.trial-{:016x}", self.spec.name, rand::random::<u64>());
        let spool = Spool::at(&self.spec.scratch.join(name).to_string_lossy());
        let mut feed = PluginFeed::begin(&self.spec, PathBuf::new(), self.cx)?;
        spool.fill(self.cx, || feed.next(self.cx))?;
        let manifest = Manifest::read(&spool)?;
        Ok(Dump { spool, manifest })
    }

    /// A dump made now is equal to the first one.
    fn is_unchanged(&self) -> Result<()> {
        let now = self.take_dump()?;
        now.spool.remove()?;
        same(&self.dumps[0].manifest, &now.manifest)
    }

    /// Gives the first dump to the plugin; an error if it does not end with status 0.
    fn restore(&self, spoil: Option<Spoil>) -> Result<()> {
        let mut call = Call::start(&self.spec, Verb::Restore, self.cx)?;
        call.ignore_output();
        let sent = call.ask(&self.spec).and_then(|input| self.write(BufWriter::new(input), spoil));
        match sent {
            Ok(()) => call.end(),
            // Who refuses what it reads need not read on.
            Err(error) => Err(call.fail(error)),
        }
    }

    fn write(&self, input: impl Write, spoil: Option<Spoil>) -> Result<()> {
        let Dump { spool, manifest } = &self.dumps[0];
        let mut writer = FrameWriter::begin(input)?;
        let first = manifest.parts.iter().find(|part| part.bytes > 0);
        match (spoil, first) {
            (Some(Spoil::CutShort), Some(part)) => {
                let mut piece = part.pieces[0].verified(spool)?;
                piece.truncate(piece.len() / 2);
                let mut half = Some(piece);
                // What comes is less than what was announced.
                drop(writer.content(&part.name, part.bytes, || Ok(half.take())));
            }
            (Some(Spoil::WrongHash), Some(part)) => {
                let mut pieces = part.pieces.iter();
                let next = || pieces.next().map(|piece| piece.verified(spool)).transpose();
                writer.content(&part.name, part.bytes, next)?;
                writer.sum(&"0".repeat(64))?;
                writer.end()?;
            }
            (spoil, _) => {
                send(&mut writer, manifest, spool, self.cx)?;
                if spoil != Some(Spoil::NoEnd) {
                    let mut input = writer.end()?;
                    if spoil == Some(Spoil::MoreBehind) {
                        input.write_all(b"more")?;
                        input.flush()?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What came of it, if it passed.
    fn note<T>(
        &mut self,
        what: &'static str,
        found: Result<T>,
        said: impl FnOnce(&T) -> String,
        advice: &'static str,
    ) -> Result<Option<T>> {
        self.cx.go_on()?;
        let (verdict, text, remedy) = match &found {
            Ok(found) => (Verdict::Passed, said(found), None),
            Err(error) => (Verdict::Failed, error.to_string(), Some(advice)),
        };
        self.checks.push(Check { what, verdict, text, remedy });
        Ok(found.ok())
    }

    fn leave_out(&mut self, what: &'static str, why: &str) {
        self.checks.push(Check { what, verdict: Verdict::LeftOut, text: why.to_owned(), remedy: None });
    }
}

/// It ended with another status than 0.
fn is_refused(spec: &PluginSpec, verb: &str, cx: &Cx) -> Result<()> {
    let mut call = Call::start_with(spec, verb, cx)?;
    let asked = call.ask(spec).map(drop).and_then(|()| call.answer());
    if let Err(error) = asked {
        return Err(call.fail(error));
    }
    if call.end_with_status()? == 0 { Err(Error::failed("it ended with status 0")) } else { Ok(()) }
}

fn same(before: &Manifest, after: &Manifest) -> Result<()> {
    let names = |manifest: &Manifest| manifest.sums().into_iter().map(|(name, _)| name.to_owned()).collect();
    let (old, new): (Vec<_>, Vec<_>) = (names(before), names(after));
    if old != new {
        return Err(Error::failed(format!("one dump has the parts {old:?}, another {new:?}")));
    }
    if let (Some(old), Some(new)) = (&before.database.fingerprint, &after.database.fingerprint) {
        let text = format!("the fingerprint was {old:?} and is {new:?}");
        return if old == new { Ok(()) } else { Err(Error::failed(text)) };
    }
    let differs = before.sums().into_iter().zip(after.sums()).find(|(old, new)| old != new);
    differs.map_or(Ok(()), |((name, _), _)| Err(Error::failed(format!("part {name} differs"))))
}
