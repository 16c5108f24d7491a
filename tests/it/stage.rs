//! A web server of fixed answers, for tests of the test tools themselves.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// What is given to one request.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) status: u16,
    /// Header lines, each with its end.
    pub(crate) headers: String,
    pub(crate) body: String,
}

impl Page {
    pub(crate) fn new(status: u16, kind: &str, body: impl Into<String>) -> Self {
        Self { status, headers: format!("Content-Type: {kind}\r\n"), body: body.into() }
    }

    pub(crate) fn with(mut self, header: &str) -> Self {
        self.headers.extend([header, "\r\n"]);
        self
    }
}

/// A request as far as an answer can depend on it.
pub(crate) struct Asked {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    pub(crate) head: String,
}

/// Answers until the test's process ends.
pub(crate) struct Stage {
    port: u16,
}

impl Stage {
    pub(crate) fn start(answer: impl Fn(&Asked) -> Page + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let answer = Arc::clone(&answer);
                // A browser opens connections that it may not use, and goes away in the middle.
                std::thread::spawn(move || drop(serve(&stream.unwrap(), &*answer)));
            }
        });
        Self { port }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

fn serve(stream: &TcpStream, answer: &dyn Fn(&Asked) -> Page) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let line = String::from_utf8_lossy(&line);
        if line.trim_end().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        head += &line;
    }
    std::io::copy(&mut reader.take(length), &mut std::io::sink())?;
    let mut words = head.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let page = answer(&Asked { method, path, head });
    let Page { status, headers, body } = page;
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status} Word\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
