//! `lifeboat plugin`: tries a plugin for its author, and does inside of one what a shell cannot.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::args::{Plugin, PluginPart, PluginTrial};
use super::bar;
use super::output::table;
use super::{Done, SUCCESS, Session};
use crate::database::PluginSpec;
use crate::database::plugin::{self, Check, Frames, Record, Trial, Verdict};
use crate::error::{Context, Error, Kind, Result};
use crate::event::Cx;
use crate::history;
use crate::sys::fs::{create_private_directory, private_file};
use crate::sys::process;
use crate::sys::secret::Secret;

/// Bytes of the document with the options.
const LONGEST_DOCUMENT: u64 = 1 << 20;

pub(super) fn plugin(session: &Session<'_>, action: &Plugin) -> Done {
    match action {
        Plugin::Test(trial) => test(session, trial),
        Plugin::Part(part) => frame(part),
        Plugin::Unpack { directory } => unpack(directory),
        Plugin::Options { known } => options(known),
    }
}

#[derive(Serialize)]
struct Report {
    passed: bool,
    checks: Vec<Check>,
}

fn test(session: &Session<'_>, args: &PluginTrial) -> Done {
    let path = std::path::absolute(&args.path).context("find the plugin")?;
    let options =
        args.options.as_deref().map_or_else(|| Ok(Value::Object(serde_json::Map::new())), read_options)?;
    let scratch = Scratch::make()?;
    if !args.yes_overwrite {
        session.output.say("nothing is restored: with `--yes-overwrite`, everything in the database that the options name may be overwritten");
    }
    let spec = PluginSpec {
        name: "trial".to_owned(),
        command: vec![path.to_string_lossy().into_owned()],
        request: Secret::default(),
        secrets: Vec::new(),
        timeout: Duration::from_secs(args.timeout),
        scratch: scratch.0.clone(),
    };
    let sink = Arc::new(bar::Terminal::new(session.global));
    let cx = Cx::new(history::new_run("plugin"), session.cancel.clone(), vec![sink]);
    let checks = plugin::prove(&Trial { spec, options, overwrite: args.yes_overwrite }, &cx)?;
    let passed = checks.iter().all(|check| check.verdict != Verdict::Failed);
    let code = if passed { SUCCESS } else { Kind::Failed.exit_code() };
    let report = Report { passed, checks };
    session.output.result(code, &report, |out| tell(&report, out))
}

fn tell(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let rows = report.checks.iter().map(|check| {
        let verdict = match check.verdict {
            Verdict::Passed => "pass",
            Verdict::Failed => "FAIL",
            Verdict::LeftOut => "left out",
        };
        vec![verdict.to_owned(), check.what.to_owned(), check.text.clone()]
    });
    writeln!(out, "{}", table(&["", "What", "Found"], &[], rows))?;
    for check in &report.checks {
        if let Some(remedy) = check.remedy {
            writeln!(out, "{}: {remedy}", check.what)?;
        }
    }
    writeln!(
        out,
        "{}",
        if report.passed { "the plugin keeps the contract" } else { "the plugin does not keep the contract" }
    )
}

fn read_options(path: &Path) -> Result<Value> {
    let what = || format!("read the options in {}", path.display());
    let text = std::fs::read(path).with_context(what)?;
    let options: Value = serde_json::from_slice(&text).with_context(what)?;
    if options.is_object() {
        return Ok(options);
    }
    Err(Error::usage(format!("{} is no JSON object", path.display())))
}

fn frame(part: &PluginPart) -> Done {
    let mut out = BufWriter::new(io::stdout().lock());
    if part.command.is_empty() {
        plugin::write_unknown(&part.name, io::stdin().lock(), &mut out, || Ok(()))?;
    } else {
        let (program, output) = process::Part::start(&part.command)?;
        plugin::write_unknown(&part.name, output, &mut out, || program.end())?;
    }
    Ok(SUCCESS)
}

/// Whoever sees this fail has files that are not whole; who sees it end well has all of them.
fn unpack(directory: &Path) -> Done {
    let mut frames = Frames::new(io::stdin().lock());
    let mut buffer = vec![0; 256 << 10];
    loop {
        match frames.record()? {
            Record::Moment => {}
            Record::Part { name, .. } => {
                let path = directory.join(name);
                let what = || format!("write {}", path.display());
                let mut file = private_file(&path).with_context(what)?;
                loop {
                    let read = frames.data(&mut buffer)?;
                    if read == 0 {
                        break;
                    }
                    file.write_all(&buffer[..read]).with_context(what)?;
                }
            }
            Record::End => return Ok(SUCCESS),
        }
    }
}

fn options(known: &[String]) -> Done {
    let mut line = Vec::new();
    let mut input = BufReader::new(io::stdin().lock()).take(LONGEST_DOCUMENT);
    input.read_until(b'\n', &mut line).context("read standard input")?;
    let document: Value = serde_json::from_slice(&line).context("read the first line as JSON")?;
    if document["version"] != plugin::PROTOCOL {
        return Err(Error::usage(format!("version {} of the contract is not known", document["version"])));
    }
    let Some(options) = document["options"].as_object() else {
        return Err(Error::usage("the document has no options"));
    };
    let known: BTreeSet<_> = known.iter().map(String::as_str).collect();
    let mut text = zeroize::Zeroizing::new(String::new());
    for (name, value) in options {
        if !known.contains(name.as_str()) {
            let names: Vec<_> = known.iter().copied().collect();
            return Err(Error::usage(format!("{name:.60?} is no option of this plugin"))
                .with_remedy(format!("its options are {}", names.join(", "))));
        }
        text.push_str(&assignment(name, value)?);
    }
    std::io::stdout().lock().write_all(text.as_bytes()).context("write to standard output")?;
    Ok(SUCCESS)
}

/// A line that `eval` takes for nothing else.
fn assignment(name: &str, value: &Value) -> Result<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if name.is_empty() || !name.bytes().all(plain) {
        return Err(Error::usage(format!("{name:?} cannot be the name of a variable")));
    }
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        Value::Null => String::new(),
        Value::Array(_) | Value::Object(_) => {
            return Err(Error::usage(format!("option {name} is a list or a group, and must be one value")));
        }
    };
    if text.contains(char::is_control) {
        return Err(Error::usage(format!("option {name} has a control character in it")));
    }
    Ok(format!("option_{name}='{}'\n", text.replace('\'', "'\\''")))
}

/// Removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn make() -> Result<Self> {
        let place = std::env::temp_dir().join(format!("lifeboat-plugin-{:016x}", rand::random::<u64>()));
        create_private_directory(&place)?;
        Ok(Self(place))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nobody else can enter it, and nothing in it is wanted any more.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_value_can_be_more_than_a_value_to_a_shell() {
        let said = assignment("a", &json!("it's $(x) `y` \\ \"z\"")).unwrap();
        assert_eq!(said, "option_a='it'\\''s $(x) `y` \\ \"z\"'\n");
        assert_eq!(assignment("port", &json!(6379)).unwrap(), "option_port='6379'\n");
        for (name, value) in [("a", json!("x\ny")), ("a", json!([1])), ("a;b", json!(1)), ("", json!(1))] {
            assert!(assignment(name, &value).is_err(), "{name} {value}");
        }
    }
}
