//! Mail, with Debian's aiosmtpd at the other end.

use std::time::{Duration, Instant};

use lifeboat::event::{Outcome, RunKind};
use lifeboat::notify::{Channel, Encryption, MailSpec, Means, Outbox, Which, run_ended};
use tempfile::TempDir;

use super::servers::{Certificates, Python, Web, closed_port, dribbling_port};
use super::{at, channel, deliver, everything_in, fail_and_deliver, hidden, run, spec, webhook};

const PASSWORD: &str = "CANARY-password";

fn plain(port: u16) -> MailSpec {
    MailSpec {
        to: vec!["Anna <anna@example.com>".to_owned(), "bert@example.com".to_owned()],
        from: "Backup <backup@example.com>".to_owned(),
        server: "localhost".to_owned(),
        port,
        encryption: Encryption::None,
        login: None,
        ca: None,
    }
}

fn mail(spec: MailSpec) -> Channel {
    channel("mail", Means::Mail(spec))
}

fn secure(port: u16, encryption: Encryption, ca: &Certificates, password: &str) -> Channel {
    let login = Some(("backup".to_owned(), hidden(password)));
    mail(MailSpec { encryption, login, ca: Some(ca.path("ca.pem")), ..plain(port) })
}

#[test]
fn starttls_with_a_login() {
    let (certificates, state) = (Certificates::new(), TempDir::new().unwrap());
    let server =
        certificates.server("smtp", &["--tls", "starttls", "--user", "backup", "--password", PASSWORD]);
    let spec = spec(vec![secure(server.port, Encryption::Starttls, &certificates, PASSWORD)]);
    let report = fail_and_deliver(&spec, state.path(), "r1", 0);
    assert_eq!((report.sent, report.waiting, report.next_try), (1, 0, None), "{report:?}");
    let mails = server.mails();
    assert_eq!(mails.len(), 2, "each recipient by itself");
    assert_eq!(
        (&mails[0]["to"][0], &mails[1]["to"][0]),
        (&"anna@example.com".into(), &"bert@example.com".into())
    );
    assert!(mails.iter().all(|mail| mail["tls"] == true && mail["login"] == true), "{mails:?}");
    let text = mails[0]["content"].as_str().unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    for line in [
        "Subject: [lifeboat] shop: backup failed\r\n",
        "From: Backup <backup@example.com>\r\n",
        "To: Anna <anna@example.com>, bert@example.com\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "Date: Fri, 15 Jan 2027 08:05:00 +0000\r\n",
    ] {
        assert!(format!("{head}\r\n").contains(line), "{line} is not in\n{head}");
    }
    assert!(head.contains("@example.com>\r\n") && head.contains("Message-ID: <"), "{head}");
    for part in [
        "Site:     shop on ",
        "Run:      backup r1 (schedule)",
        "Ended:    2027-01-15 09:05:00 CET, after 5 min",
        "Reason:   the storage is away",
        "lifeboat --config /etc/lifeboat/shop.yaml runs r1",
    ] {
        assert!(body.contains(part), "{part} is not in\n{body}");
    }
    assert!(!everything_in(state.path()).contains("CANARY"));
}

#[test]
fn tls_from_the_first_byte() {
    let (certificates, state) = (Certificates::new(), TempDir::new().unwrap());
    let server = certificates.server("smtp", &["--tls", "tls", "--user", "backup", "--password", PASSWORD]);
    let spec = spec(vec![secure(server.port, Encryption::Tls, &certificates, PASSWORD)]);
    let report = fail_and_deliver(&spec, state.path(), "r1", 0);
    assert_eq!((report.sent, report.waiting), (1, 0), "{report:?}");
    assert_eq!(server.mails().len(), 2);
}

#[test]
fn a_server_that_cannot_prove_who_it_is_is_told_nothing() {
    let (certificates, others) = (Certificates::new(), Certificates::new());
    for (tls, encryption) in [("starttls", Encryption::Starttls), ("tls", Encryption::Tls)] {
        let server = certificates.server("smtp", &["--tls", tls, "--user", "backup", "--password", PASSWORD]);
        let by_another = secure(server.port, encryption, &others, PASSWORD);
        let mut well_known = secure(server.port, encryption, &others, PASSWORD);
        let Means::Mail(mail) = &mut well_known.means else { unreachable!() };
        mail.ca = None;
        let mut other_name = secure(server.port, encryption, &certificates, PASSWORD);
        let Means::Mail(mail) = &mut other_name.means else { unreachable!() };
        "127.0.0.1".clone_into(&mut mail.server);
        for channel in [by_another, well_known, other_name] {
            let state = TempDir::new().unwrap();
            let report = fail_and_deliver(&spec(vec![channel]), state.path(), "r1", 0);
            assert_eq!((report.sent, report.waiting, report.given_up), (0, 1, 0));
            assert!(report.troubles[0].1.to_lowercase().contains("certificate"), "{report:?}");
        }
        assert!(server.log().is_empty(), "{:?}", server.log());
    }
    let server = Python::start("smtp", &[]);
    let state = TempDir::new().unwrap();
    let stripped = spec(vec![secure(server.port, Encryption::Starttls, &certificates, PASSWORD)]);
    let report = fail_and_deliver(&stripped, state.path(), "r1", 0);
    assert_eq!((report.sent, report.waiting), (0, 1), "a server without STARTTLS gets nothing: {report:?}");
    assert!(server.log().is_empty());
}

#[test]
fn a_wrong_password_is_a_dead_letter_and_is_not_repeated() {
    let (certificates, state) = (Certificates::new(), TempDir::new().unwrap());
    let server =
        certificates.server("smtp", &["--tls", "starttls", "--user", "backup", "--password", "right"]);
    let spec = spec(vec![secure(server.port, Encryption::Starttls, &certificates, PASSWORD)]);
    let report = fail_and_deliver(&spec, state.path(), "r1", 0);
    assert_eq!((report.sent, report.waiting, report.given_up), (0, 0, 1), "{report:?}");
    let said = format!("{report:?}{}", everything_in(state.path()));
    assert!(said.contains("535") && !said.contains("CANARY"), "{said}");
}

#[test]
fn refused_for_now_it_is_sent_once_later() {
    let state = TempDir::new().unwrap();
    let server = Python::start("smtp", &["--data", "451 4.3.0 try again", "--data", "421 4.3.0 and again"]);
    let spec = spec(vec![mail(MailSpec { to: vec!["bert@example.com".to_owned()], ..plain(server.port) })]);
    let report = fail_and_deliver(&spec, state.path(), "r1", 0);
    assert_eq!((report.sent, report.waiting), (0, 1));
    assert!(report.troubles[0].1.contains("try again"), "{report:?}");
    let next = report.next_try.unwrap();
    assert!((at(300 + 54)..=at(300 + 65)).contains(&next), "{next}");
    assert_eq!(deliver(&spec, state.path(), 310).troubles, [], "not before it is due");
    assert_eq!(deliver(&spec, state.path(), 370).waiting, 1);
    let report = deliver(&spec, state.path(), 600);
    assert_eq!((report.sent, report.waiting), (1, 0), "{report:?}");
    assert_eq!(deliver(&spec, state.path(), 9000).sent, 0);
    assert_eq!(server.log().len(), 3);
    assert_eq!(server.mails().len(), 1, "exactly once");
}

#[test]
fn refused_for_good_it_is_a_dead_letter_that_can_be_tried_again() {
    let state = TempDir::new().unwrap();
    let server = Python::start("smtp", &["--data", "554 5.7.1 not from you"]);
    let spec = spec(vec![mail(MailSpec { to: vec!["bert@example.com".to_owned()], ..plain(server.port) })]);
    let report = fail_and_deliver(&spec, state.path(), "r1", 0);
    assert_eq!((report.sent, report.waiting, report.given_up, report.next_try), (0, 0, 1, None));
    assert_eq!(deliver(&spec, state.path(), 90_000).sent, 0);
    let outbox = Outbox::open(state.path()).unwrap();
    let dead = outbox.list().unwrap().dead;
    assert!(dead[0].trouble.as_deref().unwrap().contains("not from you"), "{dead:?}");
    assert_eq!(outbox.retry(Which::One(&dead[0].id[..6]), at(90_000)).unwrap(), 1);
    assert_eq!(deliver(&spec, state.path(), 90_000).sent, 1);
    assert!(outbox.list().unwrap().dead.is_empty());
    assert!(outbox.retry(Which::One("ffffff"), at(90_000)).is_err());
}

#[test]
fn a_recipient_who_is_not_known_keeps_nobody_else_from_being_told() {
    let state = TempDir::new().unwrap();
    let server = Python::start("smtp", &["--refuse", "anna@example.com"]);
    let before = spec(vec![mail(plain(server.port))]);
    let report = fail_and_deliver(&before, state.path(), "r1", 0);
    assert_eq!((report.sent, report.given_up), (0, 1));
    assert!(
        report.troubles[0].1.contains("anna@example.com") && report.troubles[0].1.contains("550"),
        "{report:?}"
    );
    assert_eq!(server.mails()[0]["to"][0], "bert@example.com");
    let to = vec!["carla@example.com".to_owned(), "bert@example.com".to_owned()];
    let corrected = spec(vec![mail(MailSpec { to, ..plain(server.port) })]);
    Outbox::open(state.path()).unwrap().retry(Which::All, at(900)).unwrap();
    assert_eq!(deliver(&corrected, state.path(), 900).sent, 1);
    let told: Vec<_> = server.mails().iter().map(|mail| mail["to"][0].clone()).collect();
    assert_eq!(told, ["bert@example.com", "carla@example.com"], "who has it does not get it again");
}

#[test]
fn a_server_that_hangs_or_dribbles_is_cut_off_and_blocks_no_other_channel() {
    let state = TempDir::new().unwrap();
    let (web, held) = (Web::start([]), Python::start("smtp", &["--hold"]));
    let mut dribbling = mail(plain(dribbling_port("220 ")));
    "dribbling".clone_into(&mut dribbling.name);
    let mut away = mail(plain(closed_port()));
    "away".clone_into(&mut away.name);
    let mut spec = spec(vec![mail(plain(held.port)), dribbling, away, webhook("chat", web.url("/"))]);
    spec.patience = Duration::from_secs(2);
    let begun = Instant::now();
    let report = fail_and_deliver(&spec, state.path(), "r1", 0);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!((report.sent, report.waiting, report.troubles.len()), (1, 3, 3), "{report:?}");
    let slow = report.troubles.iter().filter(|(_, why)| why.ends_with("no answer within 2s")).count();
    assert_eq!(slow, 2, "{report:?}");
    assert_eq!(web.requests().len(), 1);
}

#[test]
fn hostile_names_stay_in_their_line() {
    let state = TempDir::new().unwrap();
    let server = Python::start("smtp", &[]);
    let spec = spec(vec![mail(MailSpec { to: vec!["bert@example.com".to_owned()], ..plain(server.port) })]);
    let mut state_of_run = run("r1", RunKind::Backup, Outcome::Incomplete, 0);
    state_of_run.missed = vec![(
        "a\r\n.\r\nQUIT\r\nBcc: all@example.com\u{1b}[2J\u{202e}\u{2028}".to_owned(),
        "x\r\n\r\nForged: yes".to_owned(),
    )];
    let site = "shop\r\nBcc: all@example.com\r\n\r\nforged";
    run_ended(&spec, state.path(), site, &state_of_run, at(300)).unwrap();
    assert_eq!(deliver(&spec, state.path(), 300).sent, 1);
    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0]["to"].as_array().unwrap().len(), 1);
    let text = mails[0]["content"].as_str().unwrap();
    assert!(
        !text.lines().any(|line| line.starts_with("Bcc") || line.starts_with("Forged") || line == "QUIT"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
    assert!(text.contains(r"\r\n"), "it is shown as it is: {text}");
}
