//! The top level of a state file: include, extend, exclude, and the states.

use super::{Exclude, Include, MALFORMED_INCLUDE, MALFORMED_STATE, State, StateFile, body::Reader};
use crate::{
    diagnostic::Diagnostic,
    syntax::{Entry, Mapping, Node, NodeKind, Splice, template::Template},
};

impl<'t> StateFile<'t> {
    /// Reads the statements of a document. `template` tells which places exclude each other; rendered text has none.
    pub fn read(root: &'t Node, template: &Template) -> Self {
        let mut file = Self::default();
        file.top_level(root, template);
        file
    }

    /// Reads the includes alone.
    pub fn read_includes(root: &'t Node) -> Self {
        let mut file = Self::default();
        if let Some(mapping) = root.as_mapping() {
            for entry in &mapping.entries {
                if entry.key.text().as_deref() == Some("include") {
                    file.includes(&entry.value);
                }
            }
        }
        file
    }

    fn top_level(&mut self, root: &'t Node, template: &Template) {
        match &root.kind {
            NodeKind::Mapping(mapping) => self.statements(mapping, template),
            NodeKind::Choice(alternatives) => {
                for alternative in alternatives {
                    self.top_level(alternative, template);
                }
            }
            NodeKind::Splice(splice) => self.splices.push(splice),
            NodeKind::Empty | NodeKind::Error => {}
            NodeKind::Scalar(scalar) if scalar.literal().is_none_or(|t| t.trim().is_empty()) => {}
            NodeKind::Scalar(_) | NodeKind::Sequence(_) => {
                let message = format!("A state file is a map of ids, found {}", root.describe());
                self.diagnostics.push(
                    Diagnostic::new(&MALFORMED_STATE, root.span, message)
                        .help("write an id with a colon, and its functions below it: `nginx:` and `  pkg.installed: []`"),
                );
            }
        }
    }

    fn statements(&mut self, mapping: &'t Mapping, template: &Template) {
        self.splices.extend(&mapping.splices);
        for (at, entry) in mapping.entries.iter().enumerate() {
            let key = entry.key.text();
            match key.as_deref() {
                Some("include") => self.includes(&entry.value),
                Some("exclude") => self.excludes(&entry.value),
                Some("extend") => self.extends(&entry.value, template),
                // Reserved by Salt for its own bookkeeping.
                Some(key) if key.starts_with("__") => {}
                _ if let NodeKind::Splice(splice) = &entry.key.kind
                    && goes_on(&entry.value) =>
                {
                    let id = bodiless(mapping, at).unwrap_or(entry);
                    let reader = Reader::new(template, false, &mut self.diagnostics);
                    self.states.push(reader.continued(&id.key, splice, entry));
                }
                _ if matches!(entry.value.kind, NodeKind::Empty)
                    && let Some(splice) = following(mapping, at) =>
                {
                    self.states.push(State { id: &entry.key, functions: Vec::new(), splices: vec![splice] });
                }
                _ => {
                    let reader = Reader::new(template, false, &mut self.diagnostics);
                    self.states.push(reader.state(&entry.key, &entry.value));
                }
            }
        }
    }

    fn includes(&mut self, value: &'t Node) {
        match &value.kind {
            NodeKind::Empty | NodeKind::Error => {}
            NodeKind::Scalar(_) => self.include(value, None),
            NodeKind::Sequence(sequence) => {
                self.includes_open |= !sequence.splices.is_empty();
                for item in &sequence.items {
                    self.include_item(item);
                }
            }
            NodeKind::Choice(alternatives) => alternatives.iter().for_each(|a| self.includes(a)),
            NodeKind::Splice(_) => self.includes_open = true,
            NodeKind::Mapping(_) => {
                let message = format!("`include` takes a list of refs, found {}", value.describe());
                self.diagnostics.push(
                    Diagnostic::new(&MALFORMED_INCLUDE, value.span, message)
                        .help("write one ref per line, each with a dash before it: `- common`"),
                );
            }
        }
    }

    fn include_item(&mut self, item: &'t Node) {
        match &item.kind {
            NodeKind::Scalar(_) => self.include(item, None),
            NodeKind::Mapping(mapping) => {
                self.includes_open |= !mapping.splices.is_empty();
                for entry in &mapping.entries {
                    match &entry.value.kind {
                        NodeKind::Scalar(_) => self.include(&entry.value, Some(&entry.key)),
                        NodeKind::Splice(_) | NodeKind::Choice(_) | NodeKind::Error => {
                            self.includes_open = true;
                        }
                        _ => {
                            let message = format!(
                                "An environment of an include takes one ref, found {}",
                                entry.value.describe()
                            );
                            self.diagnostics.push(
                                Diagnostic::new(
                                    &MALFORMED_INCLUDE,
                                    entry.key.span.to(entry.value.span),
                                    message,
                                )
                                .help("write `- environment: ref`, one item for each ref"),
                            );
                        }
                    }
                }
            }
            NodeKind::Choice(alternatives) => alternatives.iter().for_each(|a| self.include_item(a)),
            NodeKind::Splice(_) | NodeKind::Error => self.includes_open = true,
            NodeKind::Empty | NodeKind::Sequence(_) => {
                let message = format!("An item of `include` is a ref, found {}", item.describe());
                self.diagnostics.push(
                    Diagnostic::new(&MALFORMED_INCLUDE, item.span, message)
                        .help("write one ref per line, each with one dash before it: `- common`"),
                );
            }
        }
    }

    fn include(&mut self, reference: &'t Node, env: Option<&'t Node>) {
        if let Some(text) = reference.text()
            && (text.trim().is_empty() || text.contains([' ', '\n', ',', '/']))
        {
            let message = if text.trim().is_empty() {
                "An item of `include` is a ref, found empty text".to_owned()
            } else {
                format!("`{}` is not a ref", text.replace('\n', " "))
            };
            let help = if text.contains('/') && !text.contains(' ') {
                let dotted =
                    text.trim_end_matches(".zy").trim_end_matches(".sls").trim_matches('/').replace('/', ".");
                format!("refs are written with dots: `{dotted}`")
            } else {
                "write one ref per line, each with a dash before it: `- common`".to_owned()
            };
            self.diagnostics.push(Diagnostic::new(&MALFORMED_INCLUDE, reference.span, message).help(help));
            return;
        }
        self.includes.push(Include { reference, env });
    }

    fn excludes(&mut self, value: &'t Node) {
        match &value.kind {
            NodeKind::Sequence(sequence) => sequence.items.iter().for_each(|i| self.exclude_item(i)),
            NodeKind::Choice(alternatives) => alternatives.iter().for_each(|a| self.excludes(a)),
            NodeKind::Empty | NodeKind::Error | NodeKind::Splice(_) => {}
            NodeKind::Scalar(_) | NodeKind::Mapping(_) => self.exclude_item(value),
        }
    }

    fn exclude_item(&mut self, item: &'t Node) {
        match &item.kind {
            // A bare word is a ref, as in Salt.
            NodeKind::Scalar(_) => self.excludes.push(Exclude { sls: true, name: item }),
            NodeKind::Mapping(mapping) => {
                for entry in &mapping.entries {
                    match (entry.key.text().as_deref(), &entry.value.kind) {
                        (Some(word @ ("id" | "sls")), NodeKind::Scalar(_)) => {
                            self.excludes.push(Exclude { sls: word == "sls", name: &entry.value });
                        }
                        (Some("id" | "sls"), NodeKind::Choice(_) | NodeKind::Splice(_)) | (None, _) => {}
                        _ => self.bad_exclude(&entry.key),
                    }
                }
            }
            NodeKind::Choice(alternatives) => alternatives.iter().for_each(|a| self.exclude_item(a)),
            NodeKind::Splice(_) | NodeKind::Error => {}
            NodeKind::Empty | NodeKind::Sequence(_) => self.bad_exclude(item),
        }
    }

    fn bad_exclude(&mut self, node: &Node) {
        let found = node.text().map_or_else(|| node.describe().to_owned(), |t| format!("`{t}`"));
        let message = format!("An item of `exclude` is `id: …` or `sls: …`, found {found}");
        self.diagnostics.push(
            Diagnostic::new(&MALFORMED_INCLUDE, node.span, message)
                .help("`- id: x` leaves out a state, `- sls: x` all states of a file"),
        );
    }

    fn extends(&mut self, value: &'t Node, template: &Template) {
        match &value.kind {
            NodeKind::Mapping(mapping) => {
                for entry in &mapping.entries {
                    let reader = Reader::new(template, true, &mut self.diagnostics);
                    let state = reader.state(&entry.key, &entry.value);
                    self.extends.push(state);
                }
                for splice in &mapping.splices {
                    self.extends.push(open_state(&mapping.entries, splice, value));
                }
            }
            NodeKind::Choice(alternatives) => alternatives.iter().for_each(|a| self.extends(a, template)),
            NodeKind::Empty | NodeKind::Error | NodeKind::Splice(_) => {}
            NodeKind::Scalar(_) | NodeKind::Sequence(_) => {
                let message = format!("`extend` takes a map of ids, found {}", value.describe());
                self.diagnostics.push(Diagnostic::new(&MALFORMED_STATE, value.span, message).help(
                    "below `extend:` write the id and function to change, as in the file that defines them",
                ));
            }
        }
    }
}

/// Expressions below one id that are looked at: one for each arm of a block.
const MAX_ARMS: usize = 16;

/// The expression between an entry and the next one. Its text may be the entry's body: real trees write
/// `{{ macro() }}` in the first column below an id, and the macro's lines are indented.
fn following(mapping: &Mapping, at: usize) -> Option<&Splice> {
    let start = mapping.entries.get(at)?.key.span.end;
    let next = mapping.entries.get(at + 1);
    if let Some(NodeKind::Splice(splice)) = next.map(|next| &next.key.kind) {
        return Some(splice);
    }
    let end = next.map_or(u32::MAX, |next| next.key.span.start);
    mapping.splices.iter().find(|s| s.span.start >= start && s.span.start < end)
}

/// The id whose body the expression at `at` writes; `None` where it writes a state with its id.
fn bodiless(mapping: &Mapping, at: usize) -> Option<&Entry> {
    let before = mapping.entries.get(..at)?.iter().rev();
    let id = before.take(MAX_ARMS).find(|entry| !matches!(entry.key.kind, NodeKind::Splice(_)))?;
    matches!(id.value.kind, NodeKind::Empty).then_some(id)
}

/// Whether items below an expression in the first column go on with what its text has begun.
fn goes_on(value: &Node) -> bool {
    match &value.kind {
        NodeKind::Sequence(_) => true,
        NodeKind::Choice(alternatives) => alternatives.iter().all(goes_on),
        _ => false,
    }
}

/// States of an extend that only a template knows; they stand for "something is extended here".
fn open_state<'t>(entries: &'t [Entry], splice: &'t Splice, value: &'t Node) -> State<'t> {
    State { id: entries.first().map_or(value, |e| &e.key), functions: Vec::new(), splices: vec![splice] }
}
