//! Many who look on, some of them slow, some of them deaf, while a backup is at work.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{PATIENCE, Server};

/// One who listens to the stream of events.
struct Listener {
    stream: TcpStream,
    heard: Vec<u8>,
}

impl Listener {
    fn new(server: &Server) -> Self {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        let request = format!(
            "GET /v1/events HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\r\n",
            server.address, server.token
        );
        stream.write_all(request.as_bytes()).unwrap();
        stream.set_nonblocking(true).unwrap();
        Self { stream, heard: Vec::new() }
    }

    /// Takes at most so much of what has come.
    fn listen(&mut self, most: usize) {
        let mut buffer = vec![0; most];
        match self.stream.read(&mut buffer) {
            Ok(0) => panic!("the stream ended: {}", String::from_utf8_lossy(&self.heard)),
            Ok(size) => self.heard.extend_from_slice(&buffer[..size]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn knows_the_end(&self, run: &str) -> bool {
        let text = String::from_utf8_lossy(&self.heard);
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        let runs = data.filter_map(|data| serde_json::from_str::<serde_json::Value>(data).ok());
        runs.into_iter().any(|data| data["id"] == run && data["standing"] == "ended")
    }
}

fn peak_memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[test]
fn two_hundred_look_on_and_nobody_misses_the_end() {
    let world = crate::world::World::new("databases: []");
    for number in 0..3000 {
        world.write(&format!("d{}/f{number}", number % 50), format!("{number}").repeat(2000));
    }
    world.init();
    let server = Server::of(world);
    let mut listeners: Vec<_> = (0..200).map(|_| Listener::new(&server)).collect();
    let run = server.begin("/v1/sites/demo/backups", &json!({}));
    let asking = std::thread::scope(|scope| {
        let askers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut answers = [0_u32; 2];
                    for _ in 0..2500 {
                        match server.get("/v1/sites/demo/status").status {
                            200 | 204 => answers[0] += 1,
                            429 => answers[1] += 1,
                            other => panic!("{other}"),
                        }
                    }
                    answers
                })
            })
            .collect();
        // A third listens, a third takes a byte now and then, a third does not listen at all.
        while askers.iter().any(|asker| !asker.is_finished()) {
            for (number, listener) in listeners.iter_mut().enumerate() {
                match number % 3 {
                    0 => listener.listen(64 << 10),
                    1 => listener.listen(1),
                    _ => {}
                }
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        askers.into_iter().map(|asker| asker.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(server.end_of(&run)["outcome"], "success");
    let answered: u32 = asking.iter().map(|[good, _]| good).sum();
    assert!(answered >= 5000, "{asking:?}");
    let begun = Instant::now();
    while let Some(deaf) = listeners.iter().position(|listener| !listener.knows_the_end(&run)) {
        assert!(begun.elapsed() < PATIENCE, "listener {deaf} missed the end");
        for listener in &mut listeners {
            listener.listen(1 << 20);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let memory = peak_memory(&server);
    assert!(memory < 96, "the agent took {memory} MiB");
}

/// Downloads that nobody takes, and that are left in the middle.
#[test]
fn who_does_not_take_a_download_keeps_nobody_from_looking() {
    let world = crate::world::World::new("databases: []");
    let film: Vec<u8> =
        (0..32_u32 << 20).map(|number| number.to_le_bytes()[1] ^ number.to_le_bytes()[0]).collect();
    world.write("film.mp4", &film);
    world.init();
    world.backup();
    let server = Server::of(world);
    let path =
        format!("/v1/sites/demo/snapshots/latest/content?path={}/film.mp4", server.world.root.display());
    let begin = || {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\r\n",
            server.address, server.token
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = [0; 100];
        stream.read_exact(&mut head).unwrap();
        assert!(head.starts_with(b"HTTP/1.1 200"));
        stream
    };
    let stalled = [begin(), begin()];
    assert_eq!(server.json("/v1/sites/demo/snapshots").as_array().unwrap().len(), 1);
    drop(stalled);
    // Their places are free again, and nothing of them is left.
    assert_eq!(server.get(&path).body, film);
    server.wait_until("no process is left", || {
        std::fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap().flatten().all(|task| {
            std::fs::read_to_string(task.path().join("children")).unwrap_or_default().trim().is_empty()
        })
    });
}
