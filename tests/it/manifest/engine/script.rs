//! The platform's scripting: Node, fed with one script after the other.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

pub(super) struct Scripting {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Scripting {
    pub(super) fn start() -> Self {
        let harness = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/manifest/engine/harness.js");
        let mut child = Command::new("node")
            .arg(harness)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start node");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, input, output }
    }

    /// Runs a script to its end; `call` answers what it asks of the platform.
    pub(super) fn run(&mut self, asked: &Value, call: &mut dyn FnMut(&str, &[Value]) -> Value) -> Value {
        self.say(asked);
        loop {
            let mut said = String::new();
            self.output.read_line(&mut said).expect("hear node");
            let said: Value = serde_json::from_str(&said).expect("node says JSON");
            if let Some(method) = said["call"].as_str() {
                let answer = call(method, said["args"].as_array().expect("arguments"));
                self.say(&json!({ "value": answer }));
            } else if let Some(error) = said["error"].as_str() {
                panic!("a script fails: {error}\n{}", asked["body"].as_str().unwrap_or_default());
            } else {
                return said["done"].clone();
            }
        }
    }

    pub(super) fn condition(&mut self, text: &str) -> bool {
        self.run(&json!({ "condition": text }), &mut |method, _| panic!("a condition calls {method}")) == true
    }

    fn say(&mut self, value: &Value) {
        writeln!(self.input, "{value}").expect("tell node");
    }
}

impl Drop for Scripting {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
