//! What is asked of an agent instead of being done here.

mod backup;
mod board;
mod cancel;
mod follow;
mod runs;
mod screen;
mod status;

use std::path::PathBuf;

use super::Session;
use super::args::{Ask, SOCKET};
use crate::client::{Client, Place, Settings, Site};
use crate::error::{Error, Result};

pub(super) use self::backup::backup;
pub(super) use self::cancel::cancel;
pub(super) use self::runs::runs;
pub(super) use self::status::{status, watch};

/// A token itself would be seen by everybody on the machine, in an argument as in a variable.
const TOKEN_FILE: &str = "LIFEBOAT_TOKEN_FILE";

/// Options of asking say nothing without the wish to ask.
pub(super) fn only_remote(ask: &Ask) -> Result<()> {
    ask.given().map_or(Ok(()), |option| {
        Err(Error::usage(format!("{option} is about an agent, and none is asked"))
            .with_remedy("add --remote"))
    })
}

fn client(session: &Session<'_>, ask: &Ask) -> Result<Client> {
    let place = ask.agent.clone().unwrap_or_else(|| Place::Socket(PathBuf::from(SOCKET)));
    let variable = || std::env::var_os(TOKEN_FILE).filter(|value| !value.is_empty()).map(PathBuf::from);
    let token_file = ask.token_file.clone().or_else(variable);
    Client::new(Settings { place, token_file, ca: ask.ca.clone() }, session.cancel.clone())
}

/// The site that is meant: the one that was named, the only one, or that of the configuration.
fn site(session: &Session<'_>, ask: &Ask, client: &Client) -> Result<Site> {
    let mut sites = client.sites()?;
    let wanted = match &ask.site {
        Some(name) => Some(name.clone()),
        None if sites.len() == 1 => return Ok(sites.remove(0)),
        None => session.config().ok().map(|config| config.site.name),
    };
    let names: Vec<_> = sites.iter().map(|site| site.name.clone()).collect();
    let remedy = format!("give --site with one of: {}", names.join(", "));
    let Some(wanted) = wanted else {
        return Err(Error::usage("the agent has several sites").with_remedy(remedy));
    };
    let found = sites.into_iter().find(|site| site.name == wanted);
    found.ok_or_else(|| {
        let error = Error::usage(format!("the agent at {} has no site {wanted:?}", client.place()));
        if names.is_empty() { error } else { error.with_remedy(remedy) }
    })
}
