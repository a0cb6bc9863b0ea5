//! From the author's words to a value, directed by the type that a signature asks for.
//!
//! The text decides, not what a YAML library would have made of it: `version: 1.10` is the text `1.10`, and `0644`
//! is a mode. The same function serves the checker, on source trees whose expressions it does not know, and
//! lowering, on rendered documents that know every value.

mod collection;
mod cron;
mod network;
mod number;
mod plain;
mod regex;
mod rules;
mod text;
mod word;
mod zone;

pub use regex::python_regex;
pub(crate) use rules::RULES;
pub use rules::{AMBIGUOUS_MODE, MALFORMED_VALUE, OUT_OF_RANGE, UNKNOWN_VALUE, WRONG_TYPE};

use super::{Map, Type, Value};
use crate::{
    diagnostic::{Diagnostic, Rule, nearest},
    source::Span,
    syntax::{Node, NodeKind, Part, Scalar, ScalarStyle},
};
use word::Word;

/// Deepest value that is looked into. Deeper ones are refused, so that no input can exhaust the stack.
const MAX_DEPTH: usize = 100;

/// What a node means under a type.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Decoded {
    /// The value in canonical form; `None` when an expression in it keeps it from being known here.
    pub value: Option<Value>,
    /// Remarks that do not stand in the way.
    pub hints: Vec<Diagnostic>,
}

/// Why a node cannot have a type.
#[derive(Clone, PartialEq, Debug)]
pub struct DecodeError {
    /// The rule it breaks.
    pub rule: &'static Rule,
    /// A full sentence without a final period: what was expected and what was found.
    pub message: String,
    /// The exact place of what is wrong.
    pub span: Span,
    /// What to do.
    pub help: Option<String>,
    /// The type, as messages call it.
    pub expected: String,
    /// What should stand at `span` instead, when only one thing can have been meant.
    pub replacement: Option<String>,
}

impl DecodeError {
    fn new(rule: &'static Rule, ty: &Type, span: Span, message: impl Into<String>) -> Self {
        Self { rule, message: message.into(), span, help: None, expected: name_of(ty), replacement: None }
    }

    fn wrong(ty: &Type, found: &str, span: Span) -> Self {
        Self::new(&WRONG_TYPE, ty, span, format!("expected {}, found {found}", name_of(ty)))
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The finding, told as one about the parameter `name`.
    pub fn into_diagnostic(self, name: &str) -> Diagnostic {
        let mut diagnostic = Diagnostic::new(self.rule, self.span, format!("`{name}`: {}", self.message));
        diagnostic.help = self.help;
        if let Some(text) = self.replacement {
            let title = format!("replace by `{text}`");
            diagnostic = diagnostic.fix(title, crate::diagnostic::Applicability::Unsafe, self.span, text);
        }
        diagnostic
    }
}

/// Reads a node as a value of `ty`.
pub fn decode(ty: &Type, node: &Node) -> Result<Decoded, DecodeError> {
    let mut hints = Vec::new();
    let value = Decoder { hints: &mut hints }.node(ty, node, 0)?;
    Ok(Decoded { value, hints })
}

/// Reads a value that a template, a setting or a command line gave as a value of `ty`. Errors are placed at `span`.
pub fn decode_value(ty: &Type, value: &Value, span: Span) -> Result<Value, DecodeError> {
    let node = value_node(value.clone(), span);
    let decoded = decode(ty, &node)?;
    Ok(decoded.value.unwrap_or(Value::Null))
}

/// A value as a node, so that it is read by the same rules as what an author writes. All of it stands at `span`.
pub fn value_node(value: Value, span: Span) -> Node {
    value_node_at(value, span, 0)
}

fn value_node_at(value: Value, span: Span, depth: usize) -> Node {
    use crate::syntax::{Entry, Mapping, Sequence};
    let scalar = |value: Value| {
        let text = value.to_string();
        let parts = vec![Part::Value { value: Box::new(value), text: text.into(), span }];
        NodeKind::Scalar(Scalar { style: ScalarStyle::Plain, parts })
    };
    let kind = match value {
        _ if depth > MAX_DEPTH => NodeKind::Error,
        Value::Null => NodeKind::Empty,
        Value::List(items) => NodeKind::Sequence(Sequence {
            items: items.into_iter().map(|v| value_node_at(v, span, depth + 1)).collect(),
            ..Sequence::default()
        }),
        Value::Map(map) => NodeKind::Mapping(Mapping {
            entries: map
                .into_iter()
                .map(|(key, value)| Entry {
                    key: Node { span, kind: scalar(Value::Str(key)), tag: None },
                    value: value_node_at(value, span, depth + 1),
                })
                .collect(),
            ..Mapping::default()
        }),
        other => scalar(other),
    };
    Node { span, kind, tag: None }
}

/// What a type is called in a sentence.
pub(crate) fn name_of(ty: &Type) -> String {
    match ty {
        Type::Any => "a value".to_owned(),
        Type::Null => "nothing".to_owned(),
        Type::Bool => "true or false".to_owned(),
        Type::Int { min: i64::MIN, max: i64::MAX } => "an integer".to_owned(),
        Type::Int { min: 0, max } if *max >= i64::from(i32::MAX) => "an integer of 0 or more".to_owned(),
        Type::Int { min, max: i64::MAX } => format!("an integer of {min} or more"),
        Type::Int { min, max } => format!("an integer from {min} to {max}"),
        Type::Float => "a number".to_owned(),
        Type::Str | Type::Version => "text".to_owned(),
        Type::Path => "a path".to_owned(),
        Type::Mode => "a mode of octal digits".to_owned(),
        Type::User => "a user's name or number".to_owned(),
        Type::Group => "a group's name or number".to_owned(),
        Type::Duration => "a duration".to_owned(),
        Type::Size => "a size".to_owned(),
        Type::Url => "a URL".to_owned(),
        Type::Source => "a file source".to_owned(),
        Type::Hash => "a checksum".to_owned(),
        Type::Regex => "a regular expression".to_owned(),
        Type::CronField { min, max } => format!("a cron field of {min} to {max}"),
        Type::Ip => "an IP address".to_owned(),
        Type::Cidr => "a network such as `10.0.0.0/24`".to_owned(),
        Type::Hostname => "a host name".to_owned(),
        Type::Port => "a port from 1 to 65535".to_owned(),
        Type::Locale => "a locale".to_owned(),
        Type::Timezone => "a time zone".to_owned(),
        Type::Command => "a command".to_owned(),
        Type::Template => "`jinja`, true or false".to_owned(),
        Type::Enum(words) => {
            let quoted: Vec<String> = words.iter().map(|w| format!("`{w}`")).collect();
            alternatives(&quoted)
        }
        Type::List(inner) => match &**inner {
            Type::Any => "a list".to_owned(),
            inner => format!("a list of {inner}"),
        },
        Type::Map(_) => "a map".to_owned(),
        Type::Record(fields) => {
            let names: Vec<String> = fields.iter().map(|(name, ..)| format!("`{name}`")).collect();
            format!("a map with the keys {}", names.join(", "))
        }
        Type::Union(members) => {
            let names: Vec<String> = members.iter().map(name_of).collect();
            alternatives(&names)
        }
        Type::Secret(inner) => name_of(inner),
    }
}

fn alternatives(names: &[String]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// What a node is, for messages.
fn found(node: &Node) -> String {
    match &node.kind {
        NodeKind::Scalar(scalar) => match scalar.literal() {
            Some(text) if text.chars().count() <= 60 && !text.contains('\n') => format!("`{text}`"),
            _ => "text".to_owned(),
        },
        _ => node.describe().to_owned(),
    }
}

struct Decoder<'h> {
    hints: &'h mut Vec<Diagnostic>,
}

impl Decoder<'_> {
    /// `None`: not known here.
    fn node(&mut self, ty: &Type, node: &Node, depth: usize) -> Result<Option<Value>, DecodeError> {
        if depth > MAX_DEPTH {
            let message = format!("values may be nested {MAX_DEPTH} levels deep at most");
            return Err(DecodeError::new(&MALFORMED_VALUE, ty, node.span, message));
        }
        match ty {
            Type::Secret(inner) => return self.node(inner, node, depth + 1),
            Type::Union(members) => return self.union(ty, members, node, depth),
            _ => {}
        }
        match &node.kind {
            NodeKind::Error | NodeKind::Splice(_) => Ok(None),
            NodeKind::Choice(alternatives) => {
                for alternative in alternatives {
                    self.node(ty, alternative, depth + 1)?;
                }
                Ok(None)
            }
            NodeKind::Empty => Ok(Some(match ty {
                Type::List(_) => Value::List(Vec::new()),
                Type::Map(_) | Type::Record(_) => Value::Map(Map::new()),
                _ => Value::Null,
            })),
            NodeKind::Scalar(scalar) => self.scalar(ty, node, scalar, depth),
            NodeKind::Sequence(sequence) => self.sequence(ty, node, sequence, depth),
            NodeKind::Mapping(mapping) => self.mapping(ty, node, mapping, depth),
        }
    }

    fn scalar(
        &mut self,
        ty: &Type,
        node: &Node,
        scalar: &Scalar,
        depth: usize,
    ) -> Result<Option<Value>, DecodeError> {
        if let [Part::Value { value, span, .. }] = scalar.parts.as_slice()
            && matches!(**value, Value::List(_) | Value::Map(_))
            && scalar.style == ScalarStyle::Plain
        {
            return self.node(ty, &value_node((**value).clone(), *span), depth + 1);
        }
        let Some(word) = Word::of(node, scalar) else {
            return Self::unknown_scalar(ty, node, scalar);
        };
        if word.is_null() {
            // An explicit null is as good as nothing: the parameter is not given.
            let empty = Node { span: node.span, kind: NodeKind::Empty, tag: None };
            return self.node(ty, &empty, depth + 1);
        }
        match ty {
            Type::List(inner) => {
                let item = self.node(inner, node, depth + 1)?;
                Ok(item.map(|v| Value::List(vec![v])))
            }
            Type::Map(_) | Type::Record(_) | Type::Null => {
                // Where nothing is written but quotes, nothing is meant.
                if word.text.is_empty() && !matches!(ty, Type::Null) {
                    return Ok(Some(Value::Map(Map::new())));
                }
                Err(DecodeError::wrong(ty, &found(node), node.span))
            }
            _ => self.word(ty, &word).map(Some),
        }
    }

    /// A scalar with expressions in it: some things are known all the same.
    fn unknown_scalar(ty: &Type, node: &Node, scalar: &Scalar) -> Result<Option<Value>, DecodeError> {
        let text_first =
            matches!(scalar.parts.first(), Some(Part::Text { text, .. }) if !text.trim().is_empty());
        let no_blocks = !scalar.parts.iter().any(|p| matches!(p, Part::Block { .. }));
        if matches!(ty, Type::Map(_) | Type::Record(_)) && text_first && no_blocks {
            return Err(DecodeError::wrong(ty, "text", node.span));
        }
        Ok(None)
    }

    fn word(&mut self, ty: &Type, word: &Word<'_>) -> Result<Value, DecodeError> {
        match ty {
            Type::Any => Ok(plain::any(word, self.hints)),
            Type::Bool => number::boolean(ty, word),
            Type::Int { min, max } => number::integer(ty, word, *min, *max),
            Type::Port => number::integer(ty, word, 1, 65535),
            Type::Float => number::float(ty, word),
            Type::Duration => number::duration(ty, word),
            Type::Size => number::size(ty, word),
            Type::Mode => number::mode(ty, word, self.hints),
            Type::Str | Type::User | Type::Group | Type::Version | Type::Command => {
                Ok(Value::Str(word.text.to_string()))
            }
            Type::Path => text::path(ty, word),
            Type::Url => text::url(ty, word),
            Type::Source => text::source(ty, word),
            Type::Hash => text::hash(ty, word),
            Type::Template => text::template(ty, word, self.hints),
            Type::Regex => regex::regex(ty, word),
            Type::CronField { min, max } => cron::field(ty, word, *min, *max),
            Type::Ip => network::ip(ty, word),
            Type::Cidr => network::cidr(ty, word),
            Type::Hostname => network::hostname(ty, word),
            Type::Locale => zone::locale(ty, word),
            Type::Timezone => zone::timezone(ty, word),
            Type::Enum(words) => Self::one_of(ty, words, word),
            Type::Null
            | Type::List(_)
            | Type::Map(_)
            | Type::Record(_)
            | Type::Union(_)
            | Type::Secret(_) => Err(DecodeError::wrong(ty, &word.found(), word.span)),
        }
    }

    fn one_of(ty: &Type, words: &[String], word: &Word<'_>) -> Result<Value, DecodeError> {
        if words.iter().any(|w| *w == word.text) {
            return Ok(Value::Str(word.text.to_string()));
        }
        let mut error = DecodeError::new(
            &UNKNOWN_VALUE,
            ty,
            word.span,
            format!("expected {}, found {}", name_of(ty), word.found()),
        );
        if let Some(near) = nearest(&word.text, words.iter().map(String::as_str)) {
            error.help = Some(format!("did you mean `{near}`?"));
            error.replacement = word.written().then(|| near.to_owned());
        }
        Err(error)
    }

    fn union(
        &mut self,
        ty: &Type,
        members: &[Type],
        node: &Node,
        depth: usize,
    ) -> Result<Option<Value>, DecodeError> {
        if let NodeKind::Choice(alternatives) = &node.kind {
            for alternative in alternatives {
                self.node(ty, alternative, depth + 1)?;
            }
            return Ok(None);
        }
        if matches!(node.kind, NodeKind::Empty) {
            let list = members.iter().find(|m| matches!(m, Type::List(_) | Type::Map(_) | Type::Record(_)));
            return match list {
                Some(list) if members.len() == 1 => self.node(list, node, depth + 1),
                _ => Ok(Some(Value::Null)),
            };
        }
        let quoted = word::is_quoted(node);
        let text = members.contains(&Type::Str);
        let mut order: Vec<&Type> = members.iter().collect();
        // Free text takes anything, so what is more particular is tried first; quotes say that text is meant.
        order.sort_by_key(|m| match m {
            Type::Str if quoted => 0,
            Type::Any => 5,
            // A list takes one value, too; where text may stand for itself, that is what is meant.
            Type::List(_) if text => 4,
            Type::Str | Type::Version | Type::Command | Type::User | Type::Group => 3,
            Type::List(_) => 2,
            _ => 1,
        });
        let mut errors = Vec::new();
        let mut unknown = false;
        for member in order {
            let hints = self.hints.len();
            match self.node(member, node, depth + 1) {
                Ok(Some(value)) => return Ok(Some(value)),
                Ok(None) => unknown = true,
                Err(error) => {
                    self.hints.truncate(hints);
                    errors.push(error);
                }
            }
        }
        if unknown {
            return Ok(None);
        }
        // An error that points into the node, or says more than "wrong type", comes from the member that was meant.
        let inner = errors.iter().position(|e| e.span != node.span).or_else(|| {
            let special: Vec<usize> = (0..errors.len()).filter(|i| errors[*i].rule != &WRONG_TYPE).collect();
            let ranges: Vec<usize> = (0..errors.len()).filter(|i| errors[*i].rule == &OUT_OF_RANGE).collect();
            match (special.as_slice(), ranges.as_slice()) {
                // A number outside of the range is no misspelt word.
                ([one], _) | (_, [one]) => Some(*one),
                _ => None,
            }
        });
        let Some(index) = inner else {
            return Err(DecodeError::wrong(ty, &found(node), node.span));
        };
        let mut error = errors.swap_remove(index);
        if error.span == node.span {
            error.message = format!("expected {}, found {}", name_of(ty), found(node));
        }
        Err(error)
    }
}

#[cfg(test)]
mod tests;
