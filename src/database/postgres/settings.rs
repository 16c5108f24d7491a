//! What belongs to a database itself: how it was created, whose it is, who may do what with it, what its sessions begin with.

use serde::{Deserialize, Serialize};

use super::fault::During;
use super::link::{Link, Row, number, text, truth};
use super::names::{literal, quote};
use crate::error::{Error, Result};

/// Settings that are lists of names, each quoted by itself.
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// What a new database can only be given when it is created, and what can be set later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Settings {
    pub owner: String,
    pub encoding: String,
    pub collate: String,
    pub ctype: String,
    /// `c` (the C library), `i` (ICU) or `b` (the server's own).
    pub provider: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub locale: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rules: String,
    pub tablespace: String,
    pub connection_limit: i64,
    pub is_template: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// There is a schema of this name, which every new database has.
    pub has_public: bool,
    /// `None`: what every database has in the beginning.
    pub grants: Option<Vec<Grant>>,
    pub defaults: Vec<SessionDefault>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Grant {
    /// `None`: everybody.
    pub to: Option<String>,
    pub right: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub grantable: bool,
}

/// `ALTER DATABASE ... SET`, or `ALTER ROLE ... IN DATABASE ... SET`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SessionDefault {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    pub name: String,
    pub value: String,
}

/// Of the database of this connection.
pub(super) fn read(link: &mut Link) -> Result<Settings> {
    let sql = "SELECT pg_catalog.pg_get_userbyid(d.datdba), pg_catalog.pg_encoding_to_char(d.encoding), d.datcollate, d.datctype, \
         COALESCE(j->>'datlocprovider', 'c'), COALESCE(j->>'datlocale', j->>'daticulocale'), j->>'daticurules', t.spcname, \
         d.datconnlimit, d.datistemplate, pg_catalog.shobj_description(d.oid, 'pg_database'), d.datacl IS NULL, \
         EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'public') \
         FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace, pg_catalog.to_jsonb(d) j \
         WHERE d.datname = pg_catalog.current_database()";
    let row = link.first(sql).during("read the settings of the database")?;
    let row = row.ok_or_else(|| Error::failed("the server does not know the database we are in"))?;
    let owned = |at: usize| text(&row, at).to_owned();
    Ok(Settings {
        owner: owned(0),
        encoding: owned(1),
        collate: owned(2),
        ctype: owned(3),
        provider: owned(4),
        locale: owned(5),
        rules: owned(6),
        tablespace: owned(7),
        connection_limit: number(&row, 8).unwrap_or(-1),
        is_template: truth(&row, 9),
        comment: row.get(10).cloned().flatten(),
        has_public: truth(&row, 12),
        grants: if truth(&row, 11) { None } else { Some(grants(link)?) },
        defaults: defaults(link)?,
    })
}

fn grants(link: &mut Link) -> Result<Vec<Grant>> {
    let sql = "SELECT CASE a.grantee WHEN 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(a.grantee) END, a.privilege_type, a.is_grantable \
         FROM pg_catalog.pg_database d, pg_catalog.aclexplode(d.datacl) a WHERE d.datname = pg_catalog.current_database()";
    let rows = link.rows(sql).during("read the rights on the database")?;
    Ok(rows.iter().map(grant).collect())
}

/// A grantee, a right, and whether it may be handed on.
pub(super) fn grant(row: &Row) -> Grant {
    Grant { to: row.first().cloned().flatten(), right: text(row, 1).to_owned(), grantable: truth(row, 2) }
}

fn defaults(link: &mut Link) -> Result<Vec<SessionDefault>> {
    let sql = "SELECT CASE s.setrole WHEN 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(s.setrole) END, \
         pg_catalog.split_part(u.c, '=', 1), pg_catalog.substr(u.c, pg_catalog.strpos(u.c, '=') + 1) \
         FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase, pg_catalog.unnest(s.setconfig) WITH ORDINALITY AS u(c, place) \
         WHERE d.datname = pg_catalog.current_database() ORDER BY 1 NULLS FIRST, u.place";
    let rows = link.rows(sql).during("read what sessions begin with")?;
    let default = |row: &Row| SessionDefault {
        role: row.first().cloned().flatten(),
        name: text(row, 1).to_owned(),
        value: text(row, 2).to_owned(),
    };
    Ok(rows.iter().map(default).collect())
}

impl Settings {
    /// An empty database of this kind.
    pub(super) fn create(&self, name: &str) -> String {
        let locale = literal(&self.locale);
        let provider = match self.provider.as_str() {
            "i" if self.rules.is_empty() => format!(" LOCALE_PROVIDER icu ICU_LOCALE {locale}"),
            "i" => format!(" LOCALE_PROVIDER icu ICU_LOCALE {locale} ICU_RULES {}", literal(&self.rules)),
            "b" => format!(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {locale}"),
            _ => String::new(),
        };
        let tablespace = match self.tablespace.as_str() {
            "pg_default" => String::new(),
            other => format!(" TABLESPACE {}", quote(other)),
        };
        format!(
            "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}{provider}{tablespace}",
            quote(name),
            literal(&self.encoding),
            literal(&self.collate),
            literal(&self.ctype)
        )
    }

    /// The rest, one statement each: to be run when nobody has to work in it any more, since it may limit whoever does.
    pub(super) fn statements(&self, name: &str) -> Vec<String> {
        let database = quote(name);
        let mut all = vec![format!("ALTER DATABASE {database} OWNER TO {}", quote(&self.owner))];
        if let Some(comment) = &self.comment {
            all.push(format!("COMMENT ON DATABASE {database} IS {}", literal(comment)));
        }
        if let Some(grants) = &self.grants {
            let everybody = format!("PUBLIC, {}", quote(&self.owner));
            all.push(format!("REVOKE ALL ON DATABASE {database} FROM {everybody}"));
            all.extend(grants.iter().map(|grant| grant.statement(&format!("DATABASE {database}"))));
        }
        all.extend(self.defaults.iter().map(|default| default.statement(&database)));
        if self.connection_limit >= 0 {
            all.push(format!("ALTER DATABASE {database} CONNECTION LIMIT {}", self.connection_limit));
        }
        if self.is_template {
            all.push(format!("ALTER DATABASE {database} IS_TEMPLATE true"));
        }
        all
    }
}

impl Grant {
    pub(super) fn statement(&self, object: &str) -> String {
        let to = self.to.as_deref().map_or_else(|| "PUBLIC".to_owned(), quote);
        let option = if self.grantable { " WITH GRANT OPTION" } else { "" };
        // A right comes from the server's own list of words, and back from a file.
        let right: String =
            self.right.chars().filter(|char| char.is_ascii_alphabetic() || *char == ' ').collect();
        format!("GRANT {right} ON {object} TO {to}{option}")
    }
}

impl SessionDefault {
    fn statement(&self, database: &str) -> String {
        let value = if LISTS.contains(&self.name.to_ascii_lowercase().as_str()) {
            let names: Vec<_> = list(&self.value).iter().map(|name| literal(name)).collect();
            if names.is_empty() { "''".to_owned() } else { names.join(", ") }
        } else {
            literal(&self.value)
        };
        // A setting of an extension has a dot in its name.
        let name: Vec<_> = self.name.split('.').map(quote).collect();
        let whose = self.role.as_ref().map_or_else(
            || format!("DATABASE {database}"),
            |role| format!("ROLE {} IN DATABASE {database}", quote(role)),
        );
        format!("ALTER {whose} SET {} TO {value}", name.join("."))
    }
}

/// Names between commas, in double quotes where they need them.
fn list(value: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let (mut quoted, mut chars) = (false, value.chars().peekable());
    while let Some(char) = chars.next() {
        let last = names.len() - 1;
        match char {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                names[last].push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => names.push(String::new()),
            char if char.is_whitespace() && !quoted => {}
            char => names[last].push(char),
        }
    }
    if value.trim().is_empty() { Vec::new() } else { names }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_names_are_quoted_one_by_one() {
        let default = |name: &str, value: &str| {
            SessionDefault { role: None, name: name.to_owned(), value: value.to_owned() }.statement("\"d\"")
        };
        assert_eq!(
            default("search_path", "\"$user\", \"a \"\"b, c\", public"),
            "ALTER DATABASE \"d\" SET \"search_path\" TO '$user', 'a \"b, c', 'public'"
        );
        assert_eq!(default("search_path", "\"\""), "ALTER DATABASE \"d\" SET \"search_path\" TO ''");
        assert_eq!(default("work_mem", "5MB"), "ALTER DATABASE \"d\" SET \"work_mem\" TO '5MB'");
        assert_eq!(default("app.x", "it's, so"), "ALTER DATABASE \"d\" SET \"app\".\"x\" TO 'it''s, so'");
    }
}
