//! What happens: the stories of a backup and of a restore, and the verbs they are told in.

pub mod job;
