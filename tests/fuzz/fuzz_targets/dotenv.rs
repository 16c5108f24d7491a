//! Arbitrary bytes as a `.env` file: reading them ends, and never panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lifeboat::site::dotenv::{Dialect, Dotenv};

fuzz_target!(|source: &[u8]| {
    for dialect in [Dialect::Laravel, Dialect::Symfony] {
        let mut found = Dotenv::default();
        found.read(source, dialect);
        drop(found.tree().json());
    }
});
