//! A dump read from its first line to its last: what it is of, and whether it is whole and says nothing but what a dump says.

use std::collections::BTreeSet;
use std::io::Read;

use super::judge::{self, Found, Setting, Statement, Table};
use super::rows::values;
use super::text::{Depth, Piece, Text};
use crate::database::mysql::names::{is_ours, quote};
use crate::database::mysql::objects::{Object, ObjectKind, Statement as Body};
use crate::error::{Error, Result};
use crate::event::Cx;

/// All definitions of a dump together, in bytes; more was made to fill our memory.
const DEFINITIONS: usize = 256 << 20;

/// Statements between two looks at whether to go on, and rows.
const LOOK_UP: u64 = 1 << 12;

/// What is to be found in a dump.
pub(super) struct Wish<'a> {
    /// The schema that is wanted.
    pub schema: &'a str,
    /// Nothing else may be in it.
    pub alone: bool,
}

/// Where rows go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Insert {
    pub table: String,
    /// If they are named.
    pub columns: Option<Vec<String>>,
}

/// Takes each row, with its parentheses.
pub(super) type Take<'a> = &'a mut dyn FnMut(&Insert, &[u8]) -> Result<()>;

/// A table, and what there is of it.
#[derive(Debug)]
pub(super) struct Counted {
    pub table: Table,
    pub rows: u64,
    pub bytes: u64,
}

#[derive(Debug, Default)]
pub(super) struct Survey {
    /// What the dump calls the schema; empty if it does not say.
    pub schema: String,
    /// Other schemas that are in it.
    pub others: BTreeSet<String>,
    pub charset: Option<String>,
    pub collation: Option<String>,
    /// In which rows are written.
    pub names: String,
    /// Of the moments in rows; `None` is that of the server.
    pub time_zone: Option<String>,
    /// As the server called itself.
    pub version: String,
    pub tables: Vec<Counted>,
    pub objects: Vec<Object>,
    /// Names before a dot in the bodies of objects, each with the object.
    pub qualifiers: Vec<(String, String)>,
    definitions: usize,
}

/// What statements set for those that follow.
#[derive(Default)]
struct Session {
    charset_client: String,
    collation_connection: String,
    database_collation: String,
    sql_mode: String,
    time_zone: Option<String>,
}

pub(super) fn read<R: Read>(from: R, wish: &Wish<'_>, take: Take<'_>, cx: &Cx) -> Result<Survey> {
    let mut reading = Reading {
        text: Text::new(from),
        wish,
        survey: Survey::default(),
        session: Session::default(),
        inside: true,
        named: false,
        whole: false,
    };
    let mut count = 0_u64;
    loop {
        count += 1;
        if count.is_multiple_of(LOOK_UP) {
            cx.go_on()?;
        }
        let depth = if reading.inside { Depth::Whole } else { Depth::Kind };
        match reading.text.next(depth)? {
            None => break,
            Some(Piece::Remark(line)) => reading.remark(&line),
            Some(Piece::Statement(sql)) => reading.statement(&sql)?,
            Some(Piece::Rows(head)) => reading.rows(&head, take, cx)?,
        }
    }
    reading.end()
}

struct Reading<'a, R> {
    text: Text<R>,
    wish: &'a Wish<'a>,
    survey: Survey,
    session: Session,
    /// What comes is of the wanted schema.
    inside: bool,
    /// The dump has said of which schema it is.
    named: bool,
    /// The last line so far says that the dump is complete.
    whole: bool,
}

impl<R: Read> Reading<'_, R> {
    fn remark(&mut self, line: &str) {
        self.whole = line.starts_with("Dump completed") || (self.whole && line.is_empty());
        if let Some(version) = line.strip_prefix("Server version") {
            version.trim().clone_into(&mut self.survey.version);
        }
    }

    fn statement(&mut self, sql: &[u8]) -> Result<()> {
        self.whole = false;
        let judged = judge::statement(sql, &self.survey.schema);
        if !self.inside {
            // What is said of other schemas is for nobody here, but where it ends is.
            if let Ok(Statement::Use(name) | Statement::CreateDatabase { name, .. }) = judged {
                return self.enter(name);
            }
            return Ok(());
        }
        match judged.map_err(|why| self.text.wrong(why))? {
            Statement::Idle => {}
            Statement::Set(settings) => self.set(settings)?,
            Statement::CreateDatabase { name, charset, collation } => {
                self.enter(name)?;
                if self.inside {
                    (self.survey.charset, self.survey.collation) = (charset, collation);
                }
            }
            Statement::AlterDatabase { collation } => {
                self.session.database_collation = collation.unwrap_or_default();
            }
            Statement::Use(name) => self.enter(name)?,
            Statement::Drop(name) => self.forget(&name)?,
            Statement::Table(table) => self.table(table)?,
            Statement::Object(found) => self.object(found)?,
            Statement::SetValue(name, sql) => {
                let sequence = self.survey.objects.iter_mut().find(|object| object.name == name);
                sequence
                    .ok_or_else(|| self.text.wrong(format!("there is no sequence {name:?}")))?
                    .set_value = sql;
            }
            Statement::Insert { .. } => return Err(self.text.wrong("rows that are no plain values")),
        }
        Ok(())
    }

    /// The schema that what follows is of.
    fn enter(&mut self, name: String) -> Result<()> {
        self.inside = name == self.wish.schema;
        if self.inside {
            if !self.named && !self.survey.tables.is_empty() {
                return Err(self.text.wrong("a schema is named behind its tables"));
            }
            self.named = true;
            self.survey.schema = name;
            return Ok(());
        }
        if self.wish.alone && self.named {
            return Err(self
                .text
                .wrong(format!("the dump of schema {:?} goes on with {name:?}", self.wish.schema)));
        }
        self.survey.others.insert(name);
        Ok(())
    }

    fn set(&mut self, settings: Vec<(String, Setting)>) -> Result<()> {
        for (name, value) in settings {
            let text = match value {
                Setting::Literal(text) => Some(text),
                Setting::Former => None,
            };
            let or_former = |text: Option<String>| text.unwrap_or_default();
            match name.as_str() {
                "names" => {
                    let names = or_former(text);
                    if !self.survey.names.is_empty() && self.survey.names != names {
                        return Err(self.text.wrong("the character set of rows changes"));
                    }
                    self.survey.names = names;
                }
                "character_set_client" => self.session.charset_client = or_former(text),
                "collation_connection" => self.session.collation_connection = or_former(text),
                "sql_mode" => self.session.sql_mode = or_former(text),
                "time_zone" => self.session.time_zone = text,
                _ => {}
            }
        }
        Ok(())
    }

    /// What is dropped was a stand-in of what comes, or belongs to who loads the dump over another schema.
    fn forget(&mut self, name: &str) -> Result<()> {
        if self.survey.tables.iter().any(|counted| counted.table.name == name && counted.rows > 0) {
            return Err(self.text.wrong(format!("table {name:?} is dropped behind its rows")));
        }
        self.survey.tables.retain(|counted| counted.table.name != name);
        self.survey.objects.retain(|object| object.name != name || object.kind != ObjectKind::View);
        Ok(())
    }

    fn table(&mut self, table: Table) -> Result<()> {
        self.may_be_called(&table.name)?;
        if self.survey.tables.iter().any(|counted| counted.table.name == table.name) {
            return Err(self.text.wrong(format!("table {:?} comes twice", table.name)));
        }
        self.add_up(table.ddl.len())?;
        self.survey.tables.push(Counted { table, rows: 0, bytes: 0 });
        Ok(())
    }

    fn object(&mut self, found: Found) -> Result<()> {
        self.may_be_called(&found.name)?;
        self.add_up(found.sql.len())?;
        let view = found.kind == ObjectKind::View;
        let what = format!("{} {:?}", found.kind.sql().to_lowercase(), found.name);
        let session = &self.session;
        let sql_mode = if view { String::new() } else { session.sql_mode.clone() };
        if judge::misread(&sql_mode, &found.sql) {
            return Err(self.text.wrong(format!("{what} has a backslash under the mode {sql_mode}")));
        }
        let other_letters = !found.sql.is_ascii() && !session.charset_client.is_empty();
        if other_letters && !session.charset_client.starts_with("utf8") {
            return Err(self.text.wrong(format!("{what} is written in {}", session.charset_client)));
        }
        if view {
            // The second definition of a view is the real one.
            self.survey.objects.retain(|object| object.kind != ObjectKind::View || object.name != found.name);
        }
        self.survey.qualifiers.extend(found.qualifiers.into_iter().map(|name| (name, what.clone())));
        let time_zone = if found.kind == ObjectKind::Event { session.time_zone.clone() } else { None };
        self.survey.objects.push(Object {
            kind: found.kind,
            name: found.name,
            table: found.table,
            sql_mode,
            character_set_client: session.charset_client.clone(),
            collation_connection: session.collation_connection.clone(),
            database_collation: session.database_collation.clone(),
            time_zone: time_zone.unwrap_or_default(),
            broken: false,
            set_value: String::new(),
            sql: Body::from(found.sql.as_slice()),
        });
        Ok(())
    }

    fn may_be_called(&self, name: &str) -> Result<()> {
        if name.is_empty() || name.starts_with("lifeboat__") || is_ours(name) || name.contains('\0') {
            return Err(self.text.wrong(format!("{name:?} is a name that a restore uses itself")));
        }
        Ok(())
    }

    fn add_up(&mut self, bytes: usize) -> Result<()> {
        self.survey.definitions += bytes;
        if self.survey.definitions > DEFINITIONS {
            return Err(self.text.wrong(format!("its definitions have more than {DEFINITIONS} bytes")));
        }
        Ok(())
    }

    fn rows(&mut self, head: &[u8], take: Take<'_>, cx: &Cx) -> Result<()> {
        self.whole = false;
        let judged = judge::statement(head, &self.survey.schema).map_err(|why| self.text.wrong(why))?;
        let Statement::Insert { table, columns } = judged else {
            return Err(self.text.wrong("rows for what is no table"));
        };
        let found = self.survey.tables.iter().position(|counted| counted.table.name == table);
        let at = found
            .ok_or_else(|| self.text.wrong(format!("rows of a table {} that is not there", quote(&table))))?;
        if self.survey.tables[at].rows == 0 && self.survey.tables.iter().all(|counted| counted.rows == 0) {
            self.survey.time_zone = self.session.time_zone.clone();
        }
        let insert = Insert { table, columns };
        let mut row = Vec::new();
        let mut width = insert.columns.as_ref().map(Vec::len);
        while self.text.row(&mut row)? {
            let count = values(&row)
                .map_err(|why| self.text.wrong(format!("in a row of {:?}: {why}", insert.table)))?;
            if *width.get_or_insert(count) != count {
                return Err(self.text.wrong(format!("the rows of {:?} differ in width", insert.table)));
            }
            let counted = &mut self.survey.tables[at];
            counted.rows += 1;
            counted.bytes += row.len() as u64;
            if counted.rows.is_multiple_of(LOOK_UP) {
                cx.go_on()?;
            }
            take(&insert, &row)?;
        }
        Ok(())
    }

    fn end(self) -> Result<Survey> {
        if !self.whole {
            return Err(Error::failed(
                "the dump does not say at its end that it is complete: it was cut off, or never was whole",
            )
            .with_remedy(super::CHOOSE));
        }
        if self.wish.alone
            && (self.named || !self.survey.tables.is_empty())
            && let Some(other) = self.survey.others.first()
        {
            return Err(self.text.wrong(format!("the dump of one site has the schema {other:?} too")));
        }
        Ok(self.survey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "-- MariaDB dump 10.19\n-- Server version\t10.11.6-MariaDB\n/*!40101 SET NAMES utf8mb4 */;\n\
        /*!40103 SET TIME_ZONE='+00:00' */;\nCREATE DATABASE /*!32312 IF NOT EXISTS*/ `shop` /*!40100 DEFAULT CHARACTER SET \
        utf8mb4 COLLATE utf8mb4_general_ci */;\nUSE `shop`;\nDROP TABLE IF EXISTS `t`;\nCREATE TABLE `t` (\n  `a` int(11)\n) \
        ENGINE=InnoDB;\nLOCK TABLES `t` WRITE;\n/*!40000 ALTER TABLE `t` DISABLE KEYS */;\n";
    const TAIL: &str = "\n-- Dump completed on 2024-01-01  0:00:01\n";

    fn survey(body: &str, alone: bool) -> Result<Survey> {
        let dump = format!("{HEAD}{body}{TAIL}");
        read(dump.as_bytes(), &Wish { schema: "shop", alone }, &mut |_, _| Ok(()), &Cx::silent())
    }

    #[test]
    fn a_plain_dump_is_understood() {
        let found = survey(
            "INSERT INTO `t` VALUES (1),(2);\nUNLOCK TABLES;\n/*!50001 CREATE VIEW `v` AS SELECT 1 AS `a` */;\n\
             /*!50001 DROP VIEW IF EXISTS `v`*/;\n/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 DEFINER=`r`@`h` SQL SECURITY \
             DEFINER */\n/*!50001 VIEW `v` AS select `t`.`a` AS `a` from `t` */;\n/*!50003 SET sql_mode = 'STRICT_TRANS_TABLES' */ ;\n\
             DELIMITER ;;\n/*!50003 CREATE*/ /*!50017 DEFINER=`r`@`h`*/ /*!50003 TRIGGER g BEFORE INSERT ON t FOR EACH ROW BEGIN \
             SET NEW.a=1; END */;;\nDELIMITER ;\n",
            true,
        )
        .unwrap();
        assert_eq!((found.schema.as_str(), found.version.as_str()), ("shop", "10.11.6-MariaDB"));
        assert_eq!(
            (found.tables.len(), found.tables[0].rows, found.time_zone.as_deref()),
            (1, 2, Some("+00:00"))
        );
        assert_eq!(found.collation.as_deref(), Some("utf8mb4_general_ci"));
        let kinds: Vec<_> = found.objects.iter().map(|object| (object.kind, object.table.as_str())).collect();
        assert_eq!(kinds, [(ObjectKind::View, ""), (ObjectKind::Trigger, "t")]);
        let view = String::from_utf8(found.objects[0].sql.bytes()).unwrap();
        assert!(
            view.starts_with("CREATE ALGORITHM=UNDEFINED") && view.contains("VIEW `v` AS select"),
            "{view}"
        );
        assert_eq!(found.objects[1].sql_mode, "STRICT_TRANS_TABLES");
    }

    /// What no dump says is refused by name, and never done.
    #[test]
    fn whatever_reaches_elsewhere_is_refused() {
        for body in [
            "INSERT INTO `mysql`.`user` VALUES (1);",
            "INSERT INTO `t` SELECT * FROM `mysql`.`user`;",
            "INSERT INTO `t` VALUES ((SELECT 1));",
            "INSERT INTO `t` VALUES (LOAD_FILE('/etc/passwd'));",
            "INSERT INTO `t` VALUES (1) ON DUPLICATE KEY UPDATE a=1;",
            "INSERT INTO `u` VALUES (1);",
            "INSERT INTO `t` VALUES (1),(1,2);",
            "CREATE TABLE `x`.`y` (\n  `a` int\n);",
            "CREATE TABLE `y` (\n  `a` int,\n  CONSTRAINT `c` FOREIGN KEY (`a`) REFERENCES `x`.`z` (`a`)\n) ENGINE=InnoDB;",
            "CREATE TABLE `y` (\n  `a` int\n) ENGINE=FEDERATED CONNECTION='mysql://a@b/c';",
            "CREATE TABLE `y` (\n  `a` int\n) ENGINE=MRG_MyISAM UNION=(`t`);",
            "CREATE TABLE `y` (\n  `a` int\n) ENGINE=MyISAM DATA DIRECTORY='/tmp';",
            "CREATE TABLE `y` (\n  `a` int\n) SELECT * FROM t;",
            "CREATE TABLE `y` LIKE `t`;",
            "CREATE TABLE `lifeboat__record` (\n  `a` int\n);",
            "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a=LOAD_FILE('x');",
            "CREATE VIEW v AS SELECT 1 INTO OUTFILE '/tmp/x';",
            "CREATE FUNCTION f RETURNS STRING SONAME 'x.so';",
            "CREATE VIEW `x`.`v` AS SELECT 1;",
            "SYSTEM rm -rf /;",
            "\\! rm -rf /;",
            "LOAD DATA INFILE '/etc/passwd' INTO TABLE t;",
            "DROP DATABASE shop;",
            "DROP TABLE t;",
            "GRANT ALL ON *.* TO x;",
            "SET PASSWORD = 'x';",
            "SET GLOBAL general_log=1;",
            "SET @@GLOBAL.general_log=1;",
            "DELETE FROM t;",
            "SELECT 1;",
            "SELECT SETVAL(`s`, (SELECT 1), 0);",
            "SET NAMES gbk;",
            "USE `other`;\nCREATE TABLE `y` (\n  `a` int\n);",
            "INSERT INTO `t` VALUES ('a);",
            "INSERT INTO `t` VALUES (1)",
        ] {
            let error = survey(body, true).expect_err(body);
            assert!(error.remedy().is_some(), "{body}: {error}");
        }
        survey("", true).unwrap();
    }

    #[test]
    fn without_its_last_line_no_dump_is_whole() {
        let wish = Wish { schema: "shop", alone: true };
        let read = |dump: &str| read(dump.as_bytes(), &wish, &mut |_, _| Ok(()), &Cx::silent());
        let error = read(HEAD).unwrap_err();
        assert!(error.to_string().contains("does not say at its end"), "{error}");
        read(&format!("{HEAD}{TAIL}UNLOCK TABLES;\n")).unwrap_err();
        read(&format!("{HEAD}{TAIL}\n\n")).unwrap();
    }

    #[test]
    fn of_all_schemas_only_the_wanted_one_is_taken() {
        let more = "USE `mysql`;\nINSERT INTO `user` VALUES ('x');\nGRANT ALL ON *.* TO x;\nUSE `shop`;\nINSERT INTO `t` VALUES (7);\n";
        let found = survey(more, false).unwrap();
        assert_eq!((found.tables[0].rows, found.others.len()), (1, 1));
        survey(more, true).unwrap_err();
    }
}
