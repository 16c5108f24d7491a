//! What we hand to who watches many machines: alert rules, their dashboard, and what is written about each number, judged by a real Prometheus.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::metrics::promtool;
use super::{scheduled, wait_until};
use crate::notify::servers::{Answer, Web};
use crate::world::World;

const NONE: &str = "databases: []";

/// More scrapes than a test lasts.
const SCRAPES: usize = 600;

/// A file of `manifests/monitoring`.
fn ours(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/monitoring").join(name)
}

fn dashboard() -> Value {
    serde_json::from_str(&fs::read_to_string(ours("lifeboat.dashboard.json")).unwrap()).unwrap()
}

/// Every word of a text that could be the name of one of our numbers.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_lowercase() && letter != '_');
    words.filter(|word| word.starts_with("lifeboat_")).map(str::to_owned).collect()
}

/// The names on a page.
fn families(page: &str) -> BTreeSet<String> {
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    types.map(str::to_owned).collect()
}

/// A Prometheus that looks at a page each second, and at our rules; it is gone when dropped.
struct Prometheus {
    process: Child,
    log: PathBuf,
    _directory: TempDir,
}

impl Prometheus {
    fn start(page: &Web) -> Self {
        let directory = TempDir::new().unwrap();
        let config = directory.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{}]\nscrape_configs:\n- job_name: lifeboat\n  static_configs: [{{targets: [\"127.0.0.1:{}\"]}}]\n",
            ours("lifeboat.rules.yml").display(),
            page.port
        );
        fs::write(&config, text).unwrap();
        let log = directory.path().join("log");
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let server = Self { process, log, _directory: directory };
        wait_until(|| server.port().is_some(), || server.log());
        server
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// The one that it was given, once it listens.
    fn port(&self) -> Option<u16> {
        let said = self.log();
        said.split("msg=\"Listening on\" address=127.0.0.1:").nth(1)?.lines().next()?.trim().parse().ok()
    }

    /// The data of an answer of its HTTP API, or why there is none.
    fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().proxy(None).http_status_as_error(false).build().into();
        let mut request = agent.get(format!("http://127.0.0.1:{}/api/v1/{path}", self.port().unwrap()));
        for (name, value) in parameters {
            request = request.query(name, value);
        }
        let text = request.call().unwrap().body_mut().read_to_string().unwrap();
        // Until it has read what is on its disk it says so in plain text.
        let answer: Value = serde_json::from_str(&text).map_err(|_| text)?;
        if answer["status"] == "success" { Ok(answer["data"].clone()) } else { Err(answer.to_string()) }
    }

    /// How many series an expression comes to.
    fn series(&self, expression: &str) -> Result<usize, String> {
        let data = self.ask("query", &[("query", expression)])?;
        Ok(data["result"].as_array().map_or(0, Vec::len))
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A site with runs of every kind that numbers tell of, one of them failed.
fn eventful() -> World {
    let hook = "[{command: [/bin/true]}]";
    let world = scheduled(
        NONE,
        &format!(
            "quiesce: {{mode: full, limit: 60s}}\nhooks: {{quiesce: {hook}, resume: {hook}}}\nschedule: {{backup: daily, check: weekly, drill: monthly}}\n"
        ),
    );
    for content in 0..4 {
        world.write("page", format!("hello {content}"));
        world.backup();
    }
    world.run(&["drill"]).expect(0);
    world.run(&["check"]).expect(0);
    fs::rename(world.path("storage"), world.path("elsewhere")).unwrap();
    world.run(&["check"]).expect(1);
    world
}

/// Each panel's title with one of its queries, as Grafana would send it.
fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            let filled = [("$site", "demo"), ("$__rate_interval", "1m"), ("$__interval", "1m")]
                .iter()
                .fold(expression.to_owned(), |text, (variable, value)| text.replace(variable, value));
            assert!(!filled.contains('$'), "{filled}: a variable that Grafana would have to know");
            found.push((panel["title"].as_str().unwrap().to_owned(), filled));
        }
    }
    found
}

#[test]
fn all_that_the_dashboard_and_the_rules_ask_for_is_there() {
    let page = eventful().run(&["metrics"]).expect(0).out;
    let kind = "Content-Type: text/plain; version=0.0.4\r\n";
    let web = Web::start(std::iter::repeat_n(Answer::Give(200, kind, page.clone()), SCRAPES));
    let prometheus = Prometheus::start(&web);
    let scrapes = || prometheus.ask("query", &[("query", "count_over_time(lifeboat_build_info[1m])")]);
    let counted = || scrapes().ok()?["result"][0]["value"][1].as_str()?.parse::<u32>().ok();
    wait_until(|| counted() >= Some(3), || format!("{:?}\n{}", scrapes(), prometheus.log()));

    let dashboard = dashboard();
    let queries = queries(&dashboard);
    assert!(queries.len() >= 40, "{}", queries.len());
    let asked = queries.iter().map(|(title, query)| (title, query, prometheus.series(query)));
    let missing: Vec<_> = asked.filter(|(.., series)| !matches!(series, Ok(1..))).collect();
    assert!(missing.is_empty(), "{missing:#?}\n{page}");
    let choice = dashboard["templating"]["list"][1]["definition"].as_str().unwrap();
    let offered = choice.strip_prefix("label_values(").and_then(|text| text.strip_suffix(", site)")).unwrap();
    assert_eq!(prometheus.series(&format!("group by (site) ({offered})")), Ok(1));

    let rules = || prometheus.ask("rules", &[]).unwrap()["groups"][0]["rules"].as_array().unwrap().clone();
    let judged = || rules().iter().all(|rule| rule["health"] != "unknown");
    wait_until(judged, || format!("{:?}", rules()));
    assert!(rules().len() >= 12, "{:?}", rules());
    for rule in rules() {
        assert_eq!(rule["health"], "ok", "{rule}");
        prometheus.series(rule["query"].as_str().unwrap()).unwrap();
    }
}

#[test]
fn every_number_is_explained_and_shown() {
    let page = scheduled(NONE, "schedule: daily\n").run(&["metrics"]).expect(0).out;
    let there = families(&page);
    let table = fs::read_to_string(ours("README.md")).unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `lifeboat_")).collect::<String>();
    assert_eq!(names(&rows), there);
    let shown: String = queries(&dashboard()).into_iter().map(|(_, query)| query + "\n").collect();
    assert_eq!(names(&shown), there);
}

#[test]
fn each_rule_alerts_when_it_is_to_and_names_what_there_is() {
    let (rules, tests) = (ours("lifeboat.rules.yml"), ours("lifeboat.rules.test.yml"));
    for arguments in [["check", "rules", rules.to_str().unwrap()], ["test", "rules", tests.to_str().unwrap()]]
    {
        let (accepted, said) = promtool(&arguments, "");
        assert!(accepted, "{said}");
    }
    let page = scheduled(NONE, "schedule: daily\n").run(&["metrics"]).expect(0).out;
    let (rules, tests) = (fs::read_to_string(rules).unwrap(), fs::read_to_string(tests).unwrap());
    assert!(names(&rules).is_subset(&families(&page)), "{:?}", names(&rules));
    let alerts: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() >= 12, "{alerts:?}");
    for alert in alerts {
        let name = format!("alertname: {alert}\n");
        let cases = tests.split(&name).skip(1);
        let (silent, alerting): (Vec<_>, Vec<_>) =
            cases.partition(|case| case.trim_start().starts_with("exp_alerts: []"));
        assert!(!silent.is_empty() && !alerting.is_empty(), "{alert} is not tested both ways");
    }
}
