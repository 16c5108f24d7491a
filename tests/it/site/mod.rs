//! What lies in a site's root, and what its configuration says, read without running it.

mod db_host;
mod dotenv;
mod php_document;
mod php_properties;
mod php_table;
mod wordpress;
