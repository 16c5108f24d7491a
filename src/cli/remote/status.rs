//! `lifeboat status` and `lifeboat top`: what the agent does, once or as it goes.

use std::convert::Infallible;
use std::io::{self, IsTerminal, Write, stdout};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::json;

use super::board::{Board, stamped};
use super::client;
use super::screen::Screen;
use crate::cli::args::{Ask, Status};
use crate::cli::output::printable;
use crate::cli::{Done, SUCCESS, Session};
use crate::client::{Client, Happening, Health, Run, Site};
use crate::error::{Context, Error, Kind, Result};

/// What the newest run that ended may hide behind: runs at work.
const NEWEST: usize = 10;

/// Clocks go on though nothing happens.
const REDRAW: Duration = Duration::from_millis(500);

/// Before an agent that is gone is looked for again.
const AGAIN: Duration = Duration::from_secs(1);

#[derive(Serialize)]
struct Document<'a> {
    at: String,
    #[serde(flatten)]
    health: &'a Health,
    sites: Vec<SiteNow<'a>>,
}

#[derive(Serialize)]
struct SiteNow<'a> {
    #[serde(flatten)]
    site: &'a Site,
    runs: Vec<&'a Run>,
    last: Option<&'a Run>,
}

pub(in crate::cli) fn status(session: &Session<'_>, args: &Status) -> Done {
    if args.watch {
        return watch(session, &args.ask);
    }
    let client = client(session, &args.ask)?;
    let (sites, board) = look(&client, &args.ask)?;
    let health = client.health()?;
    let ended = board.ended();
    let now = |site| SiteNow {
        site,
        runs: board.at_work(&site.name),
        last: ended.iter().find(|run| run.site == site.name).copied(),
    };
    let document =
        Document { at: client.place().to_string(), health: &health, sites: sites.iter().map(now).collect() };
    session.output.result(SUCCESS, &document, |out| {
        writeln!(out, "agent {} at {}: {}", health.version, document.at, health.status)?;
        // What is about a site stands there.
        let of_a_site =
            |text: &&String| sites.iter().any(|site| text.starts_with(&format!("{}: ", site.name)));
        for trouble in health.troubles.iter().filter(|text| args.ask.site.is_none() && !of_a_site(text)) {
            writeln!(out, "! {}", printable(trouble))?;
        }
        writeln!(out)?;
        for line in board.lines(Timestamp::now(), &TimeZone::system()) {
            writeln!(out, "{line}")?;
        }
        Ok(())
    })
}

/// The sites that are asked for, and their newest runs.
fn look(client: &Client, ask: &Ask) -> Result<(Vec<Site>, Board)> {
    let mut sites = client.sites()?;
    if let Some(name) = &ask.site {
        sites.retain(|site| site.name == *name);
        if sites.is_empty() {
            return Err(Error::usage(format!("the agent at {} has no site {name:?}", client.place()))
                .with_remedy("see `lifeboat status`"));
        }
    }
    let mut board = Board::default();
    for site in &sites {
        client.runs(&site.name, NEWEST)?.into_iter().for_each(|run| board.set_run(run));
    }
    board.set_sites(sites.clone());
    Ok((sites, board))
}

pub(in crate::cli) fn watch(session: &Session<'_>, ask: &Ask) -> Done {
    let client = client(session, ask)?;
    let mut view = View::new(session, &client);
    let mut found = false;
    loop {
        let ended = look_on(&client, ask, &mut view, &mut found);
        match ended {
            Err(Stopped::Shown(error)) => return shown(error),
            Err(Stopped::Lost(error)) if error.kind() == Kind::Cancelled => return Ok(SUCCESS),
            // One that was never there is not waited for, and one that does not want us either.
            Err(Stopped::Lost(error)) if !found || error.kind() != Kind::Failed => return Err(error),
            Err(Stopped::Lost(error)) => match view.lost(&error) {
                Ok(()) => std::thread::sleep(AGAIN),
                Err(error) => return shown(error),
            },
            Ok(never) => match never {},
        }
    }
}

/// Why it is not looked on any more.
enum Stopped {
    Lost(Error),
    Shown(io::Error),
}

fn look_on(client: &Client, ask: &Ask, view: &mut View, found: &mut bool) -> Result<Infallible, Stopped> {
    let (_, board) = look(client, ask).map_err(Stopped::Lost)?;
    let mut events = client.events(ask.site.as_deref()).map_err(Stopped::Lost)?;
    *found = true;
    view.begin(board).map_err(Stopped::Shown)?;
    loop {
        let happening = events.next(REDRAW).map_err(Stopped::Lost)?;
        view.take(happening).map_err(Stopped::Shown)?;
    }
}

/// A reader that went away (`| head`) has seen enough.
fn shown(error: io::Error) -> Done {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Ok(SUCCESS);
    }
    Err(error).context("write to standard output")
}

/// Where it is shown.
struct View {
    form: Form,
    head: String,
    board: Board,
    zone: TimeZone,
}

enum Form {
    Screen(Screen),
    Lines,
    Json,
}

impl View {
    fn new(session: &Session<'_>, client: &Client) -> Self {
        let form = match (session.global.json, stdout().is_terminal()) {
            (true, _) => Form::Json,
            (false, true) => Form::Screen(Screen::new()),
            (false, false) => Form::Lines,
        };
        let head = printable(&format!("agent at {}", client.place())).into_owned();
        Self { form, head, board: Board::default(), zone: TimeZone::system() }
    }

    fn begin(&mut self, board: Board) -> io::Result<()> {
        self.board = board;
        match self.form {
            Form::Screen(_) => self.draw(None),
            Form::Lines => {
                let lines = self.board.lines(Timestamp::now(), &self.zone);
                put(&[&[self.head.clone(), String::new()], lines.as_slice(), &[String::new()]].concat())
            }
            // The stream begins with the state.
            Form::Json => Ok(()),
        }
    }

    fn take(&mut self, happening: Option<Happening>) -> io::Result<()> {
        match (&self.form, happening) {
            (Form::Json, Some(Happening { name, data })) => {
                put(&[json!({ "event": name, "data": data }).to_string()])
            }
            (Form::Json | Form::Lines, None) => Ok(()),
            (Form::Screen(_), happening) => {
                happening.map(|happening| self.board.take(happening));
                self.draw(None)
            }
            (Form::Lines, Some(happening)) => {
                let lines = self.board.take(happening);
                let now = Timestamp::now();
                put(&lines.iter().map(|line| stamped(line, now, &self.zone)).collect::<Vec<_>>())
            }
        }
    }

    fn lost(&mut self, error: &Error) -> io::Result<()> {
        match &self.form {
            Form::Json => put(&[json!({ "event": "lost", "data": error.to_string() }).to_string()]),
            Form::Screen(_) => self.draw(Some(&error.to_string())),
            Form::Lines => put(&[stamped(&format!("! {error}"), Timestamp::now(), &self.zone)]),
        }
    }

    fn draw(&mut self, trouble: Option<&str>) -> io::Result<()> {
        let now = Timestamp::now();
        let clock = now.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string();
        let mut lines = vec![format!("{}, {clock}", self.head)];
        lines.extend(trouble.map(|text| format!("! {}", printable(text))));
        lines.push(String::new());
        lines.extend(self.board.lines(now, &self.zone));
        match &mut self.form {
            Form::Screen(screen) => screen.draw(&lines),
            Form::Lines | Form::Json => Ok(()),
        }
    }
}

fn put(lines: &[String]) -> io::Result<()> {
    let mut out = stdout().lock();
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    out.flush()
}
