//! Whether everybody can use the page, as far as a machine can tell: axe-core, run inside it.

use serde_json::{Value, json};

use super::{Browser, said};
use crate::tools;

/// The levels A and AA of WCAG 2.0 and 2.1.
const RULES: [&str; 4] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"];

/// What axe holds against the page as it is shown now, one rule and element a line, with what is wrong with it.
#[track_caller]
pub(crate) fn violations(browser: &Browser) -> Vec<String> {
    if browser.script("return typeof axe", &json!([])) == "undefined" {
        let axe = tools::python_file("site-packages/axe_playwright_python/axe.min.js");
        browser.script(&std::fs::read_to_string(axe).unwrap(), &json!([]));
    }
    let run = "return axe.run(document, {runOnly: {type: 'tag', values: arguments[0]}, resultTypes: ['violations']})";
    let found = browser.script(run, &json!([RULES]));
    assert!(
        found["passes"].as_array().is_some_and(|passes| !passes.is_empty()),
        "axe judged nothing: {found}"
    );
    let rules = found["violations"].as_array().into_iter().flatten();
    rules
        .flat_map(|rule| rule["nodes"].as_array().into_iter().flatten().map(|node| line(rule, node)))
        .collect()
}

fn line(rule: &Value, node: &Value) -> String {
    let why = said(&node["failureSummary"]).lines().skip(1).map(str::trim).collect::<Vec<_>>().join("; ");
    format!(
        "{} ({}): {}\n    {} {}\n    {why}",
        said(&rule["id"]),
        said(&rule["impact"]),
        said(&rule["help"]),
        node["target"],
        said(&node["html"]).chars().take(200).collect::<String>(),
    )
}

/// `context` says in the failure which page it was, and how it was looked at.
#[track_caller]
pub(crate) fn assert_accessible(browser: &Browser, context: &str) {
    let found = violations(browser);
    assert!(found.is_empty(), "{context}: {} violations\n{}", found.len(), found.join("\n"));
}
