//! Who asks: a person or cron at a terminal. The only place that prints.

mod adopt;
mod agent;
mod args;
mod backup;
mod backups;
mod bar;
mod browse;
mod config;
mod demo;
mod doctor;
mod drill;
mod dump;
mod find;
mod hooks;
mod init;
mod key;
mod maintain;
mod metrics;
mod notify;
mod output;
mod parse;
mod pin;
mod plugin;
mod recover;
mod remote;
mod request;
mod restore;
mod runs;
mod schedule;
mod snapshots;
mod token;
mod undo;

use std::cell::Cell;
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory, Parser};

use self::args::{Cli, Command, Global};
use self::output::Output;
use crate::agent::Signals;
use crate::config::Config;
use crate::error::{Context, Error, Kind, Result};
use crate::event::{Cancel, Cx, RunKind, Sink};
use crate::history::{self, Recorder};
use crate::run::Job;
use crate::sys::signal;

/// What a command comes to: an exit code, unless it failed.
type Done = Result<u8>;

const SUCCESS: u8 = 0;

/// Runs one command line and returns the process's exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && arguments.iter().any(|argument| argument == "--json") => {
            // A program that asked for one document gets one, whatever is wrong with what it asked.
            let text = error.render().to_string();
            Output::json().error(&Error::usage(text.trim().trim_start_matches("error: ")));
            return Kind::Usage.exit_code();
        }
        Err(error) => {
            // Help and version are no mistakes; if even this cannot be printed there is nobody to tell.
            drop(error.print());
            return if error.use_stderr() { Kind::Usage.exit_code() } else { SUCCESS };
        }
    };
    let output = Output::new(&cli.global);
    let cancel = Cancel::default();
    let asked = cancel.clone();
    // The agent has its own idea of what a signal asks for.
    let (to_agent, signals) = Signals::new();
    let listening = match cli.command {
        Command::Agent(_) => signal::on_stop(to_agent),
        _ => signal::on_stop(move |_| asked.cancel()),
    };
    let result = listening.and_then(|()| {
        let session =
            Session { global: &cli.global, output: &output, cancel, signals: Cell::new(Some(signals)) };
        // Exit codes are a contract: not even a mistake of ours may bring another one.
        catch_unwind(AssertUnwindSafe(|| dispatch(&session, &cli.command)))
            .unwrap_or_else(|_| Err(Error::failed("an internal error, described above; please report it")))
    });
    result.unwrap_or_else(|error| {
        output.error(&error);
        error.kind().exit_code()
    })
}

/// What all commands share.
struct Session<'a> {
    global: &'a Global,
    output: &'a Output,
    cancel: Cancel,
    /// For the agent, which takes them.
    signals: Cell<Option<Signals>>,
}

fn dispatch(session: &Session<'_>, command: &Command) -> Done {
    match command {
        Command::Init(args) => init::init(session, args),
        Command::Adopt(args) => adopt::adopt(session, args),
        Command::Backup(args) => backup::backup(session, args),
        Command::Snapshots(args) => snapshots::snapshots(session, args),
        Command::Restore(args) => restore::restore(session, args),
        Command::Recover => recover::recover(session),
        Command::Drill(args) => drill::drill(session, args),
        Command::Forget(args) => maintain::forget(session, args),
        Command::Pin(args) => pin::pin(session, args),
        Command::Unpin(args) => pin::unpin(session, args),
        Command::Check(args) => maintain::check(session, args),
        Command::Agent(args) => agent::agent(session, args),
        Command::Schedule(args) => schedule::schedule(session, args),
        Command::Runs(args) => runs::runs(session, args),
        Command::Metrics(args) => metrics::metrics(session, args),
        Command::Status(args) => remote::status(session, args),
        Command::Top(ask) => remote::watch(session, ask),
        Command::Cancel(args) => remote::cancel(session, args),
        Command::Request(args) => request::request(session, args),
        Command::Ls(args) => browse::ls(session, args),
        Command::Find(args) => find::find(session, args),
        Command::Dump(args) => dump::dump(session, args),
        Command::Diff(args) => browse::diff(session, args),
        Command::Doctor => doctor::doctor(session),
        Command::Key { action } => key::key(session, action),
        Command::Hooks { action } => hooks::hooks(session, action),
        Command::Notify { action } => notify::notify(session, action),
        Command::Token { action } => token::token(session, action),
        Command::Plugin { action } => plugin::plugin(session, action),
        Command::Config { action } => config::config(session, action),
        Command::Parse { action } => parse::parse(session, action),
        Command::Demo(args) => demo::demo(session, args),
        Command::Completions { shell } => completions(*shell),
        Command::Man { dir } => man(dir.as_deref()),
    }
}

impl Session<'_> {
    fn config(&self) -> Result<Config> {
        Ok(crate::config::load(&self.global.config)?)
    }

    /// The site as it is configured, with its databases; the site must be there.
    fn job(&self) -> Result<Job> {
        self.config()?.job().map(|job| self.patient(job))
    }

    /// The same for commands that only look at the repository: they work where the site itself is gone.
    fn repository_job(&self) -> Result<Job> {
        self.config()?.job_without_databases().map(|job| self.patient(job))
    }

    /// The site with its databases as far as they can be told, also where the site itself is gone: enough to put right what
    /// a killed restore left, and to look at the repository.
    fn any_job(&self) -> Result<Job> {
        let config = self.config()?;
        config.job_to_restore().or_else(|_| config.job_without_databases()).map(|job| self.patient(job))
    }

    fn patient(&self, job: Job) -> Job {
        Job { patience: Duration::from_secs(self.global.storage_patience), ..job }
    }

    /// A context that reports to the terminal.
    fn cx(&self) -> Cx {
        Cx::new(history::new_run("cli"), self.cancel.clone(), vec![Arc::new(bar::Terminal::new(self.global))])
    }

    /// The same for a run that is to be remembered. A history that cannot be written is no reason to do nothing.
    fn run_cx(&self, job: &Job, kind: RunKind) -> Result<Cx> {
        let id = self.global.run_id.clone().unwrap_or_else(|| history::new_run(kind.name()));
        let mut sinks: Vec<Arc<dyn Sink>> = Vec::new();
        let recorder = Recorder::begin(&history::directory(&job.state), &id);
        let failure = match recorder {
            Ok(recorder) => {
                sinks.push(Arc::new(recorder));
                None
            }
            // What happened under this name must not happen again.
            Err(error) if matches!(error.kind(), Kind::Locked | Kind::Usage) => return Err(error),
            Err(error) => Some(error),
        };
        // Who hears of something here may look for it in the history: there it is first.
        sinks.push(Arc::new(bar::Terminal::new(self.global)));
        let cx = Cx::new(id, self.cancel.clone(), sinks);
        if let Some(error) = failure {
            cx.warn(format!("this run will not be in the history: {error}"));
        }
        Ok(cx)
    }

    /// For short looks: steps are not worth a line, problems are.
    fn quiet_cx(&self) -> Cx {
        let global = Global { quiet: true, ..self.global.clone() };
        Cx::new("-", self.cancel.clone(), vec![Arc::new(bar::Terminal::new(&global))])
    }
}

fn completions(shell: clap_complete::Shell) -> Done {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "lifeboat", &mut script);
    Output::raw(|to| to.write_all(&script))
}

/// One page with all commands, or one file for each of them in a directory.
fn man(directory: Option<&Path>) -> Done {
    let command = Cli::command();
    if let Some(directory) = directory {
        clap_mangen::generate_to(command, directory)
            .with_context(|| format!("write the manual pages into {}", directory.display()))
            .map_err(|error| error.with_remedy("name a directory that is there and can be written"))?;
        return Ok(SUCCESS);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page).context("write the manual page")?;
    for sub in command.get_subcommands() {
        let named = sub.clone().name(format!("lifeboat-{}", sub.get_name()));
        clap_mangen::Man::new(named).render(&mut page).context("write the manual page")?;
    }
    Output::raw(|to| to.write_all(&page))
}
