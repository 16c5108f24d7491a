//! Small pictures. Each stands beside words that say the same.

use maud::{Markup, html};

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    Good,
    /// Nothing is known that would be good or bad.
    Plain,
    Attention,
    Bad,
}

impl Mark {
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Plain => "plain",
            Self::Attention => "attention",
            Self::Bad => "bad",
        }
    }

    /// Another shape for each, so that colours alone say nothing.
    pub(super) fn icon(self) -> Markup {
        let paths = match self {
            Self::Good => html! { circle cx="12" cy="12" r="9.5" {} path d="M7.5 12.3l3.1 3.1 6-6.4" {} },
            Self::Plain => html! { circle cx="12" cy="12" r="4" fill="currentColor" {} },
            Self::Attention => html! { path d="M12 3.2 22 20.6H2z" {} path d="M12 9.6v5.2M12 17.6v.2" {} },
            Self::Bad => {
                html! { path d="M8.1 2.6h7.8l5.5 5.5v7.8l-5.5 5.5H8.1l-5.5-5.5V8.1z" {} path d="M8.6 8.6l6.8 6.8M15.4 8.6l-6.8 6.8" {} }
            }
        };
        drawn(&format!("icon {}", self.class()), &paths)
    }
}

/// What kind of thing a file is.
pub(super) fn file(kind: &str) -> Markup {
    let paths = match kind {
        "dir" => {
            html! { path d="M2.5 6.5a2 2 0 0 1 2-2h4.6l2.4 2.6h8a2 2 0 0 1 2 2v8.4a2 2 0 0 1-2 2h-15a2 2 0 0 1-2-2z" {} }
        }
        "symlink" => {
            html! { path d="M9.5 14.5l5-5M8 11l-2.2 2.2a3.5 3.5 0 0 0 5 5L13 16M11 8l2.2-2.2a3.5 3.5 0 0 1 5 5L16 13" {} }
        }
        _ => html! { path d="M6 2.8h8l4.5 4.5v13.9H6zM14 2.8v4.5h4.5" {} },
    };
    drawn("icon quiet", &paths)
}

/// A ring to hold on to.
pub(super) fn brand() -> Markup {
    html! {
        svg.brand-icon viewBox="0 0 32 32" width="26" height="26" aria-hidden="true" focusable="false" {
            circle.ring cx="16" cy="16" r="10" fill="none" stroke-width="8" {}
            path.band d="M16 2v8M16 22v8M2 16h8M22 16h8" fill="none" stroke-width="6" {}
        }
    }
}

pub(super) fn pin() -> Markup {
    drawn("icon quiet", &html! { path d="M9 3h6l-1 6 3.5 3.5h-11L10 9zM12 12.5V21" {} })
}

pub(super) fn download() -> Markup {
    drawn("icon quiet", &html! { path d="M12 3.5v12M7 10.8l5 5 5-5M4.5 20.5h15" {} })
}

fn drawn(class: &str, paths: &Markup) -> Markup {
    html! {
        svg class=(class) viewBox="0 0 24 24" width="20" height="20" fill="none" stroke="currentColor" stroke-width="2"
            stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false" { (paths) }
    }
}
