//! Requisites: which keys are one, and what their values refer to.

use super::{Argument, KindWord, MALFORMED_REQUISITE, Reference, Target};
use crate::{
    diagnostic::Diagnostic,
    ir::Requisite,
    source::Span,
    syntax::{Mapping, Node, NodeKind, Part, Scalar, ScalarStyle},
    types::{FunctionName, Value, resolve_plain},
};

/// The requisite that a key stands for, and whether it is written on the other side (`_in`).
pub fn requisite_of_key(key: &str) -> Option<(Requisite, bool)> {
    let kind = |word: &str| {
        Some(match word {
            "require" => Requisite::Require,
            "require_any" => Requisite::RequireAny,
            "watch" => Requisite::Watch,
            "watch_any" => Requisite::WatchAny,
            "onchanges" => Requisite::Onchanges,
            "onchanges_any" => Requisite::OnchangesAny,
            "onfail" => Requisite::Onfail,
            "onfail_any" => Requisite::OnfailAny,
            "onfail_all" => Requisite::OnfailAll,
            "prereq" => Requisite::Prereq,
            "listen" => Requisite::Listen,
            _ => return None,
        })
    };
    match key.strip_suffix("_in") {
        Some(word) if !word.ends_with("_any") && !word.ends_with("_all") => kind(word).map(|k| (k, true)),
        _ => kind(key).map(|k| (k, false)),
    }
}

/// The word of a requisite, as authors write it.
pub fn requisite_name(requisite: Requisite) -> &'static str {
    match requisite {
        Requisite::Require => "require",
        Requisite::RequireAny => "require_any",
        Requisite::Watch => "watch",
        Requisite::WatchAny => "watch_any",
        Requisite::Onchanges => "onchanges",
        Requisite::OnchangesAny => "onchanges_any",
        Requisite::Onfail => "onfail",
        Requisite::OnfailAny => "onfail_any",
        Requisite::OnfailAll => "onfail_all",
        Requisite::Prereq => "prereq",
        Requisite::Listen => "listen",
        Requisite::Order => "order",
    }
}

/// The references of a requisite (or of `use`, which is read as `require`), and what is wrong with its shape.
pub fn read_requisites(argument: &Argument<'_>) -> (Vec<Reference>, Vec<Diagnostic>) {
    let key = argument.key.text();
    let name = key.as_deref().unwrap_or("require");
    let (requisite, inverted) = requisite_of_key(name).unwrap_or((Requisite::Require, name.ends_with("_in")));
    let mut reader = Reader { name, requisite, inverted, references: Vec::new(), diagnostics: Vec::new() };
    reader.value(argument.value);
    (reader.references, reader.diagnostics)
}

struct Reader<'r> {
    name: &'r str,
    requisite: Requisite,
    inverted: bool,
    references: Vec<Reference>,
    diagnostics: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn push(&mut self, target: Target, node: &Node) {
        self.push_named(target, node, node.span, None);
    }

    fn push_named(&mut self, target: Target, node: &Node, name_span: Span, word: Option<KindWord>) {
        self.references.push(Reference {
            requisite: self.requisite,
            inverted: self.inverted,
            target,
            span: node.span,
            name_span,
            word,
        });
    }

    fn malformed(&mut self, node: &Node, found: &str) {
        let message = format!("An item of `{}` names a state, found {found}", self.name);
        self.diagnostics.push(
            Diagnostic::new(&MALFORMED_REQUISITE, node.span, message)
                .help("write `- module: id`, such as `- pkg: nginx`, or `- id: nginx`"),
        );
    }

    fn value(&mut self, value: &Node) {
        match &value.kind {
            _ if value.is_nothing() => {}
            NodeKind::Error => {}
            NodeKind::Sequence(sequence) => {
                if let Some(splice) = sequence.splices.first() {
                    let span = splice.span;
                    self.references.push(Reference {
                        requisite: self.requisite,
                        inverted: self.inverted,
                        target: Target::Unknown,
                        span,
                        name_span: span,
                        word: None,
                    });
                }
                for item in &sequence.items {
                    self.item(item);
                }
            }
            NodeKind::Choice(alternatives) => alternatives.iter().for_each(|a| self.value(a)),
            _ => self.item(value),
        }
    }

    fn item(&mut self, item: &Node) {
        match &item.kind {
            NodeKind::Mapping(mapping) => self.map(item, mapping),
            NodeKind::Scalar(scalar) => {
                let word = first_word(scalar, item.span);
                let Some(text) = scalar.literal() else {
                    self.push_named(Target::Unknown, item, item.span, word);
                    return;
                };
                let quoted = scalar.style != ScalarStyle::Plain;
                if !quoted && !matches!(resolve_plain(&text), Value::Str(_)) {
                    self.malformed(item, &format!("`{text}`"));
                } else if text.is_empty() {
                    self.malformed(item, "empty text");
                } else {
                    self.push_named(string_target(&text), item, item.span, word);
                }
            }
            NodeKind::Splice(_) | NodeKind::Error => self.push(Target::Unknown, item),
            NodeKind::Choice(alternatives) => alternatives.iter().for_each(|a| self.item(a)),
            NodeKind::Empty => self.malformed(item, "nothing"),
            NodeKind::Sequence(_) => self.malformed(item, "a list"),
        }
    }

    fn map(&mut self, item: &Node, mapping: &Mapping) {
        if !mapping.splices.is_empty() {
            self.push(Target::Unknown, item);
        }
        // Several keys of one item are several references.
        let single = mapping.entries.len() == 1;
        for entry in &mapping.entries {
            let place = Node {
                span: if single { item.span } else { entry.key.span.to(entry.value.span) },
                kind: NodeKind::Empty,
                tag: None,
            };
            match &entry.value.kind {
                NodeKind::Scalar(scalar) if !entry.value.is_nothing() => {
                    let key = entry.key.text();
                    let word = key.as_ref().map(|key| KindWord {
                        text: key.clone().into_owned(),
                        span: entry.key.span,
                        colon: true,
                    });
                    match (key, scalar.literal()) {
                        (Some(key), Some(name)) => {
                            self.push_named(map_target(&key, &name), &place, entry.value.span, word);
                        }
                        _ => self.push_named(Target::Unknown, &place, place.span, word),
                    }
                }
                NodeKind::Choice(_) | NodeKind::Splice(_) | NodeKind::Error => {
                    self.push(Target::Unknown, &place);
                }
                NodeKind::Empty | NodeKind::Scalar(_) => {
                    let key = entry.key.text().unwrap_or_default();
                    let message = format!("`{key}` names no state in this item of `{}`", self.name);
                    self.diagnostics.push(
                        Diagnostic::new(&MALFORMED_REQUISITE, entry.key.span, message)
                            .help(format!("write the id behind it: `- {key}: id`")),
                    );
                }
                NodeKind::Mapping(_) | NodeKind::Sequence(_) => {
                    let message = format!(
                        "An item of `{}` names one state, found {}",
                        self.name,
                        entry.value.describe()
                    );
                    self.diagnostics.push(
                        Diagnostic::new(&MALFORMED_REQUISITE, entry.key.span.to(entry.value.span), message)
                            .help("write one item for each state"),
                    );
                }
            }
        }
    }
}

/// The word that text of several words begins with.
fn first_word(scalar: &Scalar, span: Span) -> Option<KindWord> {
    let (ScalarStyle::Plain, Some(Part::Text { text, .. })) = (scalar.style, scalar.parts.first()) else {
        return None;
    };
    let (word, rest) = text.split_once(' ')?;
    let more = !rest.trim().is_empty() || scalar.parts.len() > 1;
    more.then(|| KindWord {
        text: word.to_owned(),
        span: Span { end: span.start + word.len() as u32, ..span },
        colon: false,
    })
}

fn map_target(key: &str, name: &str) -> Target {
    let name = name.to_owned();
    match key {
        "sls" => Target::Sls(name),
        "id" => Target::Id(name),
        _ => match FunctionName::parse(key) {
            Some(function) => Target::Function { function, name },
            None => Target::Module { module: key.to_owned(), name },
        },
    }
}

/// `pkg.installed:nginx`, split at the first colon after the function; anything else is an id.
fn string_target(text: &str) -> Target {
    if let Some((function, name)) = text.split_once(':')
        && !name.is_empty()
        && let Some(parsed) = FunctionName::parse(function)
        && function.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.')
        && !name.starts_with("//")
    {
        return Target::Function { function: parsed, name: name.trim_start().to_owned() };
    }
    Target::Id(text.to_owned())
}
