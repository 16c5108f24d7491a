//! The marker and the memory of it: no empty, foreign or exchanged storage passes for ours.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Barrier;
use std::thread;

use lifeboat::storage::identity::{Standing, mark, marker, recall, remember, verify};
use lifeboat::storage::{Identity, MARKER};

fn identity(storage: String) -> Identity {
    Identity { storage, repository: "r1".into() }
}

#[test]
fn marking_is_done_once_and_leaves_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    assert_eq!(marker(root.path()).unwrap(), None);
    let id = mark(root.path()).unwrap();
    assert_eq!(mark(root.path()).unwrap(), id);
    assert_eq!(marker(root.path()).unwrap(), Some(id));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
}

#[test]
fn of_many_markers_at_once_one_wins() {
    let root = tempfile::tempdir().unwrap();
    let start = Barrier::new(8);
    let ids: Vec<String> = thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    mark(root.path()).unwrap()
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn each_contradiction_has_its_own_error() {
    let (root, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(verify(root.path(), None, None).unwrap(), Standing::Blank);
    let id = mark(root.path()).unwrap();
    assert_eq!(verify(root.path(), None, None).unwrap(), Standing::Unremembered(id.clone()));
    let ours = identity(id);
    assert_eq!(verify(root.path(), Some(&ours), None).unwrap(), Standing::Known);
    assert_eq!(verify(root.path(), Some(&ours), Some("r1")).unwrap(), Standing::Known);

    let recreated = verify(root.path(), Some(&ours), Some("r2")).unwrap_err();
    assert!(recreated.to_string().contains("its id is r2, expected r1"), "{recreated}");
    let emptied = verify(other.path(), Some(&ours), None).unwrap_err();
    assert!(emptied.to_string().contains("not marked any more"), "{emptied}");
    mark(other.path()).unwrap();
    let foreign = verify(other.path(), Some(&ours), None).unwrap_err();
    assert!(foreign.to_string().contains("is another storage"), "{foreign}");
}

#[test]
fn damage_is_never_taken_for_absence() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join(MARKER), "").unwrap();
    assert!(mark(root.path()).is_err());
    assert!(verify(root.path(), None, None).is_err());
    fs::write(root.path().join("identity.json"), "{\"storage\":").unwrap();
    let error = recall(root.path()).unwrap_err();
    assert!(error.to_string().contains("identity.json") && error.remedy().is_some(), "{error:?}");
}

#[test]
fn memory_is_private_and_survives() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state/site");
    assert_eq!(recall(&state).unwrap(), None);
    let ours = identity("s1".into());
    remember(&state, &ours).unwrap();
    remember(&state, &ours).unwrap();
    assert_eq!(recall(&state).unwrap(), Some(ours));
    let mode = fs::metadata(state.join("identity.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
