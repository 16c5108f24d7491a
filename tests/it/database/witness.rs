//! An independent witness for `PostgreSQL`: what `pg_dump` says of a database's definitions, and a hash of every row, by psql.

use std::fmt::Write;

use crate::postgres::Postgres;

/// Equal for equal databases, whatever they are called.
pub(crate) fn of(server: &Postgres, database: &str) -> String {
    let dumped = server
        .client("pg_dump")
        .args(["--schema-only", "--create"])
        .env("PGDATABASE", database)
        .output()
        .expect("run pg_dump");
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    let definitions = String::from_utf8_lossy(&dumped.stdout).into_owned();
    let name = if database.chars().all(|char| char.is_ascii_lowercase()) {
        database.to_owned()
    } else {
        format!("\"{database}\"")
    };
    let mut text = String::new();
    for line in definitions.lines() {
        // A random word, and the name of the database where it stands for itself.
        if line.starts_with("\\restrict") || line.starts_with("\\unrestrict") {
            continue;
        }
        let line = if line.contains("DATABASE") || line.starts_with("\\connect") || line.contains("Type: ") {
            line.replace(&name, "THIS").replace(database, "THIS")
        } else {
            line.to_owned()
        };
        writeln!(text, "{line}").expect("write to a string");
    }
    text + &rows(server, database)
}

/// A sum over every row of every table, of sequences, of filled views and of large objects, without any order.
fn rows(server: &Postgres, database: &str) -> String {
    let tables = server.sql(
        database,
        "SELECT encode(convert_to(format(CASE c.relkind WHEN 'S' THEN 'SELECT %L, last_value, is_called FROM %I.%I' ELSE 'SELECT %L, count(*), sum(pg_catalog.hashtextextended(this_row::text, 0)::numeric), sum(pg_catalog.hashtextextended(this_row::text, 7)::numeric) FROM ONLY %I.%I this_row' END, \
         n.nspname || '.' || c.relname, n.nspname, c.relname), 'UTF8'), 'hex') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'S', 'm') AND (c.relkind <> 'm' OR c.relispopulated) AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY n.nspname, c.relname",
    );
    let mut script = String::from(
        "SET datestyle='ISO'; SET extra_float_digits=3; SET bytea_output='hex'; SET timezone='UTC'; SET intervalstyle='postgres'; SET search_path='';\n",
    );
    for line in tables.lines() {
        let bytes =
            (0..line.len() / 2).map(|at| u8::from_str_radix(&line[2 * at..2 * at + 2], 16).expect("hex"));
        script += &String::from_utf8(bytes.collect()).expect("text");
        script += ";\n";
    }
    server.sql(database, &script)
        + &server.sql(
            database,
            "SELECT oid, lomowner::regrole, lomacl, md5(lo_get(oid)), obj_description(oid, 'pg_largeobject') FROM pg_largeobject_metadata ORDER BY oid",
        )
}
