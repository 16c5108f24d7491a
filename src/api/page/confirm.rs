//! What replaces a live site is begun by typing the site's name.

use maud::{Markup, html};
use serde::Deserialize;

use super::visit::Visit;
use super::words::shown;

#[derive(Deserialize)]
pub(super) struct Typed {
    #[serde(default)]
    pub(super) name: String,
}

impl Typed {
    /// The whole name, as it is written; spaces around it are nobody's intention.
    pub(super) fn is(&self, visit: &Visit) -> bool {
        self.name.trim() == visit.site()
    }
}

/// The form; `wrong` is what was typed before.
pub(super) fn form(visit: &Visit, action: &str, text: &str, wrong: Option<&str>) -> Markup {
    html! {
        form.confirm method="post" action=(action) data-confirm=(visit.site()) {
            (visit.csrf())
            @if let Some(typed) = wrong {
                p.note.bad #wrong role="alert" {
                    "Nothing was done: " @if typed.is_empty() { "no name was typed." } @else { "“" (shown(typed)) "” is not the name of this site." }
                }
            }
            label for="name" { "Type the site's name, " strong { (visit.site()) } ", to confirm" }
            div.bar {
                input #name name="name" required autocomplete="off" autocapitalize="off" spellcheck="false"
                    aria-invalid=[wrong.map(|_| "true")] aria-describedby=[wrong.map(|_| "wrong")];
                button.danger type="submit" { (text) }
                a.button href=(visit.path("")) { "No, go back" }
            }
        }
    }
}
