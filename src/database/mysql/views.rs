//! The order in which views can be created: each after those it reads from.

use super::names::quote;
use super::objects::Object;

/// Sorts by what the texts mention; what cannot be told keeps its order.
pub(super) fn sorted<'a>(views: &[&'a Object], schema: &str) -> Vec<&'a Object> {
    let mut waiting: Vec<_> = views.iter().map(|view| (*view, needs(view, views, schema))).collect();
    let mut sorted: Vec<&Object> = Vec::new();
    while !waiting.is_empty() {
        let done = |name: &String| sorted.iter().any(|view| view.name == *name);
        // In a circle somebody must be first; no server has real ones.
        let at = waiting.iter().position(|(_, needs)| needs.iter().all(done)).unwrap_or(0);
        sorted.push(waiting.remove(at).0);
    }
    sorted
}

fn needs(view: &Object, all: &[&Object], schema: &str) -> Vec<String> {
    let text = view.sql.bytes();
    let others = all.iter().filter(|other| other.name != view.name);
    others.filter(|other| reads(&text, &other.name, schema)).map(|other| other.name.clone()).collect()
}

/// Whether the text has this name as that of a table, and not of a column or an alias.
fn reads(text: &[u8], name: &str, schema: &str) -> bool {
    let (name, own) = (quote(name), format!("{}.", quote(schema)));
    text.windows(name.len()).enumerate().any(|(at, window)| {
        let before = &text[..at];
        window == name.as_bytes()
            && !before.ends_with(b" AS ")
            && (!before.ends_with(b"`.") || before.ends_with(own.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::mysql::objects::{ObjectKind, Statement};

    fn view(name: &str, sql: &str) -> Object {
        Object {
            kind: ObjectKind::View,
            name: name.to_owned(),
            table: String::new(),
            sql_mode: String::new(),
            character_set_client: String::new(),
            collation_connection: String::new(),
            database_collation: String::new(),
            time_zone: String::new(),
            broken: false,
            set_value: String::new(),
            sql: Statement::Sql(format!("CREATE VIEW `{name}` AS {sql}")),
        }
    }

    #[test]
    fn views_come_after_those_they_read() {
        let views = [
            view("a", "select `c`.`b` AS `x` from `c`"),
            view("b", "select 1 AS `a`,`t`.`a` AS `z` from `t`"),
            view("c", "select 1 AS `a` from (`s`.`d` join `b`)"),
            view("d", "select 1"),
        ];
        let names: Vec<_> =
            sorted(&views.iter().collect::<Vec<_>>(), "s").iter().map(|view| &view.name).collect();
        assert_eq!(names, ["b", "d", "c", "a"]);
    }
}
