//! Servers of a test: a mail server of Debian's, and a web server that does as it is told.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// `server.py` as a process, gone when dropped.
pub(crate) struct Python {
    process: Child,
    directory: TempDir,
    pub(crate) port: u16,
}

impl Python {
    pub(crate) fn start(kind: &str, arguments: &[&str]) -> Self {
        let directory = TempDir::new().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/notify/server.py");
        // Debian's own, which knows Debian's modules.
        let mut process = Command::new("/usr/bin/python3")
            .arg(script)
            .arg(kind)
            .arg("--log")
            .arg(directory.path().join("log"))
            .args(arguments)
            .stdout(Stdio::piped())
            // It warns at length of what is asked of it here.
            .stderr(std::fs::File::create(directory.path().join("complaints")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("the server says its port");
        Self { process, directory, port }
    }

    pub(crate) fn log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What it accepted.
    pub(crate) fn mails(&self) -> Vec<Value> {
        self.log().into_iter().filter(|entry| entry["content"].is_string()).collect()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// An authority, and a certificate for `localhost` by it.
pub(crate) struct Certificates(TempDir);

impl Certificates {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let script = "openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=test-ca \
                        -addext basicConstraints=critical,CA:TRUE
                      openssl req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=localhost
                      printf 'subjectAltName=DNS:localhost\\nbasicConstraints=CA:FALSE\\n' >extensions
                      openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out cert.pem \
                        -extfile extensions";
        let made = Command::new("sh").args(["-ec", script]).current_dir(directory.path()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self(directory)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn server(&self, kind: &str, arguments: &[&str]) -> Python {
        let (cert, key) = (self.path("cert.pem"), self.path("key.pem"));
        let own = ["--cert", cert.to_str().unwrap(), "--key", key.to_str().unwrap()];
        Python::start(kind, &[arguments, &own].concat())
    }
}

/// What a web server does with a request.
#[derive(Clone)]
pub(crate) enum Answer {
    /// Status, further header lines, body.
    Give(u16, &'static str, String),
    /// Reads the request, and says nothing for as long as the test may last.
    Hang,
    /// One byte now and then, for ever.
    Dribble,
}

pub(crate) fn status(code: u16) -> Answer {
    Answer::Give(code, "", String::new())
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// Gives these answers one after the other, and then 200 to everything.
pub(crate) struct Web {
    pub(crate) port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Web {
    pub(crate) fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::new(Mutex::new(answers.into_iter().collect::<VecDeque<_>>()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, answers) = (Arc::clone(&seen), Arc::clone(&answers));
                std::thread::spawn(move || {
                    // Who calls may go away in the middle.
                    drop(serve(stream.unwrap(), &seen, &answers));
                });
            }
        });
        Self { port, requests }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn wait_for(&self, count: usize) {
        let begun = Instant::now();
        while self.requests().len() < count {
            assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", self.requests());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn serve(
    stream: TcpStream,
    seen: &Mutex<Vec<Request>>,
    answers: &Mutex<VecDeque<Answer>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head += &line;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let answer = answers.lock().unwrap().pop_front().unwrap_or_else(|| status(200));
    seen.lock().unwrap().push(Request { head, body: String::from_utf8(body).unwrap() });
    let mut stream = stream;
    match answer {
        Answer::Give(code, headers, body) => write!(
            stream,
            "HTTP/1.1 {code} Word\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        ),
        Answer::Hang => {
            std::thread::sleep(Duration::from_mins(5));
            Ok(())
        }
        Answer::Dribble => {
            write!(stream, "HTTP/1.1 200 OK\r\nX-Long: ")?;
            loop {
                stream.write_all(b"x")?;
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

/// A port at which nobody listens.
pub(crate) fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Takes connections, says `greeting` one byte at a time for ever, and reads nothing.
pub(crate) fn dribbling_port(greeting: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                for byte in greeting.bytes().chain(std::iter::repeat(b'x')) {
                    if stream.write_all(&[byte]).is_err() {
                        return;
                    }
                    std::thread::sleep(Duration::from_millis(100));
                }
            });
        }
    });
    port
}
