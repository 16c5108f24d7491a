//! Who may ask the agent for what: tokens, kept only as hashes, and the scopes they carry.

mod scope;
mod tokens;

pub use scope::{Scope, Scopes};
pub use tokens::{Known, Made, Tokens, beside};
