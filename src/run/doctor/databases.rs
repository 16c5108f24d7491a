//! Each database: that a dump can begin, and which rights its user lacks.

use super::Finding;
use crate::database::{self, Lack};
use crate::dump::no_previous;
use crate::event::Cx;
use crate::run::Job;

pub(super) fn look(job: &Job, cx: &Cx) -> Vec<Finding> {
    let mut findings = Vec::new();
    for spec in &job.databases {
        let database = database::open(spec);
        let name = database.describe();
        let begun = database.begin(&no_previous, cx).map(|_feed| "a consistent dump can begin".to_owned());
        let answers = begun.is_ok();
        findings.push(Finding::of(&name, begun).at(&name));
        match database.lacks() {
            Ok(lacks) => findings.extend(lacks.iter().map(|lack| told(&name, lack))),
            // What keeps a dump from beginning is told above.
            Err(error) if answers => {
                findings.push(Finding::of(&format!("rights on {name}"), Err(error)).at(&name));
            }
            Err(_) => {}
        }
    }
    findings
}

fn told(database: &str, lack: &Lack) -> Finding {
    let text = format!("the database user lacks {}: {}", lack.right, lack.without);
    let remedy = format!("as an administrator of the server: {}", lack.statement);
    Finding::warning(format!("rights on {database}"), text, remedy).at(database)
}
