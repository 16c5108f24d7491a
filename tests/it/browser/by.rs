//! Which element is meant: as a person would say it, by role and name or by label, or else by CSS.

use serde_json::{Value, json};

use super::driver::{Driver, Element, Fault};

/// What a verb is about. It must mean one element that is shown; `nth` and `within` say which where there are several.
#[derive(Clone, Debug)]
pub(crate) struct By {
    how: How,
    within: Option<String>,
    nth: Option<usize>,
}

#[derive(Clone, Debug)]
enum How {
    Css(String),
    Role(String, String),
    Label(String),
}

impl By {
    fn new(how: How) -> Self {
        Self { how, within: None, nth: None }
    }

    pub(crate) fn css(selector: &str) -> Self {
        Self::new(How::Css(selector.to_owned()))
    }

    /// Role and name as assistive technology has them, the name in full.
    pub(crate) fn role(role: &str, name: &str) -> Self {
        Self::new(How::Role(role.to_owned(), name.to_owned()))
    }

    pub(crate) fn button(name: &str) -> Self {
        Self::role("button", name)
    }

    pub(crate) fn link(text: &str) -> Self {
        Self::role("link", text)
    }

    /// The field with this label, the label in full.
    pub(crate) fn label(text: &str) -> Self {
        Self::new(How::Label(text.to_owned()))
    }

    /// Only below the first element of this CSS.
    pub(crate) fn within(mut self, selector: &str) -> Self {
        self.within = Some(selector.to_owned());
        self
    }

    /// Of several the one at this place, from 0, as the page has them.
    pub(crate) fn nth(mut self, place: usize) -> Self {
        self.nth = Some(place);
        self
    }

    /// All that is meant, shown or not.
    pub(super) fn all(&self, driver: &Driver) -> Result<Vec<Element>, Fault> {
        match (&self.how, &self.within) {
            (How::Css(css), None) => driver.elements(css),
            (How::Css(css), Some(within)) => driver.elements(&format!(":is({within}) :is({css})")),
            (How::Role(role, name), _) => self.named(driver, Some(role), name),
            (How::Label(name), _) => {
                let found = self.named(driver, None, name)?;
                let fields =
                    "return arguments[0].filter(e => e.matches('input, select, textarea, [role=textbox]'))";
                let found: Vec<Value> = found.iter().map(Element::reference).collect();
                Ok(Element::all(&driver.script(fields, &json!([found]))?))
            }
        }
    }

    /// Exactly one that is shown, or the one at the place that was asked for.
    pub(super) fn one(&self, driver: &Driver) -> Result<Element, Fault> {
        let all = self.all(driver)?;
        let mut shown = Vec::new();
        for element in &all {
            if driver.get(&element.path("/displayed"))? == true {
                shown.push(element.clone());
            }
        }
        let (count, hidden) = (shown.len(), all.len() - shown.len());
        let place = self.nth.unwrap_or(0);
        if count > 1 && self.nth.is_none() {
            return Err(Fault::new("ambiguous", format!("there are {count} of {self:?}")));
        }
        shown.into_iter().nth(place).ok_or_else(|| {
            Fault::new(
                "no such element",
                format!("{self:?}: {count} are shown, {hidden} are there but hidden"),
            )
        })
    }

    /// Asks Chromium's accessibility tree, which has computed names as assistive technology will say them.
    fn named(&self, driver: &Driver, role: Option<&str>, name: &str) -> Result<Vec<Element>, Fault> {
        let root = match &self.within {
            Some(css) => format!("document.querySelector({})", json!(css)),
            None => "document".to_owned(),
        };
        let root = driver.devtools("Runtime.evaluate", &json!({"expression": root}))?;
        let Some(root) = root["result"]["objectId"].as_str() else { return Ok(Vec::new()) };
        let mut query = json!({"objectId": root, "accessibleName": name});
        if let Some(role) = role {
            query["role"] = json!(role);
        }
        let found = driver.devtools("Accessibility.queryAXTree", &query)?;
        let nodes = found["nodes"].as_array().into_iter().flatten().filter(|node| node["ignored"] != true);
        for node in nodes {
            // DevTools and WebDriver know the same elements by different names: the page itself hands them over.
            let backend = json!({"backendNodeId": node["backendDOMNodeId"]});
            let object = driver.devtools("DOM.resolveNode", &backend)?["object"]["objectId"].take();
            let keep = "function () { if (this.nodeType === 1) (window.__named ??= []).push(this) }";
            let call = json!({"objectId": object, "functionDeclaration": keep});
            driver.devtools("Runtime.callFunctionOn", &call)?;
        }
        let take = "const named = window.__named ?? []; delete window.__named; return named";
        Ok(Element::all(&driver.script(take, &json!([]))?))
    }
}
