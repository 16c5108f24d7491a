//! Back from a restore: by what it set aside, by what it had saved, and never by accident.
