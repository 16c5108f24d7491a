//! Schemas nobody would design: random tables of all types, keys, engines and hostile names, with random rows.

use std::fmt::Write;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Values that each column brings; a table uses some of them.
const MOST_ROWS: usize = 12;

const CHARSETS: [&str; 20] = [
    "utf8mb4", "utf8mb3", "latin1", "ascii", "ucs2", "utf16", "utf16le", "utf32", "sjis", "cp932", "ujis",
    "eucjpms", "euckr", "gbk", "gb2312", "big5", "koi8r", "cp1251", "hebrew", "tis620",
];

#[derive(Clone, Debug)]
struct Column {
    name: String,
    sql_type: String,
    /// What an index says behind the column's name; `None` if it cannot be indexed.
    prefix: Option<&'static str>,
    values: Vec<String>,
    nulls: Option<Vec<bool>>,
    more: &'static str,
    comment: String,
}

#[derive(Clone, Copy, Debug)]
enum Key {
    None,
    Counter { step: i64 },
    Text,
    Pair,
    UniqueOnly,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Extra {
    None,
    Versioned,
    Parted,
}

/// One table with its rows; names are made unique by their place.
#[derive(Clone)]
pub(crate) struct Table {
    name: String,
    columns: Vec<Column>,
    rows: usize,
    key: Key,
    indexed: bool,
    options: &'static str,
    extra: Extra,
    generated: Option<&'static str>,
    trigger: bool,
}

pub(crate) fn schema() -> impl Strategy<Value = Vec<Table>> {
    vec(table(), 1..4)
}

/// The statements that make the schema `name`.
pub(crate) fn sql(name: &str, tables: &[Table]) -> String {
    let mut sql = format!("CREATE DATABASE {0}; USE {0};\n", quoted(name));
    for (number, table) in tables.iter().enumerate() {
        table.write(&mut sql, number);
    }
    sql
}

/// The session in which random values are accepted as they are.
pub(crate) const SESSION: &str = "SET time_zone='+00:00', foreign_key_checks=0, \
    sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', system_versioning_insert_history=1, innodb_strict_mode=0;\n";

/// A failure is told as what a person would type to see it again.
impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut sql = String::new();
        self.write(&mut sql, 0);
        f.write_str(&sql)
    }
}

impl Table {
    fn write(&self, sql: &mut String, number: usize) {
        let table = quoted(&format!("{}{number}", self.name));
        let mut items = self.key_columns();
        let mut insert: Vec<&str> = self.key_names().to_vec();
        let names: Vec<_> = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| quoted(&format!("{}{at}", column.name)))
            .collect();
        for (column, name) in self.columns.iter().zip(&names) {
            let null = if column.nulls.is_some() { "NULL" } else { "NOT NULL" };
            let comment = if column.comment.is_empty() {
                String::new()
            } else {
                format!(" COMMENT {}", literal(&column.comment))
            };
            // A table wants one visible column.
            let more = if items.is_empty() { "" } else { column.more };
            items.push(format!("{name} {} {null}{more}{comment}", column.sql_type));
            insert.push(name);
        }
        // A counter may not take part in an expression.
        if let (Some(how), Key::UniqueOnly) = (self.generated, self.key) {
            items.push(format!("`gene rated` VARCHAR(40) AS (MD5(u)) {how}"));
        }
        items.extend(self.key_items());
        let indexed = self
            .columns
            .iter()
            .zip(&names)
            .filter_map(|(column, name)| Some(format!("{name}{}", column.prefix?)));
        if let (true, Some(first)) = (self.indexed, indexed.into_iter().next()) {
            items.push(format!("KEY `k``{number}` ({first})"));
        }
        let options = if matches!(self.key, Key::Pair) && self.options.contains("COMPRESSED") {
            ""
        } else {
            self.options
        };
        let versioned = if self.extra == Extra::Versioned { " WITH SYSTEM VERSIONING" } else { "" };
        let plain = self.columns.iter().all(|column| column.sql_type != "POINT");
        let keyed = matches!(self.key, Key::Counter { .. } | Key::Pair);
        let parted = self.extra == Extra::Parted && keyed && plain;
        let parted = if parted { " PARTITION BY KEY () PARTITIONS 3" } else { "" };
        writeln!(sql, "CREATE TABLE {table} ({}) {options}{versioned}{parted};", items.join(",\n "))
            .expect("write");
        for row in 0..self.rows {
            let mut values = self.key_values(row);
            values.extend(self.columns.iter().map(|column| match &column.nulls {
                Some(nulls) if nulls[row] => "NULL".to_owned(),
                _ => column.values[row].clone(),
            }));
            writeln!(sql, "INSERT INTO {table} ({}) VALUES ({});", insert.join(","), values.join(","))
                .expect("write");
        }
        if self.extra == Extra::Versioned && self.rows > 1 {
            writeln!(sql, "DELETE FROM {table} LIMIT 1;").expect("write");
        }
        writeln!(sql, "CREATE VIEW `v``{number}` AS SELECT * FROM {table};").expect("write");
        if self.trigger {
            writeln!(
                sql,
                "CREATE TRIGGER `t ``{number}` BEFORE INSERT ON {table} FOR EACH ROW SET @x = 'a;\\'b';"
            )
            .expect("write");
        }
    }

    fn key_names(&self) -> &'static [&'static str] {
        match self.key {
            Key::None => &[],
            Key::Counter { .. } => &["id"],
            Key::Text => &["`k k`"],
            Key::Pair => &["a", "`b;`"],
            Key::UniqueOnly => &["u"],
        }
    }

    fn key_columns(&self) -> Vec<String> {
        let columns: &[&str] = match self.key {
            Key::None => &[],
            Key::Counter { .. } => &["id BIGINT NOT NULL AUTO_INCREMENT"],
            Key::Text => &["`k k` VARCHAR(60) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL"],
            Key::Pair => &["a INT UNSIGNED NOT NULL", "`b;` VARBINARY(30) NOT NULL"],
            Key::UniqueOnly => &["u SMALLINT NOT NULL"],
        };
        columns.iter().map(|&column| column.to_owned()).collect()
    }

    fn key_items(&self) -> Vec<String> {
        let item = match self.key {
            Key::None => return Vec::new(),
            Key::Counter { .. } => "PRIMARY KEY (id)",
            Key::Text => "PRIMARY KEY (`k k`)",
            Key::Pair => "PRIMARY KEY (`b;`,a)",
            Key::UniqueOnly => "UNIQUE KEY (u)",
        };
        vec![item.to_owned()]
    }

    fn key_values(&self, row: usize) -> Vec<String> {
        let number = i64::try_from(row).expect("few rows");
        match self.key {
            Key::None => Vec::new(),
            Key::Counter { step } => vec![(number * step).to_string()],
            Key::Text => vec![text(&format!("\t\\{row}\n'\u{1F6A3}"))],
            Key::Pair => vec![(row % 3).to_string(), format!("0x5C00{row:02X}0A09")],
            Key::UniqueOnly => vec![number.to_string()],
        }
    }
}

fn table() -> impl Strategy<Value = Table> {
    let key = prop_oneof![
        1 => Just(Key::None),
        3 => select(vec![1, -1, 1000, 1 << 40]).prop_map(|step| Key::Counter { step }),
        1 => Just(Key::Text),
        1 => Just(Key::Pair),
        1 => Just(Key::UniqueOnly),
    ];
    let options = select(vec![
        "ENGINE=InnoDB",
        "ENGINE=InnoDB DEFAULT CHARSET=latin1 COMMENT='a '' b'",
        "ENGINE=InnoDB ROW_FORMAT=COMPRESSED AUTO_INCREMENT=77",
        "ENGINE=Aria",
        "ENGINE=MyISAM DEFAULT CHARSET=utf32",
    ]);
    let generated = select(vec![None, Some("VIRTUAL"), Some("STORED")]);
    let shape = (identifier(), vec(column(), 1..7), 0..=MOST_ROWS, key, any::<bool>(), options);
    let extra = prop_oneof![3 => Just(Extra::None), 1 => Just(Extra::Versioned), 1 => Just(Extra::Parted)];
    (shape, extra, generated, prop::bool::weighted(0.3)).prop_map(
        |((name, columns, rows, key, indexed, options), extra, generated, trigger)| Table {
            name,
            columns,
            rows,
            key,
            indexed,
            options,
            extra,
            generated,
            trigger,
        },
    )
}

fn column() -> impl Strategy<Value = Column> {
    let nulls = prop::option::of(vec(prop::bool::weighted(0.3), MOST_ROWS));
    let more = select(vec!["", "", "", " INVISIBLE DEFAULT 0"]);
    (identifier(), kind(), nulls, more, hostile()).prop_map(
        |(name, (sql_type, prefix, values), nulls, more, comment)| Column {
            // Only numbers take a default of 0.
            more: if sql_type.contains("INT") && sql_type != "POINT" { more } else { "" },
            name,
            sql_type,
            prefix,
            values,
            nulls,
            comment,
        },
    )
}

type Kind = (String, Option<&'static str>, Vec<String>);

/// A type with values of it, as SQL.
fn kind() -> BoxedStrategy<Kind> {
    prop_oneof![3 => numbers(), 2 => moments(), 3 => texts(), 2 => binaries(), 1 => others()].boxed()
}

fn of<S>(sql_type: impl Into<String>, prefix: Option<&'static str>, value: S) -> BoxedStrategy<Kind>
where
    S: Strategy<Value = String> + 'static,
{
    let sql_type = sql_type.into();
    vec(value, MOST_ROWS).prop_map(move |values| (sql_type.clone(), prefix, values)).boxed()
}

fn numbers() -> BoxedStrategy<Kind> {
    let integers =
        select(vec![("TINYINT", 8), ("SMALLINT", 16), ("MEDIUMINT", 24), ("INT", 32), ("BIGINT", 64)]);
    let integers =
        (integers, select(vec!["", " UNSIGNED", " ZEROFILL"])).prop_flat_map(|((name, bits), sign)| {
            let all = 1_i128 << bits;
            let (low, high) = if sign.is_empty() { (-all / 2, all / 2 - 1) } else { (0, all - 1) };
            let value = prop_oneof![low..=high, Just(low), Just(high), Just(0_i128)]
                .prop_map(|value| value.to_string());
            of(format!("{name}{sign}"), Some(""), value)
        });
    let decimals = (1..=65_usize, 0..=30_usize).prop_flat_map(|(digits, scale)| {
        let scale = scale.min(digits);
        let value = (any::<bool>(), vec(0..10_u8, digits)).prop_map(move |(minus, all)| {
            let all: String = all.into_iter().map(|digit| char::from(b'0' + digit)).collect();
            let (whole, part) = all.split_at(all.len() - scale);
            format!(
                "{}{}{whole}.{part}",
                if minus { "-" } else { "" },
                if whole.is_empty() { "0" } else { "" }
            )
        });
        of(format!("DECIMAL({digits},{scale})"), Some(""), value)
    });
    let double = any::<f64>()
        .prop_filter("finite", |value| value.is_finite())
        .prop_map(|value| format!("'{value:e}'"));
    let float = any::<f32>()
        .prop_filter("finite", |value| value.is_finite())
        .prop_map(|value| format!("'{value:e}'"));
    let bits = (1..=64_u32).prop_flat_map(|bits| {
        of(
            format!("BIT({bits})"),
            Some(""),
            any::<u64>().prop_map(move |value| format!("{}", value >> (64 - bits))),
        )
    });
    prop_oneof![4 => integers, 2 => decimals, 1 => of("DOUBLE", Some(""), double), 1 => of("FLOAT", Some(""), float), 1 => bits].boxed()
}

fn moments() -> BoxedStrategy<Kind> {
    let date = (0..=9999_u32, 0..=12_u32, 0..=31_u32)
        .prop_map(|(year, month, day)| format!("{year:04}-{month:02}-{day:02}"))
        .boxed();
    let clock = (0..24_u32, 0..60_u32, 0..60_u32, 0..1_000_000_u32)
        .prop_map(|(h, m, s, micro)| format!("{h:02}:{m:02}:{s:02}.{micro:06}"))
        .boxed();
    // The server knows no month or day 0 with a clock in every mode; whole zero dates it does.
    let datetime = (date.clone(), clock.clone()).prop_map(|(date, clock)| {
        if date.contains("-00") { "'0000-00-00 00:00:00'".to_owned() } else { format!("'{date} {clock}'") }
    });
    let timestamp = (1..i64::from(i32::MAX), 0..1_000_000_u32)
        .prop_map(|(second, micro)| format!("FROM_UNIXTIME({second}.{micro:06})"));
    let time = (any::<bool>(), 0..838_u32, clock).prop_map(|(minus, hours, clock)| {
        format!("'{}{hours:02}{}'", if minus { "-" } else { "" }, &clock[2..])
    });
    let precision = 0..=6_u32;
    prop_oneof![
        of(
            "DATE",
            Some(""),
            date.prop_map(|date| if date.contains("-00") {
                "'0000-00-00'".to_owned()
            } else {
                format!("'{date}'")
            })
        ),
        (precision.clone(), Just(datetime)).prop_flat_map(|(digits, value)| of(
            format!("DATETIME({digits})"),
            Some(""),
            value
        )),
        (precision.clone(), Just(timestamp)).prop_flat_map(|(digits, value)| of(
            format!("TIMESTAMP({digits}) DEFAULT '2000-01-01'"),
            Some(""),
            value
        )),
        (precision, Just(time)).prop_flat_map(|(digits, value)| of(
            format!("TIME({digits})"),
            Some(""),
            value
        )),
        of("YEAR", Some(""), (1901..=2155_u32).prop_map(|year| year.to_string())),
    ]
    .boxed()
}

fn texts() -> BoxedStrategy<Kind> {
    let types = select(vec![
        ("CHAR(40)", "(5)"),
        ("VARCHAR(60)", "(7)"),
        ("TINYTEXT", "(3)"),
        ("TEXT", "(9)"),
        ("LONGTEXT", "(9)"),
    ]);
    (types, select(CHARSETS.to_vec()))
        .prop_flat_map(|((name, prefix), charset)| {
            let value = hostile().prop_map(move |value| format!("CONVERT({} USING {charset})", text(&value)));
            of(format!("{name} CHARACTER SET {charset}"), Some(prefix), value)
        })
        .boxed()
}

fn binaries() -> BoxedStrategy<Kind> {
    let types = select(vec![
        ("BINARY(16)", ""),
        ("VARBINARY(16)", ""),
        ("TINYBLOB", "(4)"),
        ("BLOB", "(4)"),
        ("LONGBLOB", "(8)"),
    ]);
    types
        .prop_flat_map(|(name, prefix)| {
            let byte = prop_oneof![any::<u8>(), select(b"\t\n\r\\\0N'\"`%\x1a".to_vec())];
            of(name, Some(prefix), vec(byte, 0..=16).prop_map(|bytes| hex(&bytes)))
        })
        .boxed()
}

fn others() -> BoxedStrategy<Kind> {
    let json = vec(hostile(), 0..3).prop_map(|texts| text(&serde_json::to_string(&texts).expect("texts")));
    let uuid = any::<u128>().prop_map(|id| {
        let id = format!("{id:032x}");
        format!("'{}-{}-{}-{}-{}'", &id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..])
    });
    let inet = any::<u128>().prop_map(|address| format!("'{}'", std::net::Ipv6Addr::from(address)));
    let point = (any::<i32>(), any::<i32>()).prop_map(|(x, y)| format!("POINT({x}.25,{y}.5)"));
    prop_oneof![
        of(
            "ENUM('a','it''s','','é','b,c') CHARACTER SET utf8mb4",
            Some(""),
            (1..=5_u8).prop_map(|number| number.to_string())
        ),
        of("ENUM('x','y\\\\','0')", Some(""), (0..=3_u8).prop_map(|number| number.to_string())),
        of("SET('a','b','c d','''')", Some(""), (0..16_u8).prop_map(|number| number.to_string())),
        of("JSON", None, json),
        of("UUID", Some(""), uuid),
        of("INET6", Some(""), inet),
        of("POINT", None, point),
    ]
    .boxed()
}

/// Text that has hurt somebody.
fn hostile() -> BoxedStrategy<String> {
    let known = [
        "",
        "\\N",
        "NULL",
        "\\",
        "'",
        "a\tb\nc\rd\0e",
        "-- ",
        "/*!",
        "it''s",
        "\u{1a}",
        "表\u{5c}ソ",
        "🚣",
        "é",
        " x ",
    ];
    prop_oneof![1 => "\\PC{0,12}", 1 => "[a-z ]{0,20}", 2 => select(known.to_vec()).prop_map(ToOwned::to_owned)].boxed()
}

fn identifier() -> BoxedStrategy<String> {
    "[a-zA-Z0-9_ `'\"\\\\%.;,()é日@-]{1,12}".boxed()
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn text(value: &str) -> String {
    if value.is_empty() { "''".to_owned() } else { format!("_utf8mb4 {}", hex(value.as_bytes())) }
}

/// A string as comments take it: they know neither hexadecimal nor what is beyond the basic plane.
fn literal(value: &str) -> String {
    let basic: String = value.chars().filter(|letter| ('\u{1}'..'\u{10000}').contains(letter)).collect();
    format!("'{}'", basic.replace('\\', "\\\\").replace('\'', "''"))
}

fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "''".to_owned();
    }
    bytes.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02X}"))
}
