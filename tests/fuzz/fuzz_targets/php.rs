//! Arbitrary bytes as a site's configuration: reading them ends, and never panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lifeboat::site::DbHost;
use lifeboat::site::php::Definitions;

fuzz_target!(|source: &[u8]| {
    let found = Definitions::read(source);
    if let Ok(host) = found.constant("DB_HOST") {
        let _ = DbHost::parse(&host);
    }
    let _ = found.variable("$table_prefix");
});
