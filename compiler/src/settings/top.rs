//! The settings' top file: environment → target → refs.

use super::SETTINGS_TOP_SHAPE;
use crate::{
    diagnostic::{Diagnostic, nearest},
    source::Span,
    syntax::{Node, NodeKind},
    target::{Form, Target},
};

/// One target with its refs.
#[derive(Debug)]
pub(super) struct Entry {
    pub target: Target,
    pub refs: Vec<(String, Span)>,
    pub ignore_missing: bool,
}

/// An environment's part of a top file.
#[derive(Debug)]
pub(super) struct Section {
    pub env: String,
    pub span: Span,
    pub entries: Vec<Entry>,
}

/// Reads a rendered top file. `place` gives the source of a place in it.
pub(super) fn read(
    root: &Node,
    place: &dyn Fn(Span) -> Span,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Section> {
    let mut reader = Reader { place, problems };
    let mut sections = Vec::new();
    for (env, span, value) in reader.entries(root, "the top file") {
        let mut entries = Vec::new();
        for (text, span, value) in reader.entries(value, &format!("environment `{env}`")) {
            entries.extend(reader.entry(&text, span, value));
        }
        sections.push(Section { env, span, entries });
    }
    sections
}

struct Reader<'r> {
    place: &'r dyn Fn(Span) -> Span,
    problems: &'r mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn wrong(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        let span = (self.place)(span);
        self.problems.push(Diagnostic::new(&SETTINGS_TOP_SHAPE, span, message).help(help));
    }

    fn entries<'n>(&mut self, node: &'n Node, what: &str) -> Vec<(String, Span, &'n Node)> {
        let Some(mapping) = node.as_mapping() else {
            // An environment without targets selects nothing, as in Salt.
            if !matches!(node.kind, NodeKind::Empty | NodeKind::Error) {
                self.wrong(
                    node.span,
                    format!("{what} is {}, where a map is expected", node.describe()),
                    "write environment, target and refs: `base: {'*': [common]}`",
                );
            }
            return Vec::new();
        };
        mapping
            .entries
            .iter()
            .filter_map(|entry| entry.key.text().map(|key| (key.into_owned(), entry.key.span, &entry.value)))
            .collect()
    }

    fn entry(&mut self, text: &str, span: Span, value: &Node) -> Option<Entry> {
        let (mut refs, mut form, mut ignore_missing) = (Vec::new(), Form::Compound, false);
        let items: Vec<&Node> = match &value.kind {
            NodeKind::Sequence(sequence) => sequence.items.iter().collect(),
            NodeKind::Empty | NodeKind::Error => Vec::new(),
            _ => vec![value],
        };
        for item in items {
            if let Some(reference) = item.text() {
                refs.push((reference.into_owned(), (self.place)(item.span)));
                continue;
            }
            let Some(mapping) = item.as_mapping() else {
                if !matches!(item.kind, NodeKind::Error) {
                    let message = format!("{} stands where a ref is expected", item.describe());
                    self.wrong(item.span, message, "write the name of a settings file");
                }
                continue;
            };
            for option in &mapping.entries {
                let key = option.key.text().unwrap_or_default();
                let word = option.value.text().unwrap_or_default();
                match &*key {
                    "match" => match Form::of_word(&word) {
                        Some(known) => form = known,
                        None => {
                            let help = match nearest(&word, Form::WORDS.iter().copied()) {
                                Some(near) => format!("did you mean `{near}`?"),
                                None => format!("the kinds are {}", Form::WORDS.join(", ")),
                            };
                            self.wrong(
                                option.value.span,
                                format!("there is no kind of match `{word}`"),
                                help,
                            );
                        }
                    },
                    "ignore_missing" => {
                        ignore_missing = matches!(&*word.to_lowercase(), "true" | "yes" | "on");
                    }
                    _ => self.wrong(
                        option.key.span,
                        format!("`{key}` is no option of a target"),
                        "the options are `match` and `ignore_missing`; everything else is a ref",
                    ),
                }
            }
        }
        let (target, problems) = Target::parse_as(form, text, (self.place)(span));
        let valid = problems.is_empty();
        self.problems.extend(problems);
        valid.then_some(Entry { target, refs, ignore_missing })
    }
}
