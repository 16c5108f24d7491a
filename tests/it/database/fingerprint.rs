//! An independent witness: all definitions and rows of a schema as text, made with the stock client alone.

use std::fmt::Write;

use crate::mariadb::MariaDb;

/// Equal for equal schemas, whatever they are called.
pub(crate) fn of(server: &MariaDb, schema: &str) -> String {
    let mut text = String::new();
    let database = quoted(schema);
    let tables = list(
        server,
        schema,
        "SELECT table_type, HEX(table_name) FROM information_schema.tables WHERE table_schema=DATABASE() ORDER BY 1, BINARY table_name",
    );
    for (kind, name) in &tables {
        let table = quoted(name);
        let show = match kind.as_str() {
            "VIEW" => format!("SHOW CREATE VIEW {table}"),
            "SEQUENCE" => format!("SHOW CREATE SEQUENCE {table}; SELECT * FROM {table}"),
            _ => format!("SHOW CREATE TABLE {table}"),
        };
        note(&mut text, &format!("{kind} {name}"), &server.sql(schema, &show));
        if kind.as_str() != "VIEW" && kind.as_str() != "SEQUENCE" {
            note(&mut text, "rows", &rows(server, schema, name, kind == "SYSTEM VERSIONED"));
        }
    }
    for (kind, name) in list(
        server,
        schema,
        "SELECT CONCAT('TRIGGER'), HEX(trigger_name) FROM information_schema.triggers WHERE trigger_schema=DATABASE() \
         ORDER BY event_object_table, action_timing, event_manipulation, action_order",
    )
    .into_iter()
    .chain(list(
        server,
        schema,
        "SELECT routine_type, HEX(routine_name) FROM information_schema.routines WHERE routine_schema=DATABASE() ORDER BY 1, 2",
    ))
    .chain(list(
        server,
        schema,
        "SELECT 'EVENT', HEX(event_name) FROM information_schema.events WHERE event_schema=DATABASE() ORDER BY 2",
    )) {
        let shown = server.sql(schema, &format!("SHOW CREATE {kind} {}", quoted(&name)));
        // The last field of a trigger is the moment of its creation.
        let shown = if kind == "TRIGGER" { shown.rsplit_once('\t').map_or("", |(rest, _)| rest).to_owned() } else { shown };
        note(&mut text, &format!("{kind} {name}"), &shown);
    }
    note(&mut text, "schema", &server.sql(schema, &format!("SHOW CREATE DATABASE {database}")));
    text.replace(&database, "`SCHEMA`")
}

fn note(text: &mut String, title: &str, body: &str) {
    writeln!(text, "== {title}\n{body}").expect("write to a string");
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn list(server: &MariaDb, schema: &str, sql: &str) -> Vec<(String, String)> {
    let rows = server.sql(schema, sql);
    let pairs = rows.lines().filter_map(|line| line.split_once('\t'));
    pairs.map(|(kind, name)| (kind.to_owned(), unhex(name))).collect()
}

fn unhex(text: &str) -> String {
    let digits: Vec<_> = text.chars().collect();
    let bytes =
        digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).expect("hex"));
    String::from_utf8(bytes.collect()).expect("a name in UTF-8")
}

/// A hash per row over the exact bytes of all columns, sorted.
fn rows(server: &MariaDb, schema: &str, table: &str, versioned: bool) -> String {
    let name = table.replace('\\', "\\\\").replace('\'', "''");
    let columns = list(
        server,
        schema,
        &format!(
            "SELECT data_type, HEX(column_name) FROM information_schema.columns WHERE table_schema=DATABASE() \
             AND BINARY table_name=BINARY '{name}' ORDER BY ordinal_position"
        ),
    );
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
    let sql = format!(
        "SET time_zone='+00:00'; SELECT SHA2(CONCAT_WS(',',{exact}),256) FROM {}{all}",
        quoted(table)
    );
    let found = server.sql(schema, &sql);
    let mut lines: Vec<_> = found.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}
