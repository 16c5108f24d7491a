//! Forms, as a person fills them.

use serde_json::{Map, Value};

/// A form that a person has in front of them.
pub(in crate::manifest) struct Form {
    fields: Vec<Value>,
}

impl Form {
    pub(super) fn new(form: &Value) -> Self {
        let mut fields = Vec::new();
        collect(&form["fields"], &mut fields);
        Self { fields }
    }

    pub(in crate::manifest) fn field(&self, name: &str) -> &Value {
        self.fields
            .iter()
            .find(|field| field["name"] == name)
            .unwrap_or_else(|| panic!("the form has no {name}: {:?}", self.fields))
    }

    /// Every value as it is submitted: what was chosen, else what the form offers.
    pub(in crate::manifest) fn filled(&self, chosen: &[(&str, Value)]) -> Map<String, Value> {
        let mut values = Map::new();
        for field in self.fields.iter().filter(|field| {
            !["displayfield", "compositefield"].contains(&field["type"].as_str().unwrap_or_default())
        }) {
            let name = field["name"].as_str().unwrap();
            let offered = if field["value"].is_null() { &field["default"] } else { &field["value"] };
            let value = chosen.iter().find(|(key, _)| *key == name).map_or(offered, |(_, value)| value);
            assert!(
                !(field["required"] != false && value.is_null() && field["type"] != "toggle"),
                "{name} is required, and empty"
            );
            let choices =
                field["values"].as_array().filter(|values| !values.is_empty() && field["editable"] != true);
            if let Some(choices) = choices {
                assert!(
                    choices.iter().any(|choice| choice["value"] == *value),
                    "{value} is none of {choices:?}"
                );
            }
            if !value.is_null() {
                values.insert(name.to_owned(), value.clone());
            }
        }
        for (name, _) in chosen {
            assert!(values.contains_key(*name), "the form has no {name}");
        }
        values
    }
}

fn collect(list: &Value, fields: &mut Vec<Value>) {
    for field in list.as_array().into_iter().flatten() {
        fields.push(field.clone());
        collect(&field["items"], fields);
        for inner in field["showIf"].as_object().into_iter().flatten() {
            collect(inner.1, fields);
        }
    }
}
