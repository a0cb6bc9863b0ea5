//! Names of which only a part is known: `nginx_{{ port }}` matches `nginx_80` and not `apache`.

use super::fold::Constants;
use crate::{
    source::Span,
    syntax::{Node, NodeKind, Part, Scalar},
    types::Value,
};
use compact_str::CompactString;

/// A name with unknown pieces.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Pattern(Pieces);

/// A summary has one of these for each name and value in its file.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Pieces {
    /// All of it is known.
    Text(CompactString),
    /// Literal pieces; between two of them, and where `None` stands, anything may be.
    #[expect(clippy::box_collection, reason = "a thin pointer leaves the whole enum as long as a text")]
    Mixed(Box<Vec<Option<String>>>),
}

impl Pattern {
    /// Anything.
    pub fn any() -> Self {
        Self::of_pieces(vec![None])
    }

    /// Literal pieces, with `None` where anything may be.
    pub(super) fn of_pieces(mut pieces: Vec<Option<String>>) -> Self {
        if pieces.is_empty() {
            return Self(Pieces::Text("".into()));
        }
        if let [Some(text)] = pieces.as_mut_slice() {
            return Self(Pieces::Text(std::mem::take(text).into()));
        }
        pieces.shrink_to_fit();
        Self(Pieces::Mixed(Box::new(pieces)))
    }

    /// The text, when all of it is known.
    pub fn text(&self) -> Option<&str> {
        match &self.0 {
            Pieces::Text(text) => Some(text),
            Pieces::Mixed(_) => None,
        }
    }

    /// Whether nothing of it is known.
    pub fn is_any(&self) -> bool {
        match &self.0 {
            Pieces::Text(text) => text.trim().is_empty(),
            Pieces::Mixed(pieces) => !pieces.iter().flatten().any(|text| !text.trim().is_empty()),
        }
    }

    /// Whether `name` can be what it stands for.
    pub fn matches(&self, name: &str) -> bool {
        let pieces = match &self.0 {
            Pieces::Text(text) => return **text == *name,
            Pieces::Mixed(pieces) => pieces,
        };
        let mut rest = name;
        let mut anchored = true;
        let last = pieces.len().saturating_sub(1);
        for (index, piece) in pieces.iter().enumerate() {
            match piece {
                None => anchored = false,
                Some(text) if anchored => match rest.strip_prefix(text.as_str()) {
                    Some(after) => rest = after,
                    None => return false,
                },
                // The last piece must end the name; any other may as well take its first place.
                Some(text) if index == last => return rest.ends_with(text.as_str()),
                Some(text) => match rest.find(text.as_str()) {
                    Some(at) => {
                        rest = &rest[at + text.len()..];
                        anchored = true;
                    }
                    None => return false,
                },
            }
        }
        !anchored || rest.is_empty()
    }

    /// What a scalar can be.
    pub fn of_scalar(scalar: &Scalar, constants: &Constants) -> Self {
        let mut pieces: Vec<Option<String>> = Vec::new();
        for part in &scalar.parts {
            let piece = match part {
                Part::Text { text, .. } | Part::Value { text, .. } => Some(text.to_string()),
                Part::Expr { expr, .. } => match constants.fold(expr) {
                    Some(value @ (Value::Str(_) | Value::Int(_))) => Some(value.to_string()),
                    _ => None,
                },
                Part::Block { .. } => None,
            };
            match (pieces.last_mut(), piece) {
                (Some(Some(before)), Some(text)) => before.push_str(&text),
                (Some(None), None) => {}
                (_, piece) => pieces.push(piece),
            }
        }
        // Text at the edges of a computed scalar may be cut by whitespace control; only its words count.
        Self::of_pieces(pieces)
    }

    /// What a node can be as a name, with the place of each possibility; nothing for lists and maps.
    pub fn of_node(node: &Node, constants: &Constants) -> Vec<(Self, Span)> {
        match &node.kind {
            NodeKind::Scalar(scalar) => vec![(Self::of_scalar(scalar, constants), node.span)],
            NodeKind::Choice(nodes) => nodes.iter().flat_map(|n| Self::of_node(n, constants)).collect(),
            NodeKind::Splice(_) | NodeKind::Error => vec![(Self::any(), node.span)],
            NodeKind::Empty | NodeKind::Sequence(_) | NodeKind::Mapping(_) => Vec::new(),
        }
    }

    /// What the items of a list (or a single scalar) can be; the keys of maps in it count as items.
    pub fn of_list(node: &Node, constants: &Constants) -> Vec<(Self, Span)> {
        match &node.kind {
            NodeKind::Sequence(sequence) => {
                let mut found: Vec<_> =
                    sequence.items.iter().flat_map(|item| Self::of_item(item, constants)).collect();
                found.extend(sequence.splices.iter().map(|s| (Self::any(), s.span)));
                found
            }
            NodeKind::Choice(nodes) => nodes.iter().flat_map(|n| Self::of_list(n, constants)).collect(),
            _ => Self::of_item(node, constants),
        }
    }

    fn of_item(node: &Node, constants: &Constants) -> Vec<(Self, Span)> {
        match &node.kind {
            NodeKind::Mapping(mapping) => {
                let mut found: Vec<_> =
                    mapping.entries.iter().flat_map(|e| Self::of_node(&e.key, constants)).collect();
                found.extend(mapping.splices.iter().map(|s| (Self::any(), s.span)));
                found
            }
            _ => Self::of_node(node, constants),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(pieces: &[Option<&str>]) -> Pattern {
        Pattern::of_pieces(pieces.iter().map(|p| p.map(str::to_owned)).collect())
    }

    #[test]
    fn known_pieces_must_occur_in_order() {
        let p = pattern(&[Some("a-"), None, Some("-c-"), None]);
        assert!(p.matches("a-b-c-d") && p.matches("a--c-"));
        assert!(!p.matches("a-b") && !p.matches("b-c-d"));
        let p = pattern(&[None, Some(".conf")]);
        assert!(p.matches("x.conf") && p.matches("x.conf.conf") && !p.matches("x.config"));
        assert!(pattern(&[Some("x")]).matches("x") && !pattern(&[Some("x")]).matches("xy"));
        assert!(pattern(&[None]).matches("") && pattern(&[None]).is_any());
    }
}
