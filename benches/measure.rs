//! Whole processes, measured by the system's `time` program.

use std::process::{Command, Stdio};

/// What one process cost.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    /// Seconds.
    pub(crate) wall: f64,
    /// Seconds of user and system time, with those of its children.
    pub(crate) cpu: f64,
    /// Of its largest process, in MiB.
    pub(crate) peak: f64,
    /// Seconds of its parts, or whatever else it printed as numbers.
    pub(crate) parts: Vec<f64>,
}

/// A name, and what runs it in a round of this number.
pub(crate) type Contender<'a> = (&'a str, &'a dyn Fn(usize) -> Run);

pub(crate) fn bash(script: &str) -> Run {
    let mut command = Command::new("time");
    command.args(FORMAT).args(["bash", "-c", &format!("set -o pipefail; {script}")]);
    run(&mut command)
}

pub(crate) const FORMAT: [&str; 2] = ["-f", "\nmeasured %e %U %S %M"];

/// The costs of a command that begins with `time` and this format.
pub(crate) fn run(command: &mut Command) -> Run {
    let output = command.stdin(Stdio::null()).output().expect("run time");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {told}");
    let line = told.lines().rfind(|line| line.starts_with("measured ")).expect("a measurement");
    let numbers: Vec<f64> = line.split(' ').skip(1).map(|text| text.parse().expect("a number")).collect();
    let printed = String::from_utf8_lossy(&output.stdout);
    let parts = printed.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    Run { wall: numbers[0], cpu: numbers[1] + numbers[2], peak: numbers[3] / 1024.0, parts }
}

/// Runs them in turn and prints medians with their ratios to the first; `after` cleans up behind each.
pub(crate) fn compare(
    what: &str,
    contenders: &[Contender<'_>],
    rounds: usize,
    after: &mut dyn FnMut(usize),
) -> Vec<Vec<Run>> {
    let mut runs = vec![Vec::new(); contenders.len()];
    for round in 0..rounds {
        for (at, (_, run)) in contenders.iter().enumerate() {
            runs[at].push(run(round));
            after(round);
        }
    }
    println!("\n{what}");
    let of = |runs: &[Run], figure: fn(&Run) -> f64| median(runs.iter().map(figure).collect());
    for ((name, _), own) in contenders.iter().zip(&runs) {
        let ratio = |figure: fn(&Run) -> f64| of(own, figure) / of(&runs[0], figure);
        println!(
            "  {name:<36} wall {:6.2} s ({:.2})   cpu {:6.2} s ({:.2})   peak {:5.0} MiB",
            of(own, |run| run.wall),
            ratio(|run| run.wall),
            of(own, |run| run.cpu),
            ratio(|run| run.cpu),
            of(own, |run| run.peak),
        );
    }
    runs
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
