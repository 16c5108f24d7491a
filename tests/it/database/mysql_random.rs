//! 500 random schemas, dumped from one server and restored into another, compared by the stock client.
//!
//! The seeds are fixed, so that a failure can be seen again; `LIFEBOAT_SEED` chooses others.

use std::time::Duration;

use lifeboat::event::Cx;
use proptest::collection::vec;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use super::random_schema::{SESSION, Table, schema, sql};
use super::{TOKEN, collect, engine, fingerprint};
use crate::mariadb::MariaDb;

/// Schemas made at once: a table of the last second makes a dump wait.
const TOGETHER: usize = 25;

#[test]
fn random_schemas_come_back_1() {
    all_come_back(1);
}

#[test]
fn random_schemas_come_back_2() {
    all_come_back(2);
}

fn all_come_back(number: u64) {
    let (source, target) = (MariaDb::start(), MariaDb::start());
    let seed: u64 = std::env::var("LIFEBOAT_SEED").map_or(0, |seed| seed.parse().expect("a number"));
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    // A schema that fails is small enough to be read, so that nothing is made smaller.
    let config = Config { cases: 10, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let verdict = runner.run(&vec(schema(), TOGETHER), |schemas| come_back(&source, &target, &schemas));
    if let Err(TestError::Fail(why, _) | TestError::Abort(why)) = verdict {
        panic!("{why}");
    }
}

fn come_back(source: &MariaDb, target: &MariaDb, schemas: &[Vec<Table>]) -> Result<(), TestCaseError> {
    for server in [source, target] {
        for schema in server.schemas() {
            server.sql("", &format!("DROP DATABASE `{}`", schema.replace('`', "``")));
        }
    }
    let names: Vec<_> = (0..schemas.len()).map(|number| format!("s`{number} é")).collect();
    let made: String = std::iter::zip(&names, schemas).map(|(name, tables)| sql(name, tables)).collect();
    source.sql("", &format!("{SESSION}{made}"));
    std::thread::sleep(Duration::from_millis(1100));
    for (name, tables) in std::iter::zip(&names, schemas) {
        round_trip(source, target, name)
            .map_err(|why| TestCaseError::fail(format!("{why}\n{}", sql(name, tables))))?;
    }
    Ok(())
}

fn round_trip(source: &MariaDb, target: &MariaDb, name: &str) -> Result<(), String> {
    let told = |error: lifeboat::error::Error| error.to_string();
    let cx = Cx::silent();
    let before = fingerprint::of(source, name);
    let (shelf, summary) = collect(&*engine(source.spec(name)), &cx).map_err(told)?;
    let database = engine(target.spec(name));
    let copy = database.load_aside(&shelf, TOKEN, &cx).map_err(told)?;
    database.swap_in(&copy, &cx).map_err(told)?;
    let after = fingerprint::of(target, name);
    database.discard(&copy, &cx).map_err(told)?;
    let differing = before.lines().zip(after.lines()).find(|(one, other)| one != other);
    if before == after && summary.unsaved.is_empty() {
        return Ok(());
    }
    Err(format!("{:?} {differing:#?}", summary.unsaved))
}
