//! Where an assignment goes, and how it gets there.

use crate::site::tree::{Key, Map, Tree, Unreadable};

/// Where an assignment goes.
pub(super) enum Spot {
    Key(Key),
    /// `[]`
    Next,
}

/// Puts a value where it belongs, making what is not there on the way.
pub(super) fn assign(root: &mut Tree, spots: &[Spot], value: Tree, (line, certain): (u32, bool)) {
    let [first @ .., last] = spots else { return };
    let mut here = as_map(root);
    for spot in first {
        let Some(key) = here.key(spot) else { return };
        if !certain && !matches!(here.find(&key), Ok(Tree::Map(_))) {
            let why = "is set only under a condition".to_owned();
            return here.insert(key, Tree::Unreadable(Unreadable { line: Some(line), why }));
        }
        here = as_map(here.or_insert(key, || Tree::Map(Map::default())));
    }
    let Some(key) = here.key(last) else { return };
    let line = Some(line);
    let value = match here.find(&key) {
        _ if certain => value,
        Ok(present) if *present == value => value,
        Ok(_) => Tree::Unreadable(Unreadable { line, why: "depends on a condition".to_owned() }),
        Err(_) => Tree::Unreadable(Unreadable { line, why: "is set only under a condition".to_owned() }),
    };
    here.insert(key, value);
}

/// What a value becomes when something is put into it.
fn as_map(tree: &mut Tree) -> &mut Map {
    match tree {
        Tree::Map(_) => {}
        Tree::Unreadable(why) => *tree = Tree::Map(Map::unknown(why.clone())),
        _ => *tree = Tree::Map(Map::default()),
    }
    match tree {
        Tree::Map(map) => map,
        _ => unreachable!("it was just made one"),
    }
}

impl Map {
    fn key(&self, spot: &Spot) -> Option<Key> {
        match spot {
            Spot::Key(key) => Some(key.clone()),
            Spot::Next => self.next(),
        }
    }
}
