//! What a `WordPress` needs to run, looked for in what came back: its core, its tables, its settings.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::super::databases::Databases;
use super::super::journal::Aside;
use super::record::Failure;
use crate::error::Result;
use crate::event::Cx;
use crate::repo::{Node, Reader};
use crate::site::php::{Definitions, MAX_SOURCE, Value};

/// Without these nothing is shown.
const CORE: [&str; 8] = [
    "index.php",
    "wp-blog-header.php",
    "wp-load.php",
    "wp-settings.php",
    "wp-login.php",
    VERSION,
    "wp-includes/functions.php",
    "wp-includes/plugin.php",
];

const VERSION: &str = "wp-includes/version.php";
const CONFIG: &str = "wp-config.php";
const PLUGINS: &str = "wp-content/plugins";

/// Those of every version since 2.3, without the prefix.
const TABLES: [&str; 9] = [
    "comments",
    "options",
    "postmeta",
    "posts",
    "term_relationships",
    "term_taxonomy",
    "terms",
    "usermeta",
    "users",
];

/// Databases, and the copies that they were loaded as.
pub(super) type Loaded<'a> = (&'a Databases, &'a [Aside]);

/// Every fault that is found; none for what is no `WordPress`.
pub(super) fn wordpress(
    reader: &Reader,
    root: &Node,
    loaded: &[Loaded<'_>],
    cx: &Cx,
) -> Result<Vec<Failure>> {
    let look = Look { reader, root };
    let mut faults = Vec::new();
    if look.node(Path::new("wp-settings.php"))?.is_none() && look.node(Path::new("wp-load.php"))?.is_none() {
        return Ok(faults);
    }
    look.core(&mut faults, cx)?;
    let config = look.text(Path::new(CONFIG))?.map(|text| Definitions::read(&text));
    let prefix = config.and_then(|config| config.variable("$table_prefix").ok());
    let asked = |(databases, _): &Loaded<'_>| !databases.is_empty() && !databases.are_files();
    if let Some(prefix) = prefix.filter(|_| loaded.iter().any(asked)) {
        look.tables(&prefix, loaded, &mut faults)?;
    }
    Ok(faults)
}

struct Look<'a> {
    reader: &'a Reader,
    root: &'a Node,
}

impl Look<'_> {
    fn node(&self, path: &Path) -> Result<Option<Node>> {
        self.root.subtree.map_or(Ok(None), |tree| self.reader.find(tree, path))
    }

    /// A source, if there is one of a usual size.
    fn text(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        let Some(node) =
            self.node(path)?.filter(|node| node.is_file() && node.meta.size <= MAX_SOURCE as u64)
        else {
            return Ok(None);
        };
        let mut text = Vec::new();
        self.reader.write(&node, &mut text)?;
        Ok(Some(text))
    }

    /// What must be there is there and is PHP, and no other part of the core is empty or blank.
    fn core(&self, faults: &mut Vec<Failure>, cx: &Cx) -> Result<()> {
        for path in CORE.map(Path::new) {
            if self.node(path)?.is_none() {
                faults.push(fault(path.display().to_string(), "a file of WordPress' core is missing"));
            }
        }
        let mut programs: Vec<PathBuf> = CORE.map(PathBuf::from).to_vec();
        for directory in ["wp-includes", "wp-admin"].map(Path::new) {
            let Some(node) = self.node(directory)?.filter(Node::is_dir) else { continue };
            for item in self.reader.below(&node)? {
                let (path, node) = item?;
                if node.is_file() && path.extension().is_some_and(|extension| extension == "php") {
                    programs.push(directory.join(path));
                }
            }
        }
        programs.sort();
        programs.dedup();
        for path in &programs {
            cx.go_on()?;
            if let Some(text) = self.text(path)?
                && !text.windows(2).any(|two| two == b"<?")
            {
                faults.push(fault(path.display().to_string(), "is part of WordPress' core and no PHP"));
            }
        }
        if let Some(text) = self.text(Path::new(VERSION))?
            && Definitions::read(&text).variable("$wp_version").is_err()
        {
            faults.push(fault(VERSION, "does not say which version this is"));
        }
        Ok(())
    }

    fn tables(&self, prefix: &str, loaded: &[Loaded<'_>], faults: &mut Vec<Failure>) -> Result<()> {
        let mut dumped = BTreeSet::new();
        for (databases, _) in loaded {
            dumped.extend(databases.tables()?);
        }
        for table in TABLES.iter().map(|table| format!("{prefix}{table}")) {
            if !dumped.contains(&table) {
                faults.push(fault(format!("table {table}"), "WordPress cannot run without it"));
            }
        }
        let options = format!("{prefix}options");
        if !dumped.contains(&options) {
            return Ok(());
        }
        let option = |name: &str| -> Result<Option<Vec<u8>>> {
            for (databases, copies) in loaded {
                let value = databases.value(copies, &options, ("option_name", name), "option_value")?;
                if value.is_some() {
                    return Ok(value);
                }
            }
            Ok(None)
        };
        match option("siteurl")? {
            Some(url) if url.starts_with(b"http://") || url.starts_with(b"https://") => {}
            Some(_) => faults.push(fault("option siteurl", "is no address")),
            None => faults.push(fault("option siteurl", "is not there")),
        }
        self.plugins(option("active_plugins")?, faults)
    }

    /// The plugins that are switched on can be read and have their files.
    fn plugins(&self, value: Option<Vec<u8>>, faults: &mut Vec<Failure>) -> Result<()> {
        let what = "option active_plugins";
        let Some(value) = value else {
            faults.push(fault(what, "is not there"));
            return Ok(());
        };
        let parsed = Value::parse(&value);
        let Some(pairs) = parsed.as_ref().and_then(Value::pairs) else {
            faults.push(fault(what, "cannot be read"));
            return Ok(());
        };
        for (_, plugin) in pairs {
            let Some(name) = plugin.text() else {
                faults.push(fault(what, "has something in it that is no name of a plugin"));
                continue;
            };
            let path = Path::new(PLUGINS).join(String::from_utf8_lossy(name).into_owned());
            if self.node(&path)?.is_none() {
                faults.push(fault(
                    path.display().to_string(),
                    "the plugin is active, and its file is not in the snapshot",
                ));
            }
        }
        Ok(())
    }
}

fn fault(what: impl Into<String>, why: &str) -> Failure {
    Failure { what: what.into(), why: why.to_owned() }
}
