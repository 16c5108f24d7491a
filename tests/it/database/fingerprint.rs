//! An independent witness: all definitions and rows of a schema as text, made with the stock client alone.

use std::collections::BTreeMap;

use crate::mariadb::MariaDb;

/// Begins a part of the client's output.
const MARK: &str = "@@@@";

/// What there is, by kind and name, in an order that does not depend on the schema's name.
const OBJECTS: &str = "\
    SELECT CONCAT_WS('\\t', IF(table_type='SYSTEM VERSIONED', 'VERSIONED', SUBSTRING_INDEX(table_type, ' ', -1)), HEX(table_name)) \
      FROM information_schema.tables WHERE table_schema=DATABASE() ORDER BY table_type, BINARY table_name; \
    SELECT CONCAT_WS('\\t', 'TRIGGER', HEX(trigger_name)) FROM information_schema.triggers WHERE trigger_schema=DATABASE() \
      ORDER BY event_object_table, action_timing, event_manipulation, action_order; \
    SELECT CONCAT_WS('\\t', routine_type, HEX(routine_name)) FROM information_schema.routines WHERE routine_schema=DATABASE() ORDER BY 1; \
    SELECT CONCAT_WS('\\t', 'EVENT', HEX(event_name)) FROM information_schema.events WHERE event_schema=DATABASE() ORDER BY 1;";

const COLUMNS: &str = "SELECT HEX(table_name), data_type, HEX(column_name) FROM information_schema.columns \
    WHERE table_schema=DATABASE() ORDER BY table_name, ordinal_position";

/// Equal for equal schemas, whatever they are called.
pub(crate) fn of(server: &MariaDb, schema: &str) -> String {
    of_names(server, schema, |_| true)
}

/// The same without what a restore keeps inside the schema.
pub(crate) fn of_site(server: &MariaDb, schema: &str) -> String {
    of_names(server, schema, |name| !name.starts_with("lifeboat__"))
}

fn of_names(server: &MariaDb, schema: &str, wanted: impl Fn(&str) -> bool) -> String {
    let database = quoted(schema);
    let mut columns: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for line in server.sql(schema, COLUMNS).lines() {
        let fields: Vec<_> = line.split('\t').collect();
        columns.entry(unhex(fields[0])).or_default().push((fields[1].to_owned(), unhex(fields[2])));
    }
    let mut script = vec!["SET time_zone='+00:00';".to_owned()];
    for line in server.raw(schema, OBJECTS).lines() {
        let (kind, name) = line.split_once('\t').expect("two fields");
        let name = unhex(name);
        if !wanted(&name) {
            continue;
        }
        script.push(format!("SELECT CONCAT('{MARK}{kind} ', 0x{});", hex(&name)));
        let quoted = quoted(&name);
        script.push(match kind {
            "VIEW" => format!("SHOW CREATE VIEW {quoted};"),
            "SEQUENCE" => format!("SHOW CREATE SEQUENCE {quoted}; SELECT * FROM {quoted};"),
            "TABLE" | "VERSIONED" => {
                let rows = rows(&quoted, &columns[&name], kind == "VERSIONED");
                format!("SHOW CREATE TABLE {quoted}; SELECT '{MARK}rows'; {rows};")
            }
            other => format!("SHOW CREATE {other} {quoted};"),
        });
    }
    script.push(format!("SELECT '{MARK}schema'; SHOW CREATE DATABASE {database};"));
    let text = server.sql(schema, &script.join("\n")).replace(&database, "`SCHEMA`");
    text.split(MARK).map(without_moments).collect()
}

/// The last field of a trigger is the moment of its creation.
fn without_moments(part: &str) -> String {
    match part.trim_end().rsplit_once('\t') {
        Some((rest, _)) if part.starts_with("TRIGGER ") => format!("== {rest}\n"),
        _ => format!("== {part}"),
    }
}

/// The query for a hash per row over the exact bytes of all columns, sorted.
fn rows(table: &str, columns: &[(String, String)], versioned: bool) -> String {
    let exact = columns.iter().map(|(kind, column)| {
        let column = quoted(column);
        let value = match kind.as_str() {
            "float" => format!("CAST(CAST({column} AS DOUBLE) AS CHAR)"),
            "enum" | "set" => format!("CAST({column}+0 AS CHAR)"),
            "bit" => format!("HEX({column})"),
            "double" | "int" | "bigint" | "tinyint" | "decimal" => format!("CAST({column} AS CHAR)"),
            _ => format!("CAST({column} AS BINARY)"),
        };
        format!("IFNULL(SHA2({value},256),'null')")
    });
    let exact = exact.collect::<Vec<_>>().join(",");
    let all = if versioned { " FOR SYSTEM_TIME ALL" } else { "" };
    format!("SELECT SHA2(CONCAT_WS(',',{exact}),256) FROM {table}{all} ORDER BY 1")
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |digits, byte| format!("{digits}{byte:02X}"))
}

fn unhex(text: &str) -> String {
    let digits: Vec<_> = text.chars().collect();
    let bytes =
        digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).expect("hex"));
    String::from_utf8(bytes.collect()).expect("a name in UTF-8")
}
