//! Dump, load and second snapshot against the stock tools, in alternation on generated data:
//! `cargo bench --bench database [-- MEGABYTES [ROUNDS]]`.
//!
//! Every contender is a process of its own, measured whole by the `time` program; what is printed are medians, and ratios
//! of medians to be read.
#![allow(clippy::print_stdout)]

mod legs;
#[allow(dead_code)]
#[path = "../../tests/it/mariadb.rs"]
mod mariadb;
#[path = "../measure.rs"]
mod measure;
mod second;
mod shop;

use std::path::Path;
use std::process::Command;

use crate::mariadb::MariaDb;
use crate::measure::{Contender, Run, bash, compare};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.first().is_some_and(|first| first == "leg") {
        return legs::run(&arguments[1..]);
    }
    let number =
        |at: usize, default| arguments.get(at).map_or(default, |text| text.parse().expect("a number"));
    let (megabytes, rounds) = (number(0, 500), number(1, 5));
    let server = MariaDb::start_with(&["--innodb-buffer-pool-size=1G", "--innodb-log-file-size=512M"]);
    let place = tempfile::tempdir().expect("make a directory");
    println!("{megabytes} MB of rows, {rounds} rounds, alternating; MariaDB with everything in its memory");
    shop::fill(&server, megabytes);
    dumps(&server, rounds);
    loads(&server, place.path(), rounds);
    second::snapshots(&server, place.path(), rounds);
}

/// A leg of this very program.
fn myself(leg: &[&str]) -> Run {
    let mut command = Command::new("time");
    command.args(measure::FORMAT).arg(std::env::current_exe().expect("this program")).arg("leg").args(leg);
    measure::run(&mut command)
}

fn stock_dump(server: &MariaDb) -> String {
    format!(
        "mariadb-dump --no-defaults --user=root --socket={} --single-transaction --quick --hex-blob shop",
        server.socket().display()
    )
}

fn dumps(server: &MariaDb, rounds: usize) {
    let socket = server.socket().display().to_string();
    let ours = |_| myself(&["dump", &socket, "1"]);
    let two = |_| myself(&["dump", &socket, "2"]);
    let stock = |_| bash(&format!("exec {} > /dev/null", stock_dump(server)));
    let contenders: [Contender<'_>; 3] =
        [("mariadb-dump", &stock), ("ours", &ours), ("ours, 2 connections", &two)];
    let runs = compare("dump, discarded", &contenders, rounds, &mut |_| {});
    for ((name, _), own) in contenders.iter().zip(&runs).skip(1) {
        let held = measure::median(own.iter().map(|run| run.parts[0]).collect());
        println!("  {name}: writers were held back for {held:.1} ms");
    }
}

fn loads(server: &MariaDb, place: &Path, rounds: usize) {
    let socket = server.socket().display().to_string();
    let (dump, script) = (place.join("dump"), place.join("dump.sql"));
    let dump = dump.display().to_string();
    myself(&["save", &socket, &dump]);
    bash(&format!("{} > {}", stock_dump(server), script.display()));
    let clean = || {
        for schema in server.schemas().into_iter().filter(|schema| schema != "shop") {
            server.sql("", &format!("DROP DATABASE `{schema}`"));
        }
    };
    let stock = |_| {
        server.sql("", "CREATE DATABASE stock CHARACTER SET utf8mb4");
        let client = format!("mariadb --no-defaults --user=root --socket={socket} stock");
        bash(&format!("exec {client} < {}", script.display()))
    };
    let load = |allowed: &str| {
        server.sql("", &format!("SET GLOBAL local_infile={allowed}"));
        myself(&["load", &socket, &dump])
    };
    let ours = |_| load("1");
    let inserts = |_| load("0");
    let contenders: [Contender<'_>; 3] =
        [("mariadb < dump.sql", &stock), ("ours", &ours), ("ours, INSERT", &inserts)];
    let runs = compare("load, verified where it is ours", &contenders, rounds, &mut |_| clean());
    let parts = |runs: &[Run], part: usize| measure::median(runs.iter().map(|run| run.parts[part]).collect());
    let stock = measure::median(runs[0].iter().map(|run| run.wall).collect());
    for (name, runs) in [("LOAD DATA", &runs[1]), ("INSERT", &runs[2])] {
        let (load, verify) = (parts(runs, 0), parts(runs, 1));
        println!("  {name}: load {load:.2} s, {:.2} of stock; verification {verify:.2} s", load / stock);
    }
}
