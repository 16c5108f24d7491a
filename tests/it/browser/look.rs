//! How the page is looked at: how large, in what light, with or without scripts; and pictures of it.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::Browser;

/// Pixels of a picture's height; the rest of a longer page is cut off.
const HIGHEST: f64 = 8000.0;

impl Browser {
    /// 390 by 844 points, twice as fine, and a page is laid out as its `viewport` says.
    pub(crate) fn phone(&self) {
        self.size(390, 844, 2, true);
    }

    pub(crate) fn desktop(&self) {
        self.size(1280, 900, 1, false);
    }

    fn size(&self, width: u32, height: u32, scale: u32, mobile: bool) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": scale, "mobile": mobile});
        self.insist("set the size", || self.driver.devtools("Emulation.setDeviceMetricsOverride", &size));
    }

    pub(crate) fn dark(&self) {
        self.prefer_colors("dark");
    }

    pub(crate) fn light(&self) {
        self.prefer_colors("light");
    }

    fn prefer_colors(&self, scheme: &str) {
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.insist("set the colours", || self.driver.devtools("Emulation.setEmulatedMedia", &media));
    }

    /// From the next page on scripts of pages do not run, as where they are switched off; those of the test do, but
    /// nothing that they put off comes to pass.
    pub(crate) fn without_scripts(&self) {
        self.allow_scripts(false);
    }

    /// From the next page on scripts run again.
    pub(crate) fn with_scripts(&self) {
        self.allow_scripts(true);
    }

    fn allow_scripts(&self, yes: bool) {
        let off = json!({"value": !yes});
        self.insist("switch scripts off or on", || {
            self.driver.devtools("Emulation.setScriptExecutionDisabled", &off)
        });
    }

    /// Keeps a picture of the whole page, beyond what the window shows, as `target/screenshots/NAME.png`.
    pub(crate) fn screenshot(&self, name: &str) -> PathBuf {
        let picture = self.insist("take a picture", || {
            let layout = self.driver.devtools("Page.getLayoutMetrics", &json!({}))?;
            let size = &layout["cssContentSize"];
            let height = size["height"].as_f64().unwrap_or(HIGHEST).min(HIGHEST);
            let clip = json!({"x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1});
            let wish = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
            self.driver.devtools("Page.captureScreenshot", &wish)
        });
        let picture = picture["data"].as_str().expect("a picture");
        let picture = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, picture).unwrap();
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join(format!("{name}.png"));
        std::fs::write(&path, picture).unwrap();
        path
    }
}
