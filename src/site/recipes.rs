//! Recipes: programs that recognise an application in a directory, and print what its configuration should say.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Context, Error, Kind, Result};
use crate::sys::process::{self, How, Program};
use crate::sys::trust;

const DEADLINE: Duration = Duration::from_mins(1);
/// Bytes of a fragment.
const KEEP: usize = 64 << 10;
/// Lines of what a recipe says that are handed on.
const LINES: usize = 20;

/// What a recipe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// The name of the recipe, such as `laravel`.
    pub application: String,
    /// YAML, not looked at yet.
    pub fragment: String,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// The recipes of a directory, by their names; a directory that is not there has none.
pub fn list(directory: &Path) -> Result<Vec<(String, PathBuf)>> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.with_context(|| format!("look for recipes in {}", directory.display()))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("look for recipes in {}", directory.display()))?;
        let path = entry.path().join("recipe");
        if path.is_file() {
            found.push((entry.file_name().to_string_lossy().into_owned(), path));
        }
    }
    found.sort();
    Ok(found)
}

/// Asks a recipe; `None` if the root is not of its application. `program` is this program itself, by which recipes read files. An
/// application whose settings cannot be read is an error of kind `Usage`: a backup without its database would look like one.
pub fn ask(name: &str, recipe: &Path, root: &Path, program: &Path) -> Result<Option<Recognised>> {
    let what = || format!("recipe {}", recipe.display());
    trust::check(recipe).with_context(what)?;
    // What they all read in.
    if let Some(shared) = recipe.ancestors().nth(2).map(|hooks| hooks.join("lib/recipe.sh"))
        && shared.exists()
    {
        trust::check(&shared).with_context(what)?;
    }
    let text = |path: &Path| {
        path.to_str()
            .map(str::to_owned)
            .ok_or_else(|| Error::usage(format!("{} is not UTF-8", path.display())))
    };
    let command = [text(recipe)?, "recognise".to_owned(), text(root)?];
    let environment = [("LIFEBOAT", text(program)?)];
    let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    let ended = process::run(&Program {
        command: &command,
        environment: &environment,
        input: &[],
        deadline: DEADLINE,
        keep: KEEP,
    })
    .with_context(what)?;
    let notes = lines(&ended.errors);
    match (ended.how, ended.status.code()) {
        (How::ByItself, Some(0)) if !ended.cut => {
            let fragment = String::from_utf8(ended.output.to_vec())
                .map_err(|_| Error::usage(format!("{} did not print UTF-8", what())))?;
            Ok(Some(Recognised { application: name.to_owned(), fragment, notes }))
        }
        (How::ByItself, Some(1)) => Ok(None),
        (How::ByItself, Some(2)) => {
            // Their own remedies are not those of who sets up a site.
            let said = notes.iter().filter(|line| !line.trim_start().starts_with("try: "));
            let said: Vec<_> = said.map(|line| line.strip_prefix("error: ").unwrap_or(line)).collect();
            let said =
                if said.is_empty() { "its settings cannot be read".to_owned() } else { said.join("; ") };
            Err(Error::new(Kind::Usage, format!("{} holds {name}, but {said}", root.display())).with_remedy(
                "leave the recipes out (--recipes none), and list its database in the configuration before the first backup",
            ))
        }
        _ => Err(Error::failed(format!("{} ended with {}", what(), ended.status))
            .with_remedy("run it by hand to see why, or leave the recipes out (--recipes none)")),
    }
}

/// Made fit for a terminal: names of files and words of the site are in it.
fn lines(text: &[u8]) -> Vec<String> {
    let plain =
        |line: &str| line.trim_end().chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    String::from_utf8_lossy(text)
        .lines()
        .map(plain)
        .filter(|line: &String| !line.is_empty())
        .take(LINES)
        .collect()
}
