//! Arbitrary bytes as an application's file of settings: reading them ends, and never panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lifeboat::site::php::Document;

fuzz_target!(|source: &[u8]| {
    let document = Document::read(source, None);
    let (json, missing) = document.tree().json();
    assert!(missing.is_empty() || json.is_object());
});
