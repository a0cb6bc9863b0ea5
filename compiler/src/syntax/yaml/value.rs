//! Nodes to plain values, as Salt's loader reads them.

use super::{Layer, build, marker_for, problem};
use crate::{
    source::FileId,
    syntax::{
        template::Template,
        tree::{Node, NodeKind, Part, ScalarStyle},
    },
    types::{Map, Value, resolve_plain},
};

/// Why a text is not the YAML of one value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    /// What is wrong, as a full sentence without a final period.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The bytes it is about.
    pub range: std::ops::Range<usize>,
}

/// Reads plain YAML as Salt's loader does: duplicate keys are errors, merge keys and anchors work, plain scalars
/// are resolved as [`resolve_plain`] does. The empty text is `null`.
pub fn load_yaml(text: &str) -> Result<Value, YamlError> {
    let whole = text;
    let text = whole.strip_prefix('\u{feff}').unwrap_or(whole);
    let mark = whole.len() - text.len();
    let file = FileId(0);
    let layer = Layer {
        file,
        origin: text,
        text,
        base: 0,
        marks: &[],
        marker: marker_for(text),
        shifts: &[],
        fillers: &[],
        values: &[],
    };
    let mut anchors = build::Anchors::default();
    let parsed = build::parse_once(&layer, &mut anchors);
    let mut found = parsed
        .error
        .iter()
        .chain(&parsed.remarks)
        .map(|p| problem::report(p, text, &|o| o, file))
        .collect::<Vec<_>>();
    if let Some(root) = &parsed.root {
        crate::syntax::merge::duplicates(root, &Template::default(), &mut found);
    }
    if let Some(first) = found.into_iter().min_by_key(|d| d.span.start) {
        return Err(YamlError {
            message: first.message,
            help: first.help,
            range: mark + first.span.start as usize..mark + first.span.end as usize,
        });
    }
    let Some(root) = &parsed.root else { return Ok(Value::Null) };
    Ok(node_to_value(root).unwrap_or(Value::Null))
}

/// The value of a literal node where no type directs the reading; `None` when an expression, a splice or an error
/// is in it.
pub fn node_to_value(node: &Node) -> Option<Value> {
    match &node.kind {
        NodeKind::Empty => Some(match tag_name(node) {
            Some("str") => Value::from(""),
            _ => Value::Null,
        }),
        NodeKind::Scalar(scalar) => {
            if let [Part::Value { value, .. }] = scalar.parts.as_slice() {
                return Some(match (scalar.style, &**value) {
                    (ScalarStyle::Plain, value) => value.clone(),
                    (_, Value::Str(text)) => Value::Str(text.clone()),
                    (_, _) => Value::Str(scalar.literal()?.into_owned()),
                });
            }
            let text = scalar.literal()?;
            Some(match (scalar.style, tag_name(node)) {
                (_, Some("str")) => Value::Str(text.into_owned()),
                (_, Some("int" | "float" | "bool" | "null")) | (ScalarStyle::Plain, _) => {
                    resolve_plain(&text)
                }
                _ => Value::Str(text.into_owned()),
            })
        }
        NodeKind::Sequence(sequence) => {
            if !sequence.splices.is_empty() {
                return None;
            }
            sequence.items.iter().map(node_to_value).collect::<Option<Vec<_>>>().map(Value::List)
        }
        NodeKind::Mapping(mapping) => {
            if !mapping.splices.is_empty() {
                return None;
            }
            let mut map = Map::new();
            for entry in &mapping.entries {
                let key = match node_to_value(&entry.key)? {
                    // A key keeps the author's own text: `0644:` and `1.10:` are not numbers to be printed anew.
                    Value::Int(_) | Value::Float(_) => entry.key.text().map(std::borrow::Cow::into_owned),
                    key => Some(key.to_string()),
                }?;
                map.insert(key, node_to_value(&entry.value)?);
            }
            Some(Value::Map(map))
        }
        NodeKind::Splice(_) | NodeKind::Choice(_) | NodeKind::Error => None,
    }
}

/// The name of a tag of YAML's own (`!!str`).
fn tag_name(node: &Node) -> Option<&str> {
    let (tag, _) = node.tag.as_deref()?;
    tag.strip_prefix("!!").or_else(|| tag.strip_prefix("!<tag:yaml.org,2002:")?.strip_suffix('>'))
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
