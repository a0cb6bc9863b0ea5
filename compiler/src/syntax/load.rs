//! Nodes to values where no signature says what they are: Salt's loader.

use super::{
    tree::{Mapping, Node, NodeKind, Part, Scalar, ScalarStyle},
    yaml::{self, YamlError},
};
use crate::{
    source::FileId,
    types::{Map, Value, resolve_plain},
};

/// Reads plain YAML (no templates) as Salt's loader does: `yes` is true, leading zeros are stripped, dates stay text,
/// anchors and merge keys work, duplicate keys are errors.
pub fn load_yaml(text: &str) -> Result<Value, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let parsed = yaml::parse(FileId(0), text, &[]);
    if let Some(error) = parsed.errors.into_iter().next() {
        return Err(error);
    }
    let Some(root) = parsed.root else { return Ok(Value::Null) };
    let mut duplicates = Vec::new();
    super::merge::duplicates(&root, &super::template::Template::default(), &mut duplicates);
    if let Some(duplicate) = duplicates.into_iter().next() {
        return Err(YamlError {
            range: duplicate.span.range(),
            message: duplicate.message,
            help: duplicate.help,
        });
    }
    node_to_value(&root).ok_or_else(|| YamlError {
        range: root.span.range(),
        message: "this document is not plain data".to_owned(),
        help: None,
    })
}

/// The value of a node without a signature; `None` where an expression, a splice or a branch makes it unknown.
pub fn node_to_value(node: &Node) -> Option<Value> {
    match &node.kind {
        NodeKind::Empty => Some(if node.tag.as_ref().is_some_and(|(t, _)| t == "!!str") {
            Value::Str(String::new())
        } else {
            Value::Null
        }),
        NodeKind::Scalar(scalar) => scalar_value(scalar, node.tag.as_ref().map(|(t, _)| t.as_str())),
        NodeKind::Sequence(sequence) if sequence.splices.is_empty() => {
            sequence.items.iter().map(node_to_value).collect::<Option<_>>().map(Value::List)
        }
        NodeKind::Mapping(mapping) if mapping.splices.is_empty() => mapping_value(mapping).map(Value::Map),
        _ => None,
    }
}

fn scalar_value(scalar: &Scalar, tag: Option<&str>) -> Option<Value> {
    if let [Part::Value { value, .. }] = scalar.parts.as_slice()
        && scalar.style == ScalarStyle::Plain
    {
        return Some(value.clone());
    }
    let text = scalar.literal()?;
    Some(match (scalar.style, tag) {
        (_, Some("!!str")) => Value::Str(text.into_owned()),
        (ScalarStyle::Plain, _) => resolve_plain(&text),
        _ => Value::Str(text.into_owned()),
    })
}

fn mapping_value(mapping: &Mapping) -> Option<Map> {
    let mut merged = Map::new();
    let mut own = Map::new();
    for entry in &mapping.entries {
        let value = node_to_value(&entry.value)?;
        let key = match &entry.key.kind {
            NodeKind::Empty => "null".to_owned(),
            // A key keeps the author's text: `0644` and `yes` name something here.
            NodeKind::Scalar(scalar) => scalar.literal()?.into_owned(),
            _ => node_to_value(&entry.key)?.to_string(),
        };
        let plain = matches!(&entry.key.kind, NodeKind::Scalar(s) if s.style == ScalarStyle::Plain);
        if key == "<<" && plain {
            match value {
                Value::Map(map) => merge_into(&mut merged, map),
                Value::List(list) => {
                    for item in list {
                        if let Value::Map(map) = item {
                            merge_into(&mut merged, map);
                        }
                    }
                }
                _ => {
                    own.insert(key, value);
                }
            }
        } else {
            own.insert(key, value);
        }
    }
    if merged.is_empty() {
        return Some(own);
    }
    // An earlier merged map wins over a later one, the map's own keys over both.
    merged.retain(|key, _| !own.contains_key(key));
    merged.extend(own);
    Some(merged)
}

fn merge_into(merged: &mut Map, map: Map) {
    for (key, value) in map {
        merged.entry(key).or_insert(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        serde_json::to_string(&load_yaml(text).unwrap()).unwrap()
    }

    #[test]
    fn data_is_what_salt_reads() {
        assert_eq!(
            json("a: yes\nb: 0644\nc: '0644'\nd: 22:22\ne:\n- 1\n- x: 1.10\n"),
            r#"{"a":true,"b":644,"c":"0644","d":"22:22","e":[1,{"x":1.1}]}"#
        );
        assert_eq!(
            json("base: &b {x: 1, y: 2}\nd:\n  <<: *b\n  y: 3\n"),
            r#"{"base":{"x":1,"y":2},"d":{"x":1,"y":3}}"#
        );
        assert_eq!(json("t: |\n  a\n   b\nf: >-\n  x\n  y\n"), r#"{"t":"a\n b\n","f":"x y"}"#);
        assert_eq!(json("2: a\n"), r#"{"2":"a"}"#);
    }

    #[test]
    fn mistakes_have_places() {
        let text = "a: 1\nb: 2\na: 3\n";
        assert_eq!(&text[load_yaml(text).unwrap_err().range], "a");
        assert!(load_yaml("a: [1\nb: 2\n").is_err());
        assert!(load_yaml("a: *x\n").unwrap_err().message.contains("anchor"));
    }
}
