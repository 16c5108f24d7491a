//! The files for containers, as far as they can be judged without a cluster or a builder of images.

use std::fs;
use std::process::Command;

use super::{ran, temporary, top};
use crate::tools::python_program;
use crate::world::Ran;

fn kubernetes() -> Vec<std::path::PathBuf> {
    let entries =
        fs::read_dir(top().join("manifests/kubernetes")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    assert!(files.len() >= 3, "{files:?}");
    files
}

fn judged(file: &std::path::Path, version: &str) -> Ran {
    ran(Command::new(python_program("kubernetes-validate")).args(["--strict", "-k", version]).arg(file))
}

/// The newest release that the schemas have, and the oldest that knows all that the examples use.
#[test]
fn kubernetes_examples_keep_to_its_schemas() {
    for file in kubernetes() {
        for version in ["1.37.0", "1.29.0"] {
            judged(&file, version).expect(0);
        }
    }
    // It can say no.
    let wrong = temporary();
    let file = wrong.path().join("wrong.yaml");
    let text = fs::read_to_string(top().join("manifests/kubernetes/cronjob.yaml")).unwrap();
    for (right, mistake) in
        [("concurrencyPolicy", "concurencyPolicy"), ("backoffLimit: 2", "backoffLimit: two")]
    {
        let other = text.replace(right, mistake);
        assert_ne!(other, text);
        fs::write(&file, other).unwrap();
        assert_ne!(judged(&file, "1.37.0").code, 0, "{mistake}");
    }
}

/// The configuration inside is one of ours.
#[test]
fn kubernetes_configuration_is_accepted() {
    let text = fs::read_to_string(top().join("manifests/kubernetes/site.yaml")).unwrap();
    let (_, rest) = text.split_once("  lifeboat.yaml: |\n").unwrap();
    let lines = rest.lines().map_while(|line| line.strip_prefix("    "));
    let document = lines.collect::<Vec<_>>().join("\n");
    let world = crate::world::World::new("databases: []");
    // What only the cluster has.
    let here = document
        .replace("/run/secrets/lifeboat/database-password", &world.path("password").display().to_string())
        .replace("/run/secrets/lifeboat/password", &world.path("password").display().to_string())
        .replace("/site/html", &world.root.display().to_string());
    fs::write(world.path("lifeboat.yaml"), here).unwrap();
    world.run(&["config", "check"]).expect(0);
}

/// Enough of a parser to find what a builder would refuse: unknown instructions, and sources that are not there.
fn mistakes(text: &str) -> Vec<String> {
    const KNOWN: [&str; 13] = [
        "FROM",
        "RUN",
        "WORKDIR",
        "COPY",
        "VOLUME",
        "ENTRYPOINT",
        "CMD",
        "HEALTHCHECK",
        "STOPSIGNAL",
        "ENV",
        "ARG",
        "USER",
        "LABEL",
    ];
    let lines =
        text.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
    let mut stages = Vec::new();
    let mut found = Vec::new();
    for line in lines.replace("\\\n", " ").lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[0] {
            unknown if !KNOWN.contains(&unknown) => found.push(format!("{unknown} is no instruction")),
            "FROM" => {
                if words.get(1).is_some_and(|image| image.split('/').next().unwrap().contains('.')) {
                    found.push(format!("{line}: names a registry"));
                }
                stages.extend(words.get(3).copied());
            }
            "COPY" => {
                let from = words[1].strip_prefix("--from=");
                if from.is_some_and(|stage| !stages.contains(&stage)) {
                    found.push(format!("{line}: there is no such stage"));
                }
                let sources = words[1..words.len() - 1].iter().filter(|_| from.is_none());
                for source in sources {
                    let (directory, prefix) = (top(), source.trim_end_matches('*'));
                    let there = fs::read_dir(directory)
                        .unwrap()
                        .any(|entry| entry.unwrap().file_name().to_string_lossy().starts_with(prefix));
                    if !there {
                        found.push(format!("{source} is not there"));
                    }
                }
            }
            "ENTRYPOINT" | "VOLUME" | "CMD" => {
                let (_, list) = line.split_once(' ').unwrap();
                if serde_json::from_str::<Vec<String>>(list).is_err() {
                    found.push(format!("{line}: is not a list, so a shell would run it"));
                }
            }
            _ => {}
        }
    }
    if !text.contains("\nFROM ") {
        found.push("there is no image to begin with".to_owned());
    }
    found
}

#[test]
fn containerfile_is_well_formed() {
    let text = fs::read_to_string(top().join("manifests/container/Containerfile")).unwrap();
    assert_eq!(mistakes(&text), Vec::<String>::new());
    for (right, wrong) in [
        ("STOPSIGNAL", "STOPSINGAL"),
        ("--from=build", "--from=bild"),
        ("LICENSE-MIT", "LICENSE-GPL"),
        ("[\"agent\"]", "agent"),
    ] {
        assert_eq!(mistakes(&text.replacen(right, wrong, 1)).len(), 1, "{wrong}");
    }
}
