//! YAML without places, for the configuration and for files of facts, until the syntax layer reads them.

use crate::{
    source::{FileId, Span},
    syntax::{Entry, Mapping, Node, NodeKind, Part, Scalar, ScalarStyle, Sequence},
    types::Value,
};

/// The document of a text; every node stands at the whole text.
pub(crate) fn document(file: FileId, text: &str) -> Result<Node, String> {
    let value: Value = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    Ok(node(&value, Span::new(file, 0..text.len())))
}

/// The value of a text.
pub(crate) fn load_yaml(text: &str) -> Result<Value, String> {
    serde_yaml::from_str(text).map_err(|error| error.to_string())
}

fn node(value: &Value, span: Span) -> Node {
    let kind = match value {
        Value::Null => NodeKind::Empty,
        Value::List(items) => NodeKind::Sequence(Sequence {
            items: items.iter().map(|item| node(item, span)).collect(),
            ..Sequence::default()
        }),
        Value::Map(map) => NodeKind::Mapping(Mapping {
            entries: map
                .iter()
                .map(|(key, value)| Entry {
                    key: node(&Value::from(key.as_str()), span),
                    value: node(value, span),
                })
                .collect(),
            ..Mapping::default()
        }),
        scalar => NodeKind::Scalar(Scalar {
            style: ScalarStyle::Plain,
            parts: vec![Part::Text { text: scalar.to_string(), span }],
        }),
    };
    Node { span, kind, tag: None }
}
