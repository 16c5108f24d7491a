//! A table's definition taken apart: what must be there before the rows, and what is made faster after them.

use super::names::quote;

/// `CREATE TABLE` without the parts that can wait, and those parts as the server printed them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Split {
    pub create: Vec<u8>,
    /// Clauses for `ALTER TABLE … ADD`, in the order of the definition.
    pub indexes: Vec<Vec<u8>>,
    /// Foreign keys, which name other tables and so come after all tables.
    pub foreign: Vec<Vec<u8>>,
}

impl Split {
    /// The whole definition at once.
    pub(super) fn whole(ddl: &[u8]) -> Self {
        Self { create: ddl.to_vec(), indexes: Vec::new(), foreign: Vec::new() }
    }

    /// Foreign keys wait; with `indexes`, secondary indexes too. What is not understood stays as it is.
    pub(super) fn of(ddl: &[u8], indexes: bool) -> Self {
        let Some(Parts { head, items, tail }) = parts(ddl) else { return Self::whole(ddl) };
        let last_kept = if indexes { last_key_that_stays(&items) } else { Some(items.len()) };
        let (mut stay, mut split) = (Vec::new(), Self::whole(ddl));
        for (at, item) in items.iter().enumerate() {
            match Item::of(item) {
                // Keys are added behind those that are there: only the end of their list can wait without changing its order.
                Item::Key(_) if last_kept.is_none_or(|kept| at > kept) => split.indexes.push(item.to_vec()),
                Item::Foreign => split.foreign.push(item.to_vec()),
                _ => stay.push(*item),
            }
        }
        split.create = [head, &stay.join(&b",\n  "[..]), tail].concat();
        split
    }

    /// The statements that add the indexes to `table`, in their order: one for all that can be built together.
    pub(super) fn index_statements(&self, table: &str) -> Vec<Vec<u8>> {
        let alone = |clause: &[u8]| clause.starts_with(b"FULLTEXT ") || clause.starts_with(b"SPATIAL ");
        self.indexes
            .chunk_by(|one, next| !alone(one) && !alone(next))
            .map(|clauses| alter(table, clauses))
            .collect()
    }

    pub(super) fn foreign_statement(&self, table: &str) -> Option<Vec<u8>> {
        (!self.foreign.is_empty()).then(|| alter(table, &self.foreign))
    }
}

fn alter(table: &str, clauses: &[Vec<u8>]) -> Vec<u8> {
    let mut sql = format!("ALTER TABLE {table}").into_bytes();
    for (at, clause) in clauses.iter().enumerate() {
        sql.extend_from_slice(if at == 0 { b" ADD " } else { b", ADD " });
        sql.extend_from_slice(clause);
    }
    sql
}

/// What one line of a definition is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Item {
    Primary,
    /// Whether it is unique.
    Key(bool),
    Foreign,
    /// Columns, checks, periods, and what later servers may invent.
    Other,
}

impl Item {
    fn of(item: &[u8]) -> Self {
        if item.starts_with(b"PRIMARY KEY ") {
            return Self::Primary;
        }
        if item.starts_with(b"UNIQUE KEY `") {
            return Self::Key(true);
        }
        if [&b"KEY `"[..], b"FULLTEXT KEY `", b"SPATIAL KEY `"].iter().any(|word| item.starts_with(word)) {
            return Self::Key(false);
        }
        let name = item.strip_prefix(b"CONSTRAINT ").and_then(name_and_rest);
        if name.is_some_and(|(_, rest)| rest.starts_with(b" FOREIGN KEY ")) {
            Self::Foreign
        } else {
            Self::Other
        }
    }
}

/// The last key that rows need: the one that finds the next `AUTO_INCREMENT`, the one that `InnoDB` orders rows by in
/// place of a primary key, and those that exist in other forms than a plain index.
fn last_key_that_stays(items: &[&[u8]]) -> Option<usize> {
    let primary = items.iter().find(|item| Item::of(item) == Item::Primary);
    let counter = items.iter().find_map(|item| {
        let (name, rest) = name_and_rest(item)?;
        contains(&outside_quotes(rest), b" AUTO_INCREMENT").then(|| [b"(", name].concat())
    });
    let counted_by_primary = match (primary, &counter) {
        (Some(primary), Some(counter)) => contains(primary, counter),
        _ => false,
    };
    items.iter().rposition(|item| {
        let Item::Key(unique) = Item::of(item) else { return false };
        let words = outside_quotes(item);
        let counts = !counted_by_primary && counter.as_ref().is_some_and(|counter| contains(item, counter));
        counts
            || (unique && primary.is_none())
            || contains(&words, b"WITHOUT OVERLAPS")
            || contains(&words, b"USING HASH")
    })
}

struct Parts<'a> {
    /// Up to the first item.
    head: &'a [u8],
    items: Vec<&'a [u8]>,
    /// From the end of the last item.
    tail: &'a [u8],
}

/// Takes `CREATE TABLE … (\n  item,\n  item\n) …` apart at the commas that separate items.
fn parts(ddl: &[u8]) -> Option<Parts<'_>> {
    let (name, _) = name_and_rest(ddl.strip_prefix(b"CREATE TABLE ")?)?;
    let open = b"CREATE TABLE ".len() + name.len() + b" (\n  ".len();
    let body = ddl.get(open..).filter(|_| ddl[..open].ends_with(b" (\n  "))?;
    let (mut items, mut start, mut depth, mut at) = (Vec::new(), 0, 1_u32, 0);
    while at < body.len() {
        match body[at] {
            quote @ (b'\'' | b'`' | b'"') => at = end_of_quoted(body, at, quote)?,
            b'(' => depth += 1,
            b')' => depth -= 1,
            b',' if depth == 1 && body[at..].starts_with(b",\n  ") => {
                items.push(&body[start..at]);
                start = at + b",\n  ".len();
            }
            _ => {}
        }
        if depth == 0 {
            let item = body[start..at].strip_suffix(b"\n")?;
            items.push(item);
            return Some(Parts { head: &ddl[..open], items, tail: &body[at - 1..] });
        }
        at += 1;
    }
    None
}

/// The place of the quote that ends what the one at `start` begins; a doubled quote ends one and begins the next.
fn end_of_quoted(text: &[u8], start: usize, quote: u8) -> Option<usize> {
    let mut at = start + 1;
    while *text.get(at)? != quote {
        at += if text[at] == b'\\' && quote != b'`' { 2 } else { 1 };
    }
    Some(at)
}

/// A name with its backticks, and what follows it.
pub(super) fn name_and_rest(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    // A doubled backtick inside the name ends one quoted part and begins the next.
    while text.get(at) == Some(&b'`') {
        at = end_of_quoted(text, at, b'`')? + 1;
    }
    (at > 0).then(|| text.split_at(at))
}

/// The text with everything quoted left out, so that words can be looked for.
fn outside_quotes(text: &[u8]) -> Vec<u8> {
    let (mut words, mut at) = (Vec::new(), 0);
    while at < text.len() {
        if let quote @ (b'\'' | b'`' | b'"') = text[at] {
            at = end_of_quoted(text, at, quote).unwrap_or(text.len());
        } else {
            words.push(text[at]);
        }
        at += 1;
    }
    words
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}

/// The definition of the table under another name.
pub(super) fn called(ddl: &[u8], from: &str, to: &str) -> Vec<u8> {
    let head = |name: &str| format!("CREATE TABLE {}", quote(name));
    match ddl.strip_prefix(head(from).as_bytes()) {
        Some(rest) => [head(to).as_bytes(), rest].concat(),
        None => ddl.to_vec(),
    }
}

/// The definition for whatever schema it is loaded into.
pub(super) fn unqualified(ddl: &[u8], schema: &str) -> Vec<u8> {
    replace(ddl, &format!("nextval({}.", quote(schema)), "nextval(")
}

pub(super) fn replace(text: &[u8], wanted: &str, instead: &str) -> Vec<u8> {
    let mut changed = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.windows(wanted.len()).position(|window| window == wanted.as_bytes()) {
        changed.extend_from_slice(&rest[..at]);
        changed.extend_from_slice(instead.as_bytes());
        rest = &rest[at + wanted.len()..];
    }
    changed.extend_from_slice(rest);
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDERS: &str = "CREATE TABLE `or``ders (` (\n  `id` int(11) NOT NULL COMMENT 'a, KEY `x` (\\',\\n  ''b)',\n  \
        `a,\n  KEY` int(11) DEFAULT 1,\n  PRIMARY KEY (`id`),\n  UNIQUE KEY `u` (`a,\n  KEY`) COMMENT ')',\n  KEY `k` (`id`),\n  \
        FULLTEXT KEY `f` (`t`),\n  CONSTRAINT `c``x` FOREIGN KEY (`id`) REFERENCES `t` (`id`),\n  \
        CONSTRAINT `k` CHECK (`id` > 0)\n) ENGINE=InnoDB COMMENT='(,\\n)'";

    fn text(clauses: &[Vec<u8>]) -> Vec<&str> {
        clauses.iter().map(|clause| std::str::from_utf8(clause).expect("text")).collect()
    }

    #[test]
    fn keys_are_told_from_what_looks_like_them() {
        let split = Split::of(ORDERS.as_bytes(), true);
        assert_eq!(
            text(&split.indexes),
            ["UNIQUE KEY `u` (`a,\n  KEY`) COMMENT ')'", "KEY `k` (`id`)", "FULLTEXT KEY `f` (`t`)"]
        );
        assert_eq!(text(&split.foreign), ["CONSTRAINT `c``x` FOREIGN KEY (`id`) REFERENCES `t` (`id`)"]);
        let statements = split.index_statements("t");
        assert_eq!(statements.len(), 2);
        assert!(statements[0].ends_with(b", ADD KEY `k` (`id`)"));
        let create = String::from_utf8(split.create).expect("text");
        assert!(create.ends_with(
            "PRIMARY KEY (`id`),\n  CONSTRAINT `k` CHECK (`id` > 0)\n) ENGINE=InnoDB COMMENT='(,\\n)'"
        ));
        let plain = Split::of(ORDERS.as_bytes(), false);
        assert!(plain.indexes.is_empty() && plain.foreign.len() == 1);
    }

    #[test]
    fn keys_that_rows_need_stay_with_all_before_them() {
        let table = |keys: &str| {
            let ddl =
                format!("CREATE TABLE `t` (\n  `id` int NOT NULL AUTO_INCREMENT,\n  {keys}\n) ENGINE=InnoDB");
            text(&Split::of(ddl.as_bytes(), true).indexes).join(" ")
        };
        assert_eq!(table("PRIMARY KEY (`id`),\n  KEY `a` (`id`)"), "KEY `a` (`id`)");
        assert_eq!(
            table("PRIMARY KEY (`b`),\n  KEY `a` (`b`),\n  KEY `i` (`id`),\n  KEY `c` (`b`)"),
            "KEY `c` (`b`)"
        );
        assert_eq!(table("UNIQUE KEY `u` (`b`),\n  KEY `i` (`id`),\n  KEY `c` (`b`)"), "KEY `c` (`b`)");
        assert_eq!(table("PRIMARY KEY (`id`),\n  UNIQUE KEY `u` (`b`) USING HASH"), "");
    }

    #[test]
    fn what_is_not_understood_stays_whole() {
        for odd in ["CREATE TABLE `t` (`a` int)", "CREATE TABLE `t` (\n  `a` int", "", "CREATE TABLE `t"] {
            assert_eq!(Split::of(odd.as_bytes(), true), Split::whole(odd.as_bytes()));
        }
    }
}
