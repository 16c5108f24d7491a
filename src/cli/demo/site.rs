//! The made-up site of the demo: small, but with what real sites have.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use rusqlite::{Connection, params};

use crate::error::Result;

const PAGES: u32 = 240;
const PICTURES: u32 = 60;
const PRODUCTS: u32 = 400;
const ORDERS: u32 = 3000;

/// Some 300 files in a few directories, a link, a private file, and a database.
pub(super) fn make(root: &Path) -> Result<()> {
    let mut random = StdRng::seed_from_u64(20_261_120);
    for directory in ["pages", "theme/css", "uploads/2026/11", "data"] {
        fs::create_dir_all(root.join(directory))?;
    }
    fs::write(root.join("index.html"), "<h1>The lighthouse shop</h1>\n")?;
    for number in 0..PAGES {
        fs::write(root.join(format!("pages/{number:03}.html")), page(number, &mut random))?;
    }
    for number in 0..PICTURES {
        let mut picture = vec![0; random.random_range(4_000..60_000)];
        random.fill_bytes(&mut picture);
        fs::write(root.join(format!("uploads/2026/11/picture {number}.jpg")), picture)?;
    }
    fs::write(root.join("theme/css/style.css"), "body { color: #123 }\n".repeat(200))?;
    fs::write(root.join("secret.conf"), "key = 42\n")?;
    fs::set_permissions(root.join("secret.conf"), fs::Permissions::from_mode(0o600))?;
    symlink("pages/000.html", root.join("start.html"))?;
    database(&root.join("data/shop.sqlite"), &mut random)
}

/// What may happen to a site in a day.
pub(super) fn change(root: &Path) -> Result<()> {
    for number in 0..5 {
        fs::write(root.join(format!("pages/{number:03}.html")), "<h1>Hacked by nobody</h1>\n")?;
    }
    fs::remove_file(root.join("pages/100.html"))?;
    fs::write(root.join("uploads/2026/11/shell.php"), "<?php /* not ours */\n")?;
    fs::set_permissions(root.join("secret.conf"), fs::Permissions::from_mode(0o644))?;
    let shop = Connection::open(root.join("data/shop.sqlite"))?;
    shop.execute_batch(
        "UPDATE products SET price = price * 2 WHERE id % 7 = 0;
         DELETE FROM orders WHERE id % 11 = 0;
         INSERT INTO orders (product, buyer) SELECT id, 'somebody new' FROM products LIMIT 50;",
    )?;
    Ok(())
}

fn page(number: u32, random: &mut StdRng) -> String {
    let words = ["keel", "oar", "buoy", "harbour", "lantern", "rope", "tide", "gull", "mast", "anchor"];
    let text: Vec<&str> =
        (0..random.random_range(80..400)).map(|_| words[random.random_range(0..words.len())]).collect();
    format!("<h1>Page {number}</h1>\n<p>{}</p>\n", text.join(" "))
}

fn database(path: &Path, random: &mut StdRng) -> Result<()> {
    let mut shop = Connection::open(path)?;
    shop.execute_batch(
        "CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL, picture BLOB);
         CREATE TABLE orders (id INTEGER PRIMARY KEY, product INTEGER REFERENCES products, buyer TEXT);
         CREATE INDEX orders_by_product ON orders (product);",
    )?;
    let all = shop.transaction()?;
    for id in 1..=PRODUCTS {
        let mut picture = [0; 256];
        random.fill_bytes(&mut picture);
        let price = f64::from(random.random_range(100..99_999)) / 100.0;
        all.execute(
            "INSERT INTO products VALUES (?1, ?2, ?3, ?4)",
            params![id, format!("Lamp №{id}"), price, picture],
        )?;
    }
    for id in 1..=ORDERS {
        let buyer = format!("buyer {}", random.random_range(1..900));
        all.execute(
            "INSERT INTO orders VALUES (?1, ?2, ?3)",
            params![id, random.random_range(1..=PRODUCTS), buyer],
        )?;
    }
    all.commit()?;
    Ok(())
}
