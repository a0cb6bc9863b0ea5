//! What stands around a word that is asked for: it tells which words make sense there.

use super::{
    expected::{has_text, keys_of},
    nodes,
};
use crate::syntax::{Node, NodeKind, Part, Scalar, ScalarStyle};

/// The body of a function whose name is asked for.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Body {
    /// Parameters that are there.
    pub arguments: Vec<String>,
    /// The value of `name`, where it is literal.
    pub name: Option<String>,
    /// Whether a body is there at all, an empty one included: nothing more is going to be written then.
    pub written: bool,
}

impl Body {
    /// The value of the key that holds the marker.
    pub(super) fn below(container: &Node, marker: &str) -> Self {
        value_behind(container, marker).map_or_else(Self::default, |value| Self::of(value, marker))
    }

    /// A body as a whole.
    pub(super) fn of(node: &Node, marker: &str) -> Self {
        let mut maps = nodes::items(node).into_iter().flat_map(nodes::entries).collect::<Vec<_>>();
        maps.extend(nodes::entries(node));
        let name = maps.iter().find(|(key, _)| key.text().as_deref() == Some("name"));
        Self {
            arguments: keys_of(node, marker),
            name: name.and_then(|(_, value)| value.text()).map(|text| text.into_owned()),
            written: !matches!(node.kind, NodeKind::Empty | NodeKind::Error),
        }
    }
}

/// What kind of value stands behind a key that is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Shape {
    /// None, or one that is computed.
    Unknown,
    /// A truth value.
    Bool,
    /// A number.
    Number,
    /// A text.
    Text(String),
    /// A list of texts and numbers.
    List,
    /// A list of maps: their only keys, each with its value where that is literal. Maps of several keys are not among
    /// them.
    Maps(Vec<(String, Option<String>)>),
    /// A map.
    Map,
}

impl Shape {
    /// The value of the key that holds the marker.
    pub(super) fn behind(container: &Node, marker: &str) -> Self {
        value_behind(container, marker).map_or(Self::Unknown, Self::of)
    }

    /// A scalar with expressions in it: text, unless it is one expression and nothing else.
    fn computed(scalar: &Scalar) -> Self {
        let of_lines = matches!(scalar.style, ScalarStyle::Literal | ScalarStyle::Folded);
        if scalar.parts.len() < 2 && !of_lines {
            return Self::Unknown;
        }
        let parts = scalar.parts.iter().map(|part| match part {
            Part::Text { text, .. } => text.as_ref(),
            _ => "…",
        });
        Self::Text(parts.collect())
    }

    fn of(node: &Node) -> Self {
        match &node.kind {
            NodeKind::Mapping(_) => Self::Map,
            NodeKind::Sequence(_) => {
                let items = nodes::items(node);
                let maps = items.iter().filter(|i| matches!(i.kind, NodeKind::Mapping(_))).count();
                match () {
                    () if items.is_empty() => Self::Unknown,
                    () if maps * 2 > items.len() => Self::Maps(only_keys(&items)),
                    () => Self::List,
                }
            }
            NodeKind::Scalar(scalar) => match scalar.literal() {
                None => Self::computed(scalar),
                Some(text) if scalar.style != ScalarStyle::Plain => Self::Text(text.into_owned()),
                Some(text) if text.is_empty() => Self::Unknown,
                Some(text) if matches!(text.to_ascii_lowercase().as_str(), "true" | "false") => Self::Bool,
                Some(text) if text.parse::<f64>().is_ok() => Self::Number,
                Some(text) => Self::Text(text.into_owned()),
            },
            NodeKind::Choice(nodes) => {
                nodes.iter().map(Self::of).find(|s| *s != Self::Unknown).unwrap_or(Self::Unknown)
            }
            _ => Self::Unknown,
        }
    }
}

/// The keys of the maps that have one.
fn only_keys(items: &[&Node]) -> Vec<(String, Option<String>)> {
    let keys = items.iter().filter_map(|item| match nodes::entries(item).as_slice() {
        [(key, value)] => Some((key.text()?.into_owned(), value.text().map(|text| text.into_owned()))),
        _ => None,
    });
    keys.collect()
}

fn value_behind<'t>(container: &'t Node, marker: &str) -> Option<&'t Node> {
    nodes::entries(container).into_iter().find(|(key, _)| has_text(key, marker)).map(|(_, value)| value)
}
