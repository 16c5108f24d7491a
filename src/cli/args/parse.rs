//! What can be typed to read a file of settings.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Parse {
    /// A PHP file: constants, variables, the properties of classes, and what the file returns
    Php {
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// A .env file with the variables of the site's own processes, for settings that come from its environment
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        env: Option<PathBuf>,
        #[command(flatten)]
        question: Question,
    },
    /// A .env file; of several, each takes precedence over those before it
    Dotenv {
        #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
        files: Vec<PathBuf>,
        /// By whose rules
        #[arg(long, value_enum, default_value_t)]
        dialect: Dialect,
        #[command(flatten)]
        question: Question,
    },
    /// A JSON file, or with `-` what comes in: for hooks on machines without jq
    Json {
        #[arg(value_name = "FILE|-", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        #[command(flatten)]
        question: Question,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Question {
    /// Print this value alone, as it is: `db.connection.default.host`, `$CFG.dbhost`, `JConfig::host`, `DB_NAME`. A backslash before a
    /// dot makes it part of a name
    #[arg(long, value_name = "PATH", allow_hyphen_values = true)]
    pub(in crate::cli) get: Option<String>,
    /// What to print if the file says nothing about it; what is there and cannot be read is an error all the same
    #[arg(long, value_name = "TEXT", requires = "get", allow_hyphen_values = true)]
    pub(in crate::cli) default: Option<String>,
    /// Print the names below it, one a line, instead of the value
    #[arg(long, requires = "get", conflicts_with = "url")]
    pub(in crate::cli) keys: bool,
    /// The value is an address of a database as frameworks write it (a URL): print its scheme, user, password, host, port or name, or a
    /// parameter of it (`?unix_socket`); an empty line if it has none
    #[arg(long, value_name = "PART", requires = "get")]
    pub(in crate::cli) url: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Dialect {
    /// vlucas/phpdotenv, as in Laravel
    #[default]
    Laravel,
    /// symfony/dotenv
    Symfony,
}
