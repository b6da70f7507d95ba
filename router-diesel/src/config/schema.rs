//! The JSON Schema of the file, for editors.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::{Value, json};

use super::file::File;
use super::model::Config;

impl Config {
    /// The JSON Schema of a configuration file, as it is committed in `config/databases.schema.json`.
    ///
    /// Name it in the first line of a file, and an editor completes and explains the keys:
    /// `# yaml-language-server: $schema=./databases.schema.json`.
    #[must_use]
    pub fn json_schema() -> String {
        let mut settings = SchemaSettings::draft2020_12();
        settings.transforms.push(Box::new(AllowVariables));
        let mut schema = settings.into_generator().into_root_schema_for::<File>();
        schema.insert("title".to_owned(), json!("dbrouter databases"));
        // Keys of one's own, for anchors.
        schema.insert("patternProperties".to_owned(), json!({ "^x-": true }));
        let mut text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
        text.push('\n');
        text
    }
}

/// Lets `${NAME}` stand where a number, a word out of a few, or true and false belong.
#[derive(Debug, Clone)]
struct AllowVariables;

impl Transform for AllowVariables {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let variable = json!({ "type": "string", "pattern": r"\$\{" });
        let Some(object) = schema.as_object_mut() else { return };
        let is_choice = object.contains_key("enum");
        let is_scalar = matches!(object.get("type").and_then(Value::as_str), Some("integer" | "boolean"));
        if !is_choice && !is_scalar {
            return;
        }
        // What is said of the value stays where it is; only its kind becomes one of two.
        let mut own = serde_json::Map::new();
        for key in ["type", "enum", "minimum", "maximum", "format"] {
            own.extend(object.remove(key).map(|value| (key.to_owned(), value)));
        }
        object.insert("anyOf".to_owned(), json!([own, variable]));
    }
}
