//! A database that a plugin holds still: until the dump is whole or its moment fixed, and never longer, however it ends.

use std::fs;

use super::{data, until, world};

/// While it is held, there is a file `still`.
const SCRIPT: &str = r#"
case $1 in
describe)
    moment=false; [ "$mode" != moment ] || moment=true
    echo '{"version": 1, "engine": "box", "server": "s", "name": "n", "quiesce": true, "moment": '$moment'}' ;;
quiesce)
    trap 'rm -f "$W/still"' EXIT
    [ "$mode" != refuses ] || exit 6
    touch "$W/still"
    echo still
    cat >/dev/null
    [ "$mode" != stuck ] || exit 8 ;;
dump)
    echo "lifeboat-dump 1"
    [ -f "$W/still" ]
    touch "$W/dumps"
    case $mode in
    fails) exit 3 ;;
    # Long enough to be killed in, short enough to leave nothing for long.
    hangs) sleep 20 ;;
    moment) echo moment; while [ -f "$W/still" ]; do sleep 0.05; done ;;
    esac
    echo "part a 3"; cat "$W/data"; echo "sum $(sha256sum <"$W/data" | cut -d ' ' -f 1)"
    [ "$mode" = moment ] || [ -f "$W/still" ]
    echo "end 1 3" ;;
esac
"#;

#[test]
fn it_stands_for_the_dump_and_goes_on_in_every_ending() {
    for (mode, code) in [("good", 0), ("moment", 0), ("fails", 1), ("refuses", 1), ("stuck", 1), ("hangs", 1)]
    {
        let world = world(mode, if mode == "hangs" { "1s" } else { "60s" }, SCRIPT);
        let ran = world.run(&["backup"]).expect(code);
        assert!(!world.path("still").exists(), "{mode}: {}", ran.err);
        assert_eq!(world.snapshots().len(), usize::from(code == 0), "{mode}");
        assert_eq!(data(&world), "one");
    }
}

#[test]
fn it_goes_on_when_we_are_killed_or_asked_to_stop() {
    for signal in ["-KILL", "-INT"] {
        let world = world("hangs", "600s", SCRIPT);
        let mut child = world.command(&["backup"]).spawn().unwrap();
        until("the dump", || world.path("dumps").exists());
        assert!(fs::exists(world.path("still")).unwrap());
        std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        child.wait().unwrap();
        until("its end", || !world.path("still").exists());
    }
}
