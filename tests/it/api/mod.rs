//! The agent as others ask it: over HTTP, with tokens.

mod page;
