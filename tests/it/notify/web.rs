//! Webhooks and pings, with a web server at the other end that is as rude as they come.

use std::time::{Duration, Instant};

use lifeboat::event::{Outcome, RunKind};
use lifeboat::notify::{Channel, Means, Method, Outbox, Value, WebhookSpec, Which, run_ended, run_started};
use tempfile::TempDir;

use super::servers::{Answer, Certificates, Web, closed_port, status};
use super::{
    at, began, channel, deliver, everything_in, fail_and_deliver, hidden, hook, ping, run, spec, webhook,
};

fn custom(hook: WebhookSpec) -> Channel {
    channel("chat", Means::Webhook(hook))
}

#[test]
fn all_there_is_to_know_goes_as_json() {
    let (state, web) = (TempDir::new().unwrap(), Web::start([]));
    let spec = spec(vec![webhook("chat", web.url("/hook?x=1"))]);
    let report = fail_and_deliver(&spec, state.path(), "r1", 0);
    assert_eq!((report.sent, report.counts.sent_ever), (1, 1));
    let request = &web.requests()[0];
    assert!(request.head.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{}", request.head);
    assert_eq!(request.header("content-type"), Some("application/json"));
    let letter = request.json();
    assert_eq!(request.header("idempotency-key"), letter["id"].as_str());
    for (key, value) in [
        ("event", "failed"),
        ("level", "error"),
        ("site", "shop"),
        ("title", "shop: backup failed"),
        ("kind", "backup"),
        ("outcome", "failed"),
        ("error", "the storage is away"),
        ("time", "2027-01-15 09:05:00 CET"),
        ("finished", "2027-01-15T08:05:00Z"),
        ("command", "lifeboat --config /etc/lifeboat/shop.yaml runs r1"),
    ] {
        assert_eq!(letter[key], value, "{key}");
    }
    assert_eq!((&letter["seconds"], &letter["failures"]), (&300.into(), &1.into()));
}

#[test]
fn a_template_makes_what_a_service_wants_and_names_cannot_break_out_of_it() {
    let (state, web) = (TempDir::new().unwrap(), Web::start([]));
    let template = "{\"text\": {{ (title ~ '\\n' ~ text) | replace('<', '&lt;') | tojson }}, \"n\": {{ missed_count }}{% for m in missed %}, \
                    \"path\": {{ m.path | tojson }}{% endfor %}}\n";
    let headers = vec![("Authorization".to_owned(), Value::Hidden(hidden("Bearer CANARY-token")))];
    let spec = spec(vec![custom(WebhookSpec {
        method: Method::Put,
        headers,
        body: Some(template.to_owned()),
        ..hook(web.url("/"))
    })]);
    let mut run = run("r1", RunKind::Backup, Outcome::Incomplete, 0);
    run.missed = vec![("a\", \"admin\": \"yes\r\n</script>\u{1b}".to_owned(), "why".to_owned())];
    run_ended(&spec, state.path(), "shop", &run, at(300)).unwrap();
    assert_eq!(deliver(&spec, state.path(), 300).sent, 1);
    let request = &web.requests()[0];
    assert!(request.head.starts_with("PUT / "), "{}", request.head);
    assert_eq!(request.header("authorization"), Some("Bearer CANARY-token"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    let sent = request.json();
    assert_eq!(sent["admin"], serde_json::Value::Null);
    assert_eq!(
        (&sent["n"], sent["path"].as_str()),
        (&1.into(), Some("a\", \"admin\": \"yes\\r\\n</script>\\u{1b}"))
    );
    assert!(
        sent["text"].as_str().unwrap().starts_with("shop: backup incomplete, 1 path is missing\n"),
        "{sent}"
    );
}

#[test]
fn what_may_pass_is_tried_again_and_what_will_not_is_set_aside() {
    for (answer, waits) in [
        (status(500), true),
        (status(503), true),
        (status(408), true),
        (status(429), true),
        (status(302), true),
        (status(400), false),
        (status(403), false),
        (status(404), false),
        (status(410), false),
    ] {
        let (state, web) = (TempDir::new().unwrap(), Web::start([answer.clone()]));
        let spec = spec(vec![webhook("chat", web.url("/"))]);
        let report = fail_and_deliver(&spec, state.path(), "r1", 0);
        let Answer::Give(code, ..) = answer else { unreachable!() };
        assert_eq!((report.waiting, report.given_up), (usize::from(waits), usize::from(!waits)), "{code}");
        assert!(report.troubles[0].1.contains(&code.to_string()), "{report:?}");
        if !waits {
            Outbox::open(state.path()).unwrap().retry(Which::All, at(400)).unwrap();
        }
        let report = deliver(&spec, state.path(), 400);
        assert_eq!((report.sent, report.waiting), (1, 0), "{code}: {report:?}");
        let ids: Vec<_> = web.requests().iter().map(|request| request.json()["id"].clone()).collect();
        assert!(ids.len() == 2 && ids[0] == ids[1], "{ids:?}");
    }
}

#[test]
fn a_server_that_is_away_or_slow_is_tried_again_within_its_time() {
    let (state, slow) = (TempDir::new().unwrap(), Web::start([Answer::Hang]));
    let dribbling = Web::start([Answer::Dribble]);
    let mut spec = spec(vec![
        webhook("away", format!("http://127.0.0.1:{}/", closed_port())),
        webhook("hanging", slow.url("/")),
        webhook("dribbling", dribbling.url("/")),
        webhook("unknown", "http://no-such-host.invalid/CANARY-path"),
    ]);
    spec.patience = Duration::from_secs(2);
    let begun = Instant::now();
    let report = fail_and_deliver(&spec, state.path(), "r1", 0);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!((report.sent, report.waiting, report.given_up), (0, 4, 0), "{report:?}");
    assert!(report.troubles[0].1.contains("refused"), "{report:?}");
    assert!(report.troubles[1].1.ends_with("no answer within 2s"), "{report:?}");
    assert!(report.troubles[2].1.ends_with("no answer within 2s"), "{report:?}");
    assert!(!format!("{report:?}{}", everything_in(state.path())).contains("CANARY"));
    let report = deliver(&spec, state.path(), 400);
    assert_eq!((report.sent, report.waiting), (2, 2), "{report:?}");
}

#[test]
fn a_server_says_itself_when_it_wants_to_be_asked_again() {
    let state = TempDir::new().unwrap();
    let busy = |headers| Answer::Give(429, headers, String::new());
    let web = Web::start([
        busy("Retry-After: 7200\r\n"),
        busy("Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n"),
        busy("Retry-After: 999999999\r\n"),
    ]);
    let spec = spec(vec![webhook("chat", web.url("/"))]);
    let next = fail_and_deliver(&spec, state.path(), "r1", 0).next_try.unwrap();
    assert!((at(7500)..at(7520)).contains(&next), "{next}");
    assert_eq!(deliver(&spec, state.path(), 7000).sent, 0);
    assert_eq!(web.requests().len(), 1, "not before");
    let next = deliver(&spec, state.path(), 7600).next_try.unwrap();
    assert!(next < at(7600 + 130), "a date that has passed says nothing: {next}");
    let next = deliver(&spec, state.path(), 7800).next_try.unwrap();
    assert!((at(7800 + 86_000)..at(7800 + 86_500)).contains(&next), "a day at the most: {next}");
}

#[test]
fn no_redirect_is_followed() {
    let elsewhere = Web::start([]);
    let to = format!("Location: {}\r\n", elsewhere.url("/CANARY-stolen"));
    for code in [301, 302, 307, 308] {
        let (state, web) =
            (TempDir::new().unwrap(), Web::start([Answer::Give(code, to.clone().leak(), String::new())]));
        let headers = vec![("Authorization".to_owned(), Value::Hidden(hidden("Bearer CANARY-token")))];
        let spec = spec(vec![custom(WebhookSpec { headers, ..hook(web.url("/")) })]);
        let report = fail_and_deliver(&spec, state.path(), &format!("r{code}"), 0);
        assert!(report.troubles[0].1.contains("redirect to http://127.0.0.1"), "{report:?}");
        assert!(!everything_in(state.path()).contains("CANARY"));
    }
    assert!(elsewhere.requests().is_empty());
}

#[test]
fn what_is_secret_is_in_no_file_and_no_report_even_if_the_server_repeats_it() {
    let state = TempDir::new().unwrap();
    let echo =
        "wrong: /services/CANARY-hook/CANARY2 and CANARY-token, Bearer CANARY-token\u{1b}[2J".to_owned();
    let web = Web::start([
        Answer::Give(500, "", echo.clone()),
        Answer::Give(400, "", echo + &"long ".repeat(1000)),
    ]);
    let headers = vec![("Authorization".to_owned(), Value::Hidden(hidden("Bearer CANARY-token")))];
    let hook = WebhookSpec { headers, ..hook(web.url("/services/CANARY-hook/CANARY2?k=CANARY3")) };
    let spec = spec(vec![custom(hook)]);
    let first = fail_and_deliver(&spec, state.path(), "r1", 0);
    let second = deliver(&spec, state.path(), 400);
    assert_eq!((first.waiting, second.given_up), (1, 1));
    let listing = serde_json::to_string(&Outbox::open(state.path()).unwrap().list().unwrap()).unwrap();
    let tested = Outbox::test(&spec, "shop", None, at(0)).unwrap();
    let said = format!("{first:?}{second:?}{listing}{tested:?}{spec:?}{}", everything_in(state.path()));
    assert!(said.contains("(secret)") && !said.contains("CANARY") && !said.contains('\u{1b}'), "{said}");
    assert!(second.troubles[0].1.len() < 300, "answers are not repeated as a whole");
}

#[test]
fn a_secret_header_does_not_go_out_in_plain_text_nor_split_in_two() {
    let (state, web) = (TempDir::new().unwrap(), Web::start([]));
    let with = |url: String, value: &str| {
        let headers = vec![("X-Token".to_owned(), Value::Hidden(hidden(value)))];
        spec(vec![custom(WebhookSpec { headers, ..hook(url) })])
    };
    let report =
        fail_and_deliver(&with("http://192.0.2.1/".to_owned(), "CANARY-token"), state.path(), "r1", 0);
    assert_eq!(report.given_up, 1);
    assert!(report.troubles[0].1.contains("without encryption"), "{report:?}");
    let split = with(web.url("/"), "CANARY\r\nX-Forged: yes");
    let report = fail_and_deliver(&split, state.path(), "r2", 0);
    assert_eq!(report.given_up, 1);
    assert!(web.requests().is_empty());
    assert!(!format!("{report:?}{}", everything_in(state.path())).contains("CANARY"));
}

#[test]
fn https_is_for_servers_that_can_prove_who_they_are() {
    let (certificates, others) = (Certificates::new(), Certificates::new());
    let server = certificates.server("https", &[]);
    let url = |host: &str| format!("https://{host}:{}/CANARY-hook", server.port);
    let reach = |host: &str, ca: Option<&Certificates>| {
        let state = TempDir::new().unwrap();
        let hook = WebhookSpec { ca: ca.map(|ca| ca.path("ca.pem")), ..hook(url(host)) };
        fail_and_deliver(&spec(vec![custom(hook)]), state.path(), "r1", 0)
    };
    for (host, ca) in [("localhost", Some(&others)), ("localhost", None), ("127.0.0.1", Some(&certificates))]
    {
        let report = reach(host, ca);
        assert_eq!((report.sent, report.waiting), (0, 1));
        assert!(report.troubles[0].1.contains("certificate"), "{report:?}");
    }
    assert!(server.log().is_empty());
    assert_eq!(reach("localhost", Some(&certificates)).sent, 1);
    assert_eq!(server.log()[0]["path"], "/CANARY-hook");
}

#[test]
fn a_ping_says_start_success_and_fail() {
    let (state, web) = (TempDir::new().unwrap(), Web::start([]));
    let spec = spec(vec![ping(web.url("/UUID"))]);
    for (number, outcome) in [(0, Outcome::Success), (1000, Outcome::Failed)] {
        let name = format!("r{number}");
        run_started(&spec, state.path(), "shop", &began(&name, RunKind::Backup, number), at(number)).unwrap();
        assert_eq!(deliver(&spec, state.path(), number).sent, 1);
        let end = run(&name, RunKind::Backup, outcome, number);
        run_ended(&spec, state.path(), "shop", &end, at(number + 300)).unwrap();
        assert_eq!(deliver(&spec, state.path(), number + 300).sent, 1);
    }
    let requests = web.requests();
    let parts: Vec<_> = requests.iter().map(|request| request.path().split_once("?rid=").unwrap()).collect();
    assert_eq!(
        parts.iter().map(|part| part.0).collect::<Vec<_>>(),
        ["/UUID/start", "/UUID", "/UUID/start", "/UUID/fail"]
    );
    assert!(parts[0].1 == parts[1].1 && parts[2].1 == parts[3].1 && parts[0].1 != parts[2].1, "{parts:?}");
    assert!(requests[3].body.starts_with("shop: backup failed\n\nSite:"), "{}", requests[3].body);
}

#[test]
fn a_start_is_no_news_when_the_end_is_known() {
    let (state, web) = (TempDir::new().unwrap(), Web::start([status(500)]));
    let spec = spec(vec![ping(web.url("/UUID"))]);
    run_started(&spec, state.path(), "shop", &began("r1", RunKind::Backup, 0), at(0)).unwrap();
    assert_eq!(deliver(&spec, state.path(), 0).waiting, 1);
    let end = run("r1", RunKind::Backup, Outcome::Success, 0);
    run_ended(&spec, state.path(), "shop", &end, at(300)).unwrap();
    let report = deliver(&spec, state.path(), 300);
    assert_eq!((report.sent, report.waiting, report.counts.superseded), (1, 0, 1), "{report:?}");
    assert!(web.requests()[1].path().starts_with("/UUID?rid="));
    run_started(&spec, state.path(), "shop", &began("r2", RunKind::Backup, 1000), at(1000)).unwrap();
    let report = deliver(&spec, state.path(), 1000 + 2 * 3600);
    assert_eq!((report.sent, report.waiting, report.counts.superseded), (0, 0, 2), "nor hours later");
}

#[test]
fn a_check_that_does_not_exist_takes_no_ping_whatever_the_status_says() {
    let say = |text: &str| Answer::Give(200, "", text.to_owned());
    let (state, web) =
        (TempDir::new().unwrap(), Web::start([say("OK (rate limited)"), say("OK (not found)"), say("OK")]));
    let spec = spec(vec![ping(web.url("/UUID"))]);
    let report = fail_and_deliver(&spec, state.path(), "r1", 0);
    assert_eq!((report.sent, report.waiting), (0, 1), "{report:?}");
    let report = deliver(&spec, state.path(), 400);
    assert_eq!((report.sent, report.given_up), (0, 1), "{report:?}");
    assert!(report.troubles[0].1.contains("there is no such check"), "{report:?}");
    assert_eq!(fail_and_deliver(&spec, state.path(), "r2", 1000).sent, 1);
}
