//! Everything that a PHP file of settings says: constants, variables and what was put into them, what it returns, and the
//! properties of its classes.

use std::cell::Cell;

use super::array::{Values, key_of};
use super::definitions::{Definitions, ends_run};
use super::environment::Environment;
use super::expression::{Cursor, unqualified};
use super::flow::{Flow, is_member};
use super::scan::{Kind, tokens};
use super::spot::{Spot, assign};
use crate::site::tree::{Key, Map, Miss, Path, Tree};

/// The values of one file together, in bytes.
const MAX_TOTAL: usize = 4 * super::MAX_SOURCE;
/// `$a['b']['c']...` with more steps than that is not followed.
const MAX_STEPS: usize = 16;

/// What one file says. As in PHP, the first definition of a constant and the last assignment win.
pub struct Document {
    constants: Map,
    variables: Tree,
    classes: Map,
    returned: Option<Tree>,
}

impl Document {
    /// Reads a whole file; whatever is in it, this ends soon and does not fail. Without `environment` what comes from there
    /// cannot be read.
    pub fn read(source: &[u8], environment: Option<&Environment>) -> Self {
        if source.len() > super::MAX_SOURCE {
            return Reader::new(environment, Definitions::too_large()).finish();
        }
        let tokens = tokens(source);
        let mut flow = Flow::new();
        let mut reader = Reader::new(environment, Definitions::default());
        for at in 0..tokens.len() {
            let cursor = Cursor { source, tokens: &tokens, at };
            let first = flow.is_fresh();
            flow.follow(&cursor);
            if first && flow.is_certain() && ends_run(cursor.peek(0)) {
                reader.ends(&cursor);
                break;
            }
            reader.definitions.look_at(&cursor, &flow);
            reader.look_at(&cursor, &flow, first);
        }
        reader.finish()
    }

    /// All of it: `constants`, `variables` (without their dollar signs), `classes` and `returned`.
    pub fn tree(&self) -> Tree {
        let section = |name: &str, tree: Tree| (Key::of(name.as_bytes()), tree);
        let mut map = Map::of([
            section("constants", Tree::Map(self.constants.clone())),
            section("variables", self.variables.clone()),
            section("classes", Tree::Map(self.classes.clone())),
        ]);
        if let Some(returned) = &self.returned {
            map.insert(Key::of(b"returned"), returned.clone());
        }
        Tree::Map(map)
    }

    /// A value by a path that begins with `$variable`, `Class::property` or the name of a constant; any other is looked for in
    /// what the file returns.
    pub fn get(&self, path: &Path) -> Result<Tree, Miss> {
        let [first, rest @ ..] = path.0.as_slice() else { return Err(Miss::Absent) };
        let below = |section: &Tree, head: &[&str]| {
            let steps: Vec<String> =
                head.iter().map(|step| (*step).to_owned()).chain(rest.to_vec()).collect();
            section.get(&steps).cloned()
        };
        if let Some(name) = first.strip_prefix('$') {
            return below(&self.variables, &[name]);
        }
        if let Some((class, property)) = first.split_once("::") {
            let property = property.strip_prefix('$').unwrap_or(property);
            return below(&Tree::Map(self.classes.clone()), &[class, property]);
        }
        match self.constants.find(&Key::of(first.as_bytes())) {
            Ok(_) => below(&Tree::Map(self.constants.clone()), &[first]),
            Err(miss) => self.returned.as_ref().map_or(Err(miss), |returned| returned.get(&path.0).cloned()),
        }
    }
}

struct Reader<'a> {
    environment: Option<&'a Environment>,
    definitions: Definitions,
    budget: Cell<usize>,
    variables: Tree,
    classes: Map,
    returned: Option<Tree>,
    /// Tokens before this one were read together, or are of a function's own.
    resume: usize,
}

impl<'a> Reader<'a> {
    fn new(environment: Option<&'a Environment>, definitions: Definitions) -> Self {
        Self {
            environment,
            definitions,
            budget: Cell::new(MAX_TOTAL),
            variables: Tree::Map(Map::default()),
            classes: Map::default(),
            returned: None,
            resume: 0,
        }
    }

    fn item(&self, at: &mut Cursor<'_>) -> Tree {
        let lookup = |name: &[u8]| self.definitions.known(name);
        Values { lookup: &lookup, environment: self.environment, budget: &self.budget }.item(at)
    }

    fn look_at(&mut self, cursor: &Cursor<'_>, flow: &Flow, first: bool) {
        if cursor.at < self.resume || is_member(cursor) {
            return;
        }
        match cursor.kind(0) {
            Some(Kind::Variable) => self.assignment(cursor, flow),
            Some(Kind::Name) => match unqualified(cursor.peek(0)).to_ascii_lowercase().as_slice() {
                b"function" => self.resume = end_of_block(cursor),
                b"class" if cursor.kind(1) == Some(Kind::Name) => self.class(cursor, flow),
                b"unset" if cursor.peek(1) == b"(" => self.unset(cursor, flow),
                b"return" if first && cursor.peek(1) != b";" => {
                    let why = "is returned only under a condition";
                    self.returned = Some(Tree::unreadable(cursor.line(), why));
                }
                b"as" => self.taken_apart(cursor, |at| matches!(at.peek(0), b")" | b"{" | b":")),
                b"list" if cursor.peek(1) == b"(" => self.taken_apart(cursor, |at| at.peek(0) == b"="),
                _ => {}
            },
            Some(Kind::Punctuation) if first && cursor.peek(0) == b"[" => {
                self.taken_apart(cursor, |at| at.peek(0) == b"=");
            }
            _ => {}
        }
    }

    /// The file's own end, before the end of its text.
    fn ends(&mut self, cursor: &Cursor<'_>) {
        let mut at = Cursor { at: cursor.at + 1, ..*cursor };
        if cursor.peek(0).eq_ignore_ascii_case(b"return") && at.peek(0) != b";" && self.returned.is_none() {
            self.returned = Some(self.item(&mut at));
        }
    }

    fn assignment(&mut self, cursor: &Cursor<'_>, flow: &Flow) {
        let mut at = *cursor;
        let (spots, whole) = self.target(&mut at);
        let operator = at.peek(0);
        let plain = operator == b"=";
        let line = cursor.line();
        let defaults = operator == b"??" && at.peek(1) == b"=";
        let computed = matches!(operator, b".=" | b"+=" | b"-=")
            || matches!(operator, b"*" | b"/" | b"%" | b"|" | b"&" | b"^") && at.peek(1) == b"="
            || matches!(operator, b"+" | b"-") && at.peek(1) == operator;
        self.resume = at.at;
        if at.kind(0) != Some(Kind::Punctuation) || !(plain || computed || defaults) {
            return;
        }
        at.at += if defaults { 2 } else { 1 };
        let value = if computed {
            Tree::unreadable(line, "comes from a computed expression")
        } else {
            let first = at;
            let value = self.item(&mut at);
            self.assigned_within(&first, at.at);
            value
        };
        self.resume = at.at;
        if !whole {
            let why = "is in an array with a key that cannot be read";
            assign(&mut self.variables, &spots, Tree::unreadable(line, why), (line, true));
        } else if !defaults || !self.is_set(&spots) {
            assign(&mut self.variables, &spots, value, (line, flow.is_certain()));
        }
    }

    /// `foreach (... as $a => $b)`, `list($a, $b) =`, `[$a, $b] =`: variables that get their values out of others.
    fn taken_apart(&mut self, cursor: &Cursor<'_>, end: impl Fn(&Cursor<'_>) -> bool) {
        let mut at = Cursor { at: cursor.at + 1, ..*cursor };
        while at.kind(0).is_some() && at.peek(0) != b";" && !end(&at) {
            if at.kind(0) == Some(Kind::Variable) {
                let name = Key::of(at.peek(0).strip_prefix(b"$").unwrap_or_default());
                let taken = Tree::unreadable(at.line(), "is taken out of another value");
                assign(&mut self.variables, &[Spot::Key(name)], taken, (at.line(), true));
            }
            at.at += 1;
        }
        self.resume = at.at;
    }

    /// `$a = $b = ...`, `$a = f($b = ...)`: what an expression assigns on its way is not followed.
    fn assigned_within(&mut self, first: &Cursor<'_>, end: usize) {
        let inside = || (first.at..end).map(|at| Cursor { at, ..*first });
        if !inside().any(|at| at.kind(0) == Some(Kind::Punctuation) && at.peek(0) == b"=") {
            return;
        }
        for at in inside().filter(|at| at.kind(0) == Some(Kind::Variable)) {
            let name = Key::of(at.peek(0).strip_prefix(b"$").unwrap_or_default());
            let why = "is assigned in the middle of an expression";
            assign(
                &mut self.variables,
                &[Spot::Key(name)],
                Tree::unreadable(at.line(), why),
                (at.line(), true),
            );
        }
    }

    /// `$a['b']->c[]`; `false` if it goes on with a step that cannot be read.
    fn target(&self, at: &mut Cursor<'_>) -> (Vec<Spot>, bool) {
        let name = at.peek(0).strip_prefix(b"$").unwrap_or_default();
        let mut spots = vec![Spot::Key(Key::Text(name.to_vec()))];
        at.at += 1;
        let mut whole = true;
        loop {
            if at.peek(0) == b"[" && at.peek(1) == b"]" {
                at.at += 2;
                spots.push(Spot::Next);
            } else if at.take(b"[") {
                let key = key_of(&self.item(at));
                if !at.take(b"]") {
                    return (spots, false);
                }
                whole &= key.is_some() && spots.len() < MAX_STEPS;
                spots.extend(key.filter(|_| whole).map(Spot::Key));
            } else if at.peek(0) == b"->" && at.kind(1) == Some(Kind::Name) {
                whole &= spots.len() < MAX_STEPS;
                if whole {
                    spots.push(Spot::Key(Key::of(at.peek(1))));
                }
                at.at += 2;
            } else {
                return (spots, whole);
            }
        }
    }

    fn is_set(&self, spots: &[Spot]) -> bool {
        let mut here = &self.variables;
        for spot in spots {
            let (Tree::Map(map), Spot::Key(key)) = (here, spot) else {
                return matches!(here, Tree::Unreadable(_));
            };
            match map.find(key) {
                Ok(tree) => here = tree,
                Err(miss) => return miss != Miss::Absent,
            }
        }
        *here != Tree::Null
    }

    fn unset(&mut self, cursor: &Cursor<'_>, flow: &Flow) {
        let mut at = Cursor { at: cursor.at + 2, ..*cursor };
        while at.kind(0) == Some(Kind::Variable) {
            let (spots, whole) = self.target(&mut at);
            let [above @ .., Spot::Key(last)] = spots.as_slice() else { return };
            let mut here = Some(&mut self.variables);
            for spot in above {
                here = match (here, spot) {
                    (Some(Tree::Map(map)), Spot::Key(key)) => map.get_mut(key),
                    _ => None,
                };
            }
            if let Some(Tree::Map(map)) = here {
                if whole && flow.is_certain() {
                    map.remove(last);
                } else if map.find(last).is_ok() {
                    map.insert(
                        last.clone(),
                        Tree::unreadable(cursor.line(), "is removed only under a condition"),
                    );
                }
            }
            at.take(b",");
        }
        self.resume = at.at;
    }

    /// What the properties and constants of a class begin with.
    fn class(&mut self, cursor: &Cursor<'_>, flow: &Flow) {
        let end = end_of_block(cursor);
        let name = Key::of(cursor.peek(1));
        let mut members = Map::default();
        let mut at = Cursor { at: cursor.at + 2, ..*cursor };
        while at.at < end && at.peek(0) != b"{" {
            at.at += 1;
        }
        at.at += 1;
        while at.at < end {
            if at.kind(0) == Some(Kind::Name) && at.peek(0).eq_ignore_ascii_case(b"function") {
                at.at = end_of_block(&at).min(end);
            } else if matches!(at.kind(0), Some(Kind::Variable | Kind::Name)) && at.peek(1) == b"=" {
                let name = Key::of(at.peek(0).strip_prefix(b"$").unwrap_or(at.peek(0)));
                at.at += 2;
                members.insert(name, self.item(&mut at));
            } else {
                at.at += 1;
            }
        }
        // The first class of a name is the one there is; another one would be an error.
        let tree = if flow.is_outermost() {
            Tree::Map(members)
        } else {
            Tree::unreadable(cursor.line(), "is set only under a condition")
        };
        self.classes.or_insert(name, || tree);
        self.resume = end.max(at.at);
    }

    fn finish(self) -> Document {
        let mut constants = Map::default();
        for name in self.definitions.names() {
            let tree = match self.definitions.constant_bytes(name) {
                Ok((value, _)) => Tree::Text(value.to_vec()),
                Err(why) => Tree::Unreadable(why),
            };
            constants.insert(Key::of(name), tree);
        }
        let mut document =
            Document { constants, variables: self.variables, classes: self.classes, returned: self.returned };
        if let Some(why) = self.definitions.incomplete() {
            document.constants.set_rest(why.clone());
            document.classes.set_rest(why.clone());
            if let Tree::Map(variables) = &mut document.variables {
                variables.set_rest(why);
            }
        }
        document
    }
}

/// Where the block ends, behind its brace, that opens next; where the statement ends, if none does.
fn end_of_block(cursor: &Cursor<'_>) -> usize {
    let mut at = Cursor { at: cursor.at + 1, ..*cursor };
    let mut open = 0_u32;
    loop {
        match (at.kind(0), at.peek(0)) {
            (None | Some(Kind::Broken), _) => return at.at,
            (Some(Kind::Punctuation), b"{") => open += 1,
            (Some(Kind::Punctuation), b"}") if open <= 1 => return at.at + 1,
            (Some(Kind::Punctuation), b"}") => open -= 1,
            (Some(Kind::Punctuation), b";") if open == 0 => return at.at,
            _ => {}
        }
        at.at += 1;
    }
}
