//! Serves what a manifest's base address has: its scripts, and the program.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;

/// Serves these files at a port of this machine until the process ends; the address.
pub(in crate::manifest) fn serve(listener: TcpListener, files: BTreeMap<String, PathBuf>) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while reader.read_line(&mut head).unwrap_or(0) > 2 {}
            let path = head.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
            let sent = match files.get(&path) {
                None => write!(stream, "HTTP/1.0 404 None\r\nContent-Length: 0\r\n\r\n"),
                Some(file) => {
                    let mut file = File::open(file).unwrap();
                    let length = file.metadata().unwrap().len();
                    write!(stream, "HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n")
                        .and_then(|()| std::io::copy(&mut file, &mut stream).map(drop))
                }
            };
            // Who asks may go away in the middle.
            drop(sent);
        }
    });
}
