//! Starts the lab for the stories on a real `NFSv4.2` mount; the tests themselves are in `guest`.

use crate::lab;

/// Enough for a `MariaDB` server, a site and restic in the guest's memory.
const ROOMY: (&str, &str) = ("NFS_LAB_MEM", "1G");

#[test]
fn stories_on_a_share() {
    lab::run("story::guest::good::", 2, &[ROOMY]);
}

#[test]
fn stories_of_a_share_that_is_not_what_it_should_be() {
    lab::run("story::guest::wrong::", 6, &[ROOMY]);
}

#[test]
fn stories_of_a_server_that_goes_away() {
    lab::run("story::guest::away::", 4, &[ROOMY]);
}

#[test]
fn stories_of_a_hard_mount() {
    lab::run("story::guest::hard::", 3, &[ROOMY]);
}
