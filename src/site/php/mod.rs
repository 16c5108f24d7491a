//! Reads constants and variables out of PHP source, and values that PHP serialised, as text; nothing is ever executed.
//!
//! The source is hostile input: every part works in linear time and bounded memory, and says "cannot tell" rather than guess.

mod array;
mod definitions;
mod document;
mod environment;
mod expression;
mod flow;
mod literal;
mod scan;
mod serialized;
mod spot;
mod strings;

pub use definitions::Definitions;
pub use document::Document;
pub use environment::Environment;
pub use serialized::Value;

/// The largest source that is looked at, in bytes; real configurations are a hundred times smaller.
pub const MAX_SOURCE: usize = 1024 * 1024;
