//! The body of an id: functions and their arguments, in all the forms they are written in.

use super::{
    Argument, DUPLICATE_PARAMETER, Function, MALFORMED_STATE, MISINDENTED_ARGUMENT, MISSING_FUNCTION, State,
    requisite_of_key,
};
use crate::{
    diagnostic::{Applicability, Diagnostic, Edit, Fix, nearest},
    source::Span,
    syntax::{
        Entry, Mapping, Node, NodeKind, Part, Scalar, ScalarStyle, Sequence, Splice, template::Template,
    },
    template::emits_yaml,
    types::FunctionName,
};
use std::collections::HashMap;

/// Parameters whose value is a map, and which real trees write with the map's keys in their own column.
const MISINDENTED: [&str; 4] = ["context", "defaults", "kwarg", "kwargs"];

pub(super) struct Reader<'r> {
    template: &'r Template,
    /// Reads an entry of `extend`, where the function may be absent.
    extend: bool,
    diagnostics: &'r mut Vec<Diagnostic>,
}

impl<'r> Reader<'r> {
    pub(super) fn new(template: &'r Template, extend: bool, diagnostics: &'r mut Vec<Diagnostic>) -> Self {
        Self { template, extend, diagnostics }
    }

    pub(super) fn state<'t>(mut self, id: &'t Node, value: &'t Node) -> State<'t> {
        let mut state = State { id, functions: Vec::new(), splices: Vec::new() };
        self.body(&mut state, value);
        state
    }

    /// A state whose function an expression writes, and whose items go on in the author's lines.
    pub(super) fn continued<'t>(mut self, id: &'t Node, splice: &'t Splice, rest: &'t Entry) -> State<'t> {
        let mut state = State { id, functions: Vec::new(), splices: vec![splice] };
        let mut function = computed(rest.key.span);
        self.arguments(&mut function, &rest.key, &rest.value);
        function.open = true;
        self.finish(&mut state, function);
        state
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    fn body<'t>(&mut self, state: &mut State<'t>, value: &'t Node) {
        match &value.kind {
            NodeKind::Mapping(mapping) => {
                state.splices.extend(&mapping.splices);
                if mapping.entries.is_empty() && mapping.splices.is_empty() {
                    self.no_function(state.id);
                }
                for entry in &mapping.entries {
                    self.function(state, &entry.key, &entry.value);
                }
            }
            NodeKind::Choice(alternatives) => alternatives.iter().for_each(|a| self.body(state, a)),
            NodeKind::Splice(splice) => state.splices.push(splice),
            NodeKind::Error => {}
            NodeKind::Empty => self.no_function(state.id),
            NodeKind::Scalar(scalar) => match scalar.literal() {
                Some(text) if text.is_empty() => self.no_function(state.id),
                Some(text) => self.short(state, value, &text),
                None => state.functions.push(computed(value.span)),
            },
            NodeKind::Sequence(_) if self.is_meant_as_include(state.id) => {}
            NodeKind::Sequence(sequence) => {
                let id = label(state.id);
                let diagnostic = Diagnostic::new(
                    &MALFORMED_STATE,
                    value.span,
                    format!("The body of {id} is a map of functions, found a list"),
                );
                let first = sequence.items.first().and_then(|i| i.text());
                let help = match first.as_deref().filter(|t| FunctionName::parse(t).is_some()) {
                    Some(name) => format!("write `{name}:` without a dash, and its parameters below it"),
                    None => "a function such as `pkg.installed:` stands between the id and its parameters"
                        .to_owned(),
                };
                self.report(diagnostic.help(help));
            }
        }
    }

    /// Whether the name of a list is nearly one that has a list below it.
    fn is_meant_as_include(&mut self, id: &Node) -> bool {
        let Some(text) = id.text() else { return false };
        let Some(near) = nearest(&text, ["include", "exclude"]) else { return false };
        let message = format!("`{text}` is read as the id of a state, which has no list below it");
        self.report(Diagnostic::new(&MALFORMED_STATE, id.span, message).did_you_mean(near));
        true
    }

    fn no_function(&mut self, id: &Node) {
        if !self.extend {
            self.report(
                Diagnostic::new(
                    &MISSING_FUNCTION,
                    id.span,
                    format!("{} has no function", capital(&label(id))),
                )
                .help("write a function below it, such as `pkg.installed: []`"),
            );
        }
    }

    /// `nginx: pkg.installed`
    fn short<'t>(&mut self, state: &mut State<'t>, value: &'t Node, text: &str) {
        if let Some(name) = FunctionName::parse(text).filter(|_| !text.contains(char::is_whitespace)) {
            state.functions.push(Function { name: Some(name), open: false, ..computed(value.span) });
            return;
        }
        let diagnostic = Diagnostic::new(
            &MALFORMED_STATE,
            value.span,
            format!("The body of {} is a function or a map of functions, found text", label(state.id)),
        );
        let first = text.split_whitespace().next().unwrap_or_default();
        let help = if FunctionName::parse(first).is_some() {
            format!("is a colon missing after `{first}`?")
        } else {
            "write a function, such as `pkg.installed`".to_owned()
        };
        self.report(diagnostic.help(help));
    }

    fn function<'t>(&mut self, state: &mut State<'t>, key: &'t Node, value: &'t Node) {
        let Some(text) = key.text() else {
            // Which function it is is not known; its arguments may all be.
            let mut function = Function { open: false, ..computed(key.span) };
            self.arguments(&mut function, key, value);
            self.finish(state, function);
            return;
        };
        if let Some(name) = FunctionName::parse(&text) {
            let mut function = Function { name: Some(name), open: false, ..computed(key.span) };
            self.arguments(&mut function, key, value);
            self.finish(state, function);
        } else if text.contains('.') {
            let message = format!("`{text}` is not the name of a function");
            self.report(
                Diagnostic::new(&MALFORMED_STATE, key.span, message)
                    .help("functions are named `module.function`, such as `pkg.installed`"),
            );
        } else if text.starts_with("__") {
            // `__sls__`, `__env__`: Salt's own bookkeeping.
        } else {
            self.split(state, key, &text, value);
        }
    }

    /// `pkg: [installed, {version: x}]`
    fn split<'t>(&mut self, state: &mut State<'t>, key: &'t Node, module: &str, value: &'t Node) {
        let mut function = Function { module: Some(module.to_owned()), open: false, ..computed(key.span) };
        match &value.kind {
            NodeKind::Sequence(sequence) => {
                let mut words: Vec<&Node> = Vec::new();
                for item in &sequence.items {
                    match &item.kind {
                        NodeKind::Scalar(scalar) => match scalar.literal() {
                            Some(_) => words.push(item),
                            None => function.open = true,
                        },
                        // Different functions on different branches.
                        NodeKind::Choice(_) => function.open = true,
                        _ => self.item(&mut function, item),
                    }
                }
                function.splices.extend(&sequence.splices);
                function.open |= !sequence.splices.is_empty();
                match words.as_slice() {
                    [] if self.extend || function.open => {}
                    [] => {
                        self.missing_in_split(state.id, key, module);
                        return;
                    }
                    [first, rest @ ..] => {
                        let exclusive = rest.iter().all(|w| !self.together(first.span, w.span));
                        if !rest.is_empty() && exclusive {
                            // One function for each branch, all with these arguments.
                            for word in rest {
                                let text = word.text().unwrap_or_default();
                                let arguments = function
                                    .arguments
                                    .iter()
                                    .map(|a| Argument {
                                        key: a.key,
                                        value: a.value,
                                        misindented: a.misindented,
                                    })
                                    .collect();
                                let other = Function {
                                    name: Some(FunctionName {
                                        module: module.into(),
                                        function: text.trim().into(),
                                    }),
                                    module: None,
                                    function_span: Some(word.span),
                                    arguments,
                                    open: function.open,
                                    ..computed(key.span)
                                };
                                self.finish(state, other);
                            }
                        } else if let Some(second) = rest.first() {
                            self.second_word(first, second, module);
                        }
                        let text = first.text().unwrap_or_default();
                        function.name =
                            Some(FunctionName { module: module.into(), function: text.trim().into() });
                        function.module = None;
                        function.function_span = Some(first.span);
                    }
                }
            }
            NodeKind::Splice(splice) => {
                function.open = true;
                function.splices.push(splice);
            }
            NodeKind::Choice(alternatives) => {
                for alternative in alternatives {
                    self.split(state, key, module, alternative);
                }
                return;
            }
            NodeKind::Error => function.open = true,
            NodeKind::Scalar(scalar) if scalar.literal().is_none() => function.open = true,
            NodeKind::Empty | NodeKind::Mapping(_) if self.extend => {
                self.arguments(&mut function, key, value);
            }
            _ => {
                self.missing_in_split(state.id, key, module);
                return;
            }
        }
        self.finish(state, function);
    }

    fn missing_in_split(&mut self, id: &Node, key: &Node, module: &str) {
        let diagnostic = Diagnostic::new(
            &MISSING_FUNCTION,
            key.span,
            format!("`{module}` names no function in {}", label(id)),
        );
        let is_extend = id.text().is_some_and(|text| matches!(&*text, "extends" | "extended" | "extension"));
        let help = if is_extend {
            "did you mean `extend:`? What stands below it changes the states of included files".to_owned()
        } else if requisite_of_key(module).is_some() || super::super::attributes::is_generic(module) {
            format!(
                "`{module}` is a parameter: it stands in the list below a function, with a dash before it"
            )
        } else {
            // `cmd-run` for `cmd.run`.
            match module.split_once(['-', ':']) {
                Some((one, other)) if !one.is_empty() && !other.is_empty() => {
                    format!("write `{one}.{other}:`")
                }
                _ => format!("write `{module}.` with a function; `zester doc {module}` lists them"),
            }
        };
        self.report(diagnostic.help(help));
    }

    fn second_word(&mut self, first: &Node, second: &Node, module: &str) {
        let (one, other) = (first.text().unwrap_or_default(), second.text().unwrap_or_default());
        let message = format!("`{module}` has two functions here, `{one}` and `{other}`");
        self.report(
            Diagnostic::new(&MALFORMED_STATE, second.span, message)
                .label(first.span, "the first is here")
                .help(format!(
                    "parameters are `{other}: value`; another function needs its own key: `{module}.{other}:`"
                )),
        );
    }

    fn arguments<'t>(&mut self, function: &mut Function<'t>, key: &'t Node, value: &'t Node) {
        match &value.kind {
            NodeKind::Empty => {}
            NodeKind::Error => function.open = true,
            NodeKind::Splice(splice) => {
                function.splices.push(splice);
                function.open = true;
            }
            NodeKind::Choice(alternatives) => {
                for alternative in alternatives {
                    self.arguments(function, key, alternative);
                }
            }
            NodeKind::Mapping(mapping) => self.entries(function, mapping, false),
            NodeKind::Sequence(sequence) => self.items(function, sequence),
            NodeKind::Scalar(scalar) => match scalar.literal() {
                None => function.open = true,
                Some(text) if matches!(&*text, "" | "~" | "null") => {}
                Some(text) => {
                    let name = key.text().unwrap_or_default();
                    let message = format!("`{name}` takes a list of parameters, found text");
                    let short = text.chars().count() <= 40 && !text.contains('\n');
                    let diagnostic = Diagnostic::new(&MALFORMED_STATE, value.span, message);
                    let help = if short {
                        format!("write `- name: {text}` below it")
                    } else {
                        "write `- parameter: value` below it".to_owned()
                    };
                    self.report(diagnostic.help(help));
                }
            },
        }
    }

    fn items<'t>(&mut self, function: &mut Function<'t>, sequence: &'t Sequence) {
        function.splices.extend(&sequence.splices);
        function.open |= !sequence.splices.is_empty();
        for item in &sequence.items {
            self.item(function, item);
        }
    }

    /// One `- key: value`.
    fn item<'t>(&mut self, function: &mut Function<'t>, item: &'t Node) {
        match &item.kind {
            NodeKind::Mapping(mapping) => self.entries(function, mapping, true),
            NodeKind::Choice(alternatives) => alternatives.iter().for_each(|a| self.item(function, a)),
            NodeKind::Splice(splice) => {
                function.splices.push(splice);
                function.open = true;
            }
            NodeKind::Error => function.open = true,
            // A dash with nothing behind it says nothing.
            NodeKind::Empty => {}
            NodeKind::Scalar(scalar) => match scalar.literal() {
                None => {
                    function.open = true;
                    if let Some(word) = word_before_expression(scalar) {
                        let message = "A parameter is written `key: value`, found text";
                        let help = format!("is a colon missing behind `{word}`?");
                        self.report(Diagnostic::new(&MALFORMED_STATE, item.span, message).help(help));
                    }
                }
                Some(text) if text.is_empty() => {}
                Some(text) => {
                    let message = "A parameter is written `key: value`, found text";
                    let mut diagnostic = Diagnostic::new(&MALFORMED_STATE, item.span, message);
                    if let (Some((first, rest)), ScalarStyle::Plain) = (missing_colon(&text), scalar.style) {
                        let right = format!("{first}: {rest}");
                        diagnostic = diagnostic.fix("add the colon", Applicability::Unsafe, item.span, right);
                    }
                    self.report(diagnostic.help(colon_help(&text)));
                }
            },
            NodeKind::Sequence(_) => {
                let message = "A parameter is written `key: value`, found a list";
                self.report(
                    Diagnostic::new(&MALFORMED_STATE, item.span, message)
                        .help("one dash is enough: `- key: value`"),
                );
            }
        }
    }

    fn entries<'t>(&mut self, function: &mut Function<'t>, mapping: &'t Mapping, item: bool) {
        function.splices.extend(&mapping.splices);
        function.open |= !mapping.splices.is_empty();
        for (index, entry) in mapping.entries.iter().enumerate() {
            let rest = &mapping.entries[index + 1..];
            let name = entry.key.text();
            function.open |= name.is_none();
            let legacy = item
                && index == 0
                && !mapping.flow
                && !rest.is_empty()
                && entry.value.is_nothing()
                && name.as_deref().is_some_and(|n| MISINDENTED.contains(&n));
            function.arguments.push(Argument {
                key: &entry.key,
                value: &entry.value,
                misindented: if legacy { rest } else { &[] },
            });
            if legacy {
                self.misindented(&entry.key, rest);
                return;
            }
        }
    }

    fn misindented(&mut self, key: &Node, rest: &[Entry]) {
        let name = key.text().unwrap_or_default();
        let first = &rest[0];
        let message = format!("The keys of `{name}` stand in its own column");
        let mut diagnostic = Diagnostic::new(&MISINDENTED_ARGUMENT, first.key.span, message)
            .label(key.span, format!("they are taken as the value of this `{name}`"))
            .help("indent them by two more");
        if rest.iter().all(|e| e.value.span.start > e.key.span.start && is_scalar(&e.value)) {
            let edits = rest
                .iter()
                .map(|e| Edit { span: Span { end: e.key.span.start, ..e.key.span }, text: "  ".to_owned() })
                .collect();
            diagnostic.fixes.push(Fix {
                title: "indent them".to_owned(),
                applicability: Applicability::Safe,
                edits,
            });
        }
        self.report(diagnostic);
    }

    fn together(&self, a: Span, b: Span) -> bool {
        self.template.blocks.is_empty() || self.template.together(a.start, b.start)
    }

    /// Duplicates are looked for when all arguments are known.
    fn finish<'t>(&mut self, state: &mut State<'t>, function: Function<'t>) {
        let mut seen: HashMap<std::borrow::Cow<'_, str>, Vec<Span>> = HashMap::new();
        for argument in &function.arguments {
            let Some(name) = argument.key.text() else { continue };
            let earlier = seen.entry(name.clone()).or_default();
            let span = argument.key.span;
            let clash = earlier.iter().find(|e| self.together(**e, span)).copied();
            earlier.push(span);
            if let Some(clash) = clash {
                let help = if requisite_of_key(&name).is_some() {
                    "write it once, with all references in one list"
                } else {
                    "remove one of the two"
                };
                let diagnostic =
                    Diagnostic::new(&DUPLICATE_PARAMETER, span, format!("`{name}` is given twice"))
                        .label(clash, "the first is here")
                        .help(help);
                self.diagnostics.push(diagnostic);
            }
        }
        drop(seen);
        state.functions.push(function);
    }
}

/// Reads a list of parameters that stands elsewhere than below a function: the overrides of an entry of `names`.
pub fn read_arguments<'t>(
    key: &'t Node,
    value: &'t Node,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Argument<'t>> {
    let template = Template::default();
    let mut function = computed(key.span);
    Reader::new(&template, false, diagnostics).arguments(&mut function, key, value);
    function.arguments
}

/// The word that text with expressions begins with, where nothing in it can write the colon that would make it a key: what an expression gives
/// is a value, unless it is meant as YAML.
fn word_before_expression(scalar: &Scalar) -> Option<&str> {
    let Some((Part::Text { text, .. }, rest)) = scalar.parts.split_first() else { return None };
    let values = rest.iter().all(|part| match part {
        Part::Text { text, .. } => !text.contains(": ") && !text.ends_with(':'),
        Part::Expr { expr, .. } => !emits_yaml(expr),
        Part::Value { .. } => true,
        Part::Block { .. } => false,
    });
    let (word, after) = text.split_once(char::is_whitespace)?;
    let is_word =
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit());
    let plain =
        scalar.style == ScalarStyle::Plain && is_word && !after.contains(": ") && !after.ends_with(':');
    (plain && values).then_some(word)
}

fn is_scalar(node: &Node) -> bool {
    matches!(node.kind, NodeKind::Scalar(_))
}

fn computed<'t>(span: Span) -> Function<'t> {
    Function {
        name: None,
        module: None,
        span,
        function_span: None,
        arguments: Vec::new(),
        splices: Vec::new(),
        open: true,
    }
}

/// An id as messages call it.
fn label(id: &Node) -> String {
    id.text().map_or_else(|| "this id".to_owned(), |t| format!("`{t}`"))
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

/// The first word and the rest of a text where `key: value` should stand, where the first can be a key.
fn key_and_rest(text: &str) -> Option<(&str, &str)> {
    let first = text.split(|c: char| c.is_whitespace() || matches!(c, '=' | ':')).next().unwrap_or_default();
    let rest = text.get(first.len()..).unwrap_or_default().trim_start_matches([' ', '=', ':']).trim();
    let word =
        !first.is_empty() && first.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit());
    word.then_some((first, rest))
}

/// The same, where a colon between them is all that is missing.
fn missing_colon(text: &str) -> Option<(&str, &str)> {
    key_and_rest(text)
        .filter(|(_, rest)| !rest.is_empty() && rest.chars().count() <= 40 && !rest.contains('\n'))
}

/// What to do about text where `key: value` should stand.
fn colon_help(text: &str) -> String {
    match (missing_colon(text), key_and_rest(text)) {
        (Some((first, rest)), _) => format!("did you mean `{first}: {rest}`?"),
        (None, Some((first, ""))) => format!("write `{first}: value`"),
        _ => "write `parameter: value`".to_owned(),
    }
}
