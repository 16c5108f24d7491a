//! The restored database put in the place of the live one, and back.
//!
//! Both names change in one transaction, so that there is nothing between done and not done: the live database has left
//! its name exactly when one stands under the former's. If there was none, an empty one with a note stands there instead.

use super::aside::{drop_database, end_sessions, find};
use super::fault::{During, code_of, text_of};
use super::link::{Link, Row, text};
use super::names::{literal, quote};
use super::session::pin;
use crate::database::{PostgresSpec, SideCopy};
use crate::error::{Error, Result};
use crate::event::Cx;

/// How often sessions are ended that came back; the server itself waits five seconds for them to go.
const TRIES: u32 = 6;

/// Somebody is in the database.
const IN_USE: &str = "55006";

/// What the stand-in of a former database says of itself.
const NONE_BEFORE: &str = "lifeboat: there was no database before the restore";

/// Live to former, side to live.
pub(super) fn swap_in(spec: &PostgresSpec, copy: &SideCopy, cx: &Cx) -> Result<()> {
    let mut link = connect(spec)?;
    let (live, side, former) = look(&mut link, copy)?;
    let Some(_) = side else {
        let done = live.is_some() && former.is_some();
        return if done {
            Ok(())
        } else {
            Err(Error::failed(format!("there is no restored copy {:?}", copy.side)))
        };
    };
    cx.go_on()?;
    match (live.is_some(), former) {
        (true, None) => rename(&mut link, &[(&copy.live, &copy.former), (&copy.side, &copy.live)]),
        (true, Some(row)) if is_stand_in(&row) => {
            // It was about to happen, and meanwhile somebody made a database.
            drop_database(&mut link, &copy.former)?;
            rename(&mut link, &[(&copy.live, &copy.former), (&copy.side, &copy.live)])
        }
        (true, Some(_)) => Err(in_the_way(copy)),
        (false, former) => {
            if former.is_none() {
                stand_in(&mut link, &copy.former)?;
            }
            rename(&mut link, &[(&copy.side, &copy.live)])
        }
    }
}

/// The reverse of `swap_in`.
pub(super) fn swap_back(spec: &PostgresSpec, copy: &SideCopy, _cx: &Cx) -> Result<()> {
    let mut link = connect(spec)?;
    let (live, side, former) = look(&mut link, copy)?;
    let Some(former) = former else { return Ok(()) };
    let stand_in = is_stand_in(&former);
    match (live.is_some(), side.is_some()) {
        (true, false) if stand_in => rename(&mut link, &[(&copy.live, &copy.side)])?,
        (true, false) => {
            return rename(&mut link, &[(&copy.live, &copy.side), (&copy.former, &copy.live)]);
        }
        (false, _) if !stand_in => return rename(&mut link, &[(&copy.former, &copy.live)]),
        (true, true) if !stand_in => return Err(in_the_way(copy)),
        _ => {}
    }
    drop_database(&mut link, &copy.former)
}

/// Removes what is not live: the side copy before a swap or after one that was undone, the former content after one that
/// stays.
pub(super) fn discard(spec: &PostgresSpec, copy: &SideCopy, _cx: &Cx) -> Result<()> {
    let mut link = connect(spec)?;
    let (live, side, former) = look(&mut link, copy)?;
    let kept = former.is_some_and(|former| !is_stand_in(&former));
    // Two of three are left after a swap in either state; what else there may be was made by somebody's hand.
    if kept && (side.is_some() || live.is_none()) {
        return Err(Error::failed(format!(
            "the databases {:?} and {:?} are not as a swap leaves them: nothing is removed",
            copy.side, copy.former
        ))
        .with_remedy("undo or finish the restore first"));
    }
    drop_database(&mut link, &copy.side)?;
    drop_database(&mut link, &copy.former)
}

fn connect(spec: &PostgresSpec) -> Result<Link> {
    let mut link = Link::open_beside(spec)?;
    pin(&mut link)?;
    Ok(link)
}

/// Live, side and former, if they are there.
fn look(link: &mut Link, copy: &SideCopy) -> Result<(Option<Row>, Option<Row>, Option<Row>)> {
    Ok((find(link, &copy.live)?, find(link, &copy.side)?, find(link, &copy.former)?))
}

fn is_stand_in(row: &Row) -> bool {
    text(row, 2) == NONE_BEFORE
}

fn stand_in(link: &mut Link, name: &str) -> Result<()> {
    let during = || format!("note that there was no database before, as {name:?}");
    link.run(&format!("CREATE DATABASE {} TEMPLATE template0", quote(name))).during(during())?;
    link.run(&format!("COMMENT ON DATABASE {} IS {}", quote(name), literal(NONE_BEFORE))).during(during())
}

fn in_the_way(copy: &SideCopy) -> Error {
    Error::failed(format!("there are databases {:?} and {:?} beside the live one", copy.side, copy.former))
        .with_remedy("drop or rename the one that is not wanted")
}

/// All of it in one transaction. The server locks a database before it counts who is in it, so that whoever is sent away
/// and comes back at once has to wait, and then finds the other one under the name.
fn rename(link: &mut Link, moves: &[(&String, &String)]) -> Result<()> {
    let names: Vec<&str> = moves.iter().map(|(from, _)| from.as_str()).collect();
    let list: Vec<_> = moves
        .iter()
        .map(|(from, to)| format!("ALTER DATABASE {} RENAME TO {}", quote(from), quote(to)))
        .collect();
    let sql = format!("BEGIN; {}; COMMIT", list.join("; "));
    let mut tried = 1;
    loop {
        end_sessions(link, &names)?;
        let Err(error) = link.run(&sql) else { return Ok(()) };
        // Without a connection nothing has to be undone.
        drop(link.run("ROLLBACK"));
        if code_of(&error) != Some(IN_USE) || tried == TRIES {
            return Err(Error::failed(format!("exchange the databases: {}", text_of(&error))).with_remedy(
                "the database user must own both databases, and whoever uses the live one must let go of it: stop the \
                 application, and finish transactions that are prepared",
            ));
        }
        tried += 1;
    }
}
