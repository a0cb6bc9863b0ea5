//! Parameters of one state against its function's signature: names, types, what is missing, what excludes each other.
//!
//! Lowering binds arguments with the same function, so a check and a run cannot disagree.

use crate::{
    check::{
        elsewhere::{UNSUPPORTED_PARAMETER, salt_has_parameter},
        functions::list_of,
    },
    diagnostic::{Applicability, Diagnostic, Severity, nearest},
    ir::Attributes,
    lower::{
        attributes::{self, GENERIC, REQUISITES},
        document::{Argument, Function, Reference, read_requisites, requisite_of_key},
    },
    rule,
    source::Span,
    syntax::{Node, NodeKind, ScalarStyle, template::Template},
    types::{Constraint, Map, Param, Signature, Type, Value, decode::decode},
};
use std::cmp::Ordering;

rule! {
    /// A parameter does not exist.
    ///
    /// Salt passes many misspelt parameters over in silence, and the state does less than it says.
    ///
    /// ```yaml
    /// /etc/motd:
    ///   file.managed:
    ///     - sorce: zester://motd
    /// ```
    ///
    /// `zester doc file.managed` lists the parameters of a function:
    ///
    /// ```yaml
    /// /etc/motd:
    ///   file.managed:
    ///     - source: zester://motd
    /// ```
    pub UNKNOWN_PARAMETER = "Z0203", "unknown-parameter", Error;

    /// A parameter that the function cannot do without is not given.
    ///
    /// ```yaml
    /// /usr/bin/python:
    ///   file.symlink: []
    /// ```
    ///
    /// ```yaml
    /// /usr/bin/python:
    ///   file.symlink:
    ///     - target: /usr/bin/python3
    /// ```
    pub MISSING_PARAMETER = "Z0205", "missing-parameter", Error;

    /// Two parameters exclude each other.
    ///
    /// Only one of them could have an effect.
    ///
    /// ```yaml
    /// admins:
    ///   group.present:
    ///     - members: [ada]
    ///     - addusers: [bob]
    /// ```
    ///
    /// ```yaml
    /// admins:
    ///   group.present:
    ///     - members: [ada, bob]
    /// ```
    pub CONFLICTING_PARAMETERS = "Z0206", "conflicting-parameters", Error;

    /// A parameter is accepted and has no effect.
    ///
    /// It is known so that trees written for Salt keep working; what it asks for is done otherwise, or not at all.
    ///
    /// ```yaml
    /// nginx:
    ///   service.running:
    ///     - reload_modules: true
    /// ```
    ///
    /// Leave it out:
    ///
    /// ```yaml
    /// nginx:
    ///   service.running: []
    /// ```
    pub INERT_PARAMETER = "Z0212", "inert-parameter", Warning;

    /// A variable for a template is given as if it were a parameter.
    ///
    /// Salt hands what it does not know to the template, and so does Zester. A misspelt parameter cannot be told from
    /// such a variable.
    ///
    /// ```yaml
    /// /etc/app.conf:
    ///   file.managed:
    ///     - source: zester://app.conf
    ///     - template: jinja
    ///     - port: 80
    /// ```
    ///
    /// Variables belong under `context`:
    ///
    /// ```yaml
    /// /etc/app.conf:
    ///   file.managed:
    ///     - source: zester://app.conf
    ///     - template: jinja
    ///     - context:
    ///         port: 80
    /// ```
    pub LOOSE_VARIABLE = "Z0228", "loose-variable", Warning;
}

/// A function's arguments, sorted into what they are.
#[derive(Clone, Debug, Default)]
pub struct Bound<'t> {
    /// Decoded arguments by parameter name, except those that an expression keeps from being known, and the primary
    /// one where it is only given by `name`, `names` or the id.
    pub args: Map,
    /// Name of the parameter and place of the value, for each argument.
    pub places: Vec<(String, Span)>,
    /// Generic attributes, as far as they are known.
    pub attributes: Attributes,
    /// References of the requisites.
    pub references: Vec<Reference>,
    /// References of `use`; those of `use_in` are inverted.
    pub uses: Vec<Reference>,
    /// `name`, where it stands for the primary parameter, with its value as that.
    pub name: Option<(&'t Argument<'t>, Option<Value>)>,
    /// `names`
    pub names: Option<&'t Argument<'t>>,
}

/// How much of a state the arguments are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// All of it: what is missing is missing.
    Whole,
    /// An `extend` entry, an override of `names`, a macro's body: more comes from elsewhere.
    Part,
}

/// Checks and decodes the arguments of a state function. `template` tells which places exclude each other.
pub fn bind<'t>(
    function: &'t Function<'t>,
    signature: &Signature,
    extent: Extent,
    template: &Template,
    diagnostics: &mut Vec<Diagnostic>,
) -> Bound<'t> {
    let mut binder = Binder {
        signature,
        template,
        diagnostics,
        bound: Bound::default(),
        given: Vec::with_capacity(function.arguments.len()),
        renders: renders(function, signature),
        loose: Map::new(),
        meant: Vec::new(),
    };
    for argument in &function.arguments {
        binder.argument(argument);
    }
    binder.keep_loose();
    if extent == Extent::Whole && !function.open {
        binder.missing(function);
    }
    binder.exclusions();
    binder.bound
}

struct Given {
    name: String,
    key: String,
    span: Span,
}

struct Binder<'a, 't> {
    signature: &'a Signature,
    template: &'a Template,
    diagnostics: &'a mut Vec<Diagnostic>,
    bound: Bound<'t>,
    /// Parameters that are given something, with the words and places of their keys.
    given: Vec<Given>,
    /// Whether a template is rendered, which gets what else is given.
    renders: bool,
    /// Variables given to it beside `context` and `defaults`.
    loose: Map,
    /// Parameters that unknown ones are thought to be.
    meant: Vec<String>,
}

/// Whether a state renders a template that takes variables.
fn renders(function: &Function<'_>, signature: &Signature) -> bool {
    let takes = |name: &str| signature.param(name).is_some();
    takes("template")
        && takes("defaults")
        && function.arguments.iter().any(|argument| {
            let off = argument.value.text().is_some_and(|t| matches!(&*t.to_ascii_lowercase(), "" | "false"));
            argument.key.text().as_deref() == Some("template") && !argument.value.is_nothing() && !off
        })
}

/// Words of [`MEANT`] that hardly any template has for a variable.
const OF_FILES: [&str; 9] = [
    "owner",
    "dirmode",
    "filemode",
    "createdirs",
    "create_dirs",
    "make_dirs",
    "mkdirs",
    "permissions",
    "perms",
];

/// Whether a key is a parameter with one letter wrong, and nothing that a template's variable may be called beside it: `node` and
/// `mode`, `users` and `user` are alike on purpose.
fn is_slip(key: &str, param: &str) -> bool {
    if strsim::damerau_levenshtein(key, param) != 1 {
        return false;
    }
    match key.len().cmp(&param.len()) {
        Ordering::Equal => key.len() > 5 || strsim::hamming(key, param).is_ok_and(|letters| letters == 2),
        Ordering::Less => key.len() > 4 && !param.starts_with(key),
        Ordering::Greater => key.len() > 5 && !key.starts_with(param) && !key.ends_with(param),
    }
}

/// What people write for parameters of another name: words of other tools, of older versions, of the shell.
const MEANT: [(&str, &str); 21] = [
    ("owner", "user"),
    ("dirmode", "dir_mode"),
    ("filemode", "file_mode"),
    ("createdirs", "makedirs"),
    ("create_dirs", "makedirs"),
    ("make_dirs", "makedirs"),
    ("mkdirs", "makedirs"),
    ("parents", "makedirs"),
    ("permissions", "mode"),
    ("perms", "mode"),
    ("content", "contents"),
    ("text", "contents"),
    ("src", "source"),
    ("source", "target"),
    ("user", "runas"),
    ("directory", "cwd"),
    ("packages", "pkgs"),
    ("enabled", "enable"),
    ("environment", "env"),
    ("uses", "use"),
    ("not_if", "unless"),
];

impl<'t> Binder<'_, 't> {
    fn argument(&mut self, argument: &'t Argument<'t>) {
        let Some(key) = argument.key.text() else { return };
        let signature = self.signature;
        if let Some(param) = signature.param(&key)
            && !(key == "name" && param.primary)
        {
            self.own(param, &key, argument);
            return;
        }
        if key == "name" {
            let ty = signature.primary().map_or(&Type::Str, |primary| &primary.ty);
            let value = self.value(ty, &key, None, argument);
            self.bound.name = Some((argument, value));
            return;
        }
        if let Some((_, inverted)) = requisite_of_key(&key) {
            let (references, diagnostics) = read_requisites(argument);
            debug_assert!(references.iter().all(|r| r.inverted == inverted));
            self.bound.references.extend(references);
            self.diagnostics.extend(diagnostics);
            return;
        }
        match &*key {
            "names" => {
                self.bound.names = Some(argument);
            }
            "use" | "use_in" => {
                let (references, diagnostics) = read_requisites(argument);
                self.bound.uses.extend(references);
                self.diagnostics.extend(diagnostics);
            }
            _ if attributes::is_generic(&key) => self.generic(&key, argument),
            // Salt's own bookkeeping, as rendered by its tools.
            _ if key.starts_with("__") => {}
            _ if signature.open => {
                if let Some(value) = self.value(&Type::Any, &key, None, argument) {
                    self.bound.args.insert(key.into_owned(), value);
                }
            }
            _ => self.unknown(&key, argument),
        }
    }

    /// Decodes; reports what is wrong; `None` when the value is not known, or nothing.
    fn value(&mut self, ty: &Type, key: &str, name: Option<&str>, argument: &Argument<'_>) -> Option<Value> {
        let node = argument.meant();
        match decode(ty, &node) {
            Ok(decoded) => {
                self.diagnostics.extend(decoded.hints);
                let value = decoded.value?;
                if value.is_null() && !matches!(ty, Type::Any | Type::Null) {
                    return None;
                }
                self.bound.places.push((name.unwrap_or(key).to_owned(), node.span));
                Some(value)
            }
            Err(error) => {
                self.diagnostics.push(error.into_diagnostic(key));
                None
            }
        }
    }

    fn own(&mut self, param: &Param, key: &str, argument: &'t Argument<'t>) {
        if let Some(why) = param.inert {
            self.inert(key, why, argument);
        }
        let span = argument.key.span;
        let nothing =
            argument.value.is_nothing() && is_plain(argument.value) && argument.misindented.is_empty();
        if !nothing {
            // The same word twice is the reader's finding.
            let earlier = self
                .given
                .iter()
                .find(|g| g.name == param.name && g.key != key && self.together(g.span, span))
                .map(|g| (g.key.clone(), g.span));
            if let Some((other, at)) = earlier {
                let message = format!("`{other}` and `{key}` are two names of one parameter");
                self.diagnostics.push(
                    Diagnostic::new(&CONFLICTING_PARAMETERS, span, message)
                        .label(at, "the first is here")
                        .help("remove one of the two"),
                );
            }
            self.given.push(Given { name: param.name.to_string(), key: key.to_owned(), span });
        }
        if let Some(value) = self.value(&param.ty, key, Some(&param.name), argument) {
            self.bound.args.insert(param.name.to_string(), value);
        }
    }

    fn inert(&mut self, key: &str, why: &str, argument: &Argument<'_>) {
        self.diagnostics.push(
            Diagnostic::new(&INERT_PARAMETER, argument.key.span, format!("`{key}` has no effect: {why}"))
                .help("leave it out"),
        );
    }

    fn generic(&mut self, key: &str, argument: &'t Argument<'t>) {
        if let Some(why) = attributes::inert(key) {
            self.inert(key, why, argument);
            if let Some(last) = self.diagnostics.last_mut() {
                // It does no harm, and hundreds of real states have it.
                last.severity = Severity::Hint;
            }
        }
        let result =
            attributes::read_attribute(&mut self.bound.attributes, key, argument.value, self.diagnostics);
        if let Err(error) = result {
            self.diagnostics.push(error.into_diagnostic(key));
        }
    }

    fn unknown(&mut self, key: &str, argument: &Argument<'_>) {
        let name = self.signature.name();
        if salt_has_parameter(&name, key) {
            let message = format!("`{key}` is a parameter of Salt's `{name}` that is not supported here");
            self.diagnostics.push(
                Diagnostic::new(&UNSUPPORTED_PARAMETER, argument.key.span, message)
                    .help("leave it out, or reach the same in another way"),
            );
            return;
        }
        let own: Vec<&str> = self
            .signature
            .params
            .iter()
            .flat_map(|p| std::iter::once(&*p.name).chain(p.aliases.iter().copied()))
            .collect();
        let candidates = own.iter().copied().chain(GENERIC).chain(REQUISITES);
        let meant = MEANT
            .iter()
            .find(|(wrong, right)| *wrong == key && (own.contains(right) || GENERIC.contains(right)))
            .map(|(_, right)| *right)
            .or_else(|| nearest(key, candidates));
        // A template takes variables of any name.
        if self.renders && !meant.is_some_and(|near| is_slip(key, near)) {
            self.loose_variable(key, argument);
            if let Some(near) = meant.filter(|_| OF_FILES.contains(&key))
                && let Some(found) = self.diagnostics.last_mut()
            {
                found.severity = Severity::Warning;
                found.help = Some(format!("did you mean `{near}`? A variable stands under `context`"));
            }
            return;
        }
        self.meant.extend(meant.map(str::to_owned));
        let message = format!("`{name}` has no parameter `{key}`");
        let mut diagnostic = Diagnostic::new(&UNKNOWN_PARAMETER, argument.key.span, message);
        diagnostic = match meant {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(
                format!("rename to `{near}`"),
                Applicability::Unsafe,
                argument.key.span,
                near,
            ),
            None if own.is_empty() => diagnostic.help(format!("`{name}` takes no parameters of its own")),
            None => diagnostic.help(list_of("its parameters are", &own)),
        };
        self.diagnostics.push(diagnostic);
    }

    fn loose_variable(&mut self, key: &str, argument: &Argument<'_>) {
        let message = format!("`{key}` is no parameter, so it is taken as a variable of the template");
        self.diagnostics.push(
            Diagnostic::new(&LOOSE_VARIABLE, argument.key.span, message)
                .help(format!("write it under `context`: `- context: {{ {key}: … }}`")),
        );
        if let Some(value) = self.value(&Type::Any, key, None, argument) {
            self.loose.insert(key.to_owned(), value);
        }
    }

    /// Loose variables count less than those of `context`, as in Salt.
    fn keep_loose(&mut self) {
        if self.loose.is_empty() {
            return;
        }
        let mut variables = match self.bound.args.shift_remove("defaults") {
            Some(Value::Map(defaults)) => defaults,
            _ => Map::new(),
        };
        variables.extend(std::mem::take(&mut self.loose));
        self.bound.args.insert("defaults".to_owned(), Value::Map(variables));
    }

    fn together(&self, a: Span, b: Span) -> bool {
        self.template.blocks.is_empty() || self.template.together(a.start, b.start)
    }

    fn is_given(&self, name: &str) -> bool {
        let primary = self.signature.primary().is_some_and(|p| p.name == name);
        // The primary one always has a value: the id.
        primary || self.given.iter().any(|g| g.name == name)
    }

    fn missing(&mut self, function: &Function<'_>) {
        let signature = self.signature;
        let name = || signature.name();
        let place = function.name_span();
        // One mistake, one report: a name that is written wrong is not missing too.
        let is_meant = |param: &Param| {
            self.meant.iter().any(|m| *m == param.name || param.aliases.contains(&m.as_str()))
        };
        for param in signature.params.iter().filter(|p| p.required && !p.primary && !is_meant(p)) {
            if !self.is_given(&param.name) {
                let message = format!("`{}` needs the parameter `{}`", name(), param.name);
                let diagnostic = Diagnostic::new(&MISSING_PARAMETER, place, message);
                self.diagnostics.push(diagnostic.help(format!("add `- {}: …`, {}", param.name, what(param))));
            }
        }
        for constraint in &self.signature.constraints {
            match constraint {
                Constraint::AnyOf(names) | Constraint::ExactlyOneOf(names) => {
                    let is_meant = |name: &str| self.meant.iter().any(|m| m == name);
                    if !names.iter().any(|n| self.is_given(n) || is_meant(n)) {
                        let message = format!("`{}` needs one of {}", name(), quoted(names, " or "));
                        self.diagnostics.push(
                            Diagnostic::new(&MISSING_PARAMETER, place, message)
                                .help(format!("add `- {}: …`", names.first().copied().unwrap_or_default())),
                        );
                    }
                }
                Constraint::Requires(one, other) => {
                    let key = self.given.iter().find(|g| g.name == *one).map(|g| g.span);
                    if let Some(key) = key
                        && !self.is_given(other)
                    {
                        let message = format!("`{one}` needs the parameter `{other}` beside it");
                        self.diagnostics.push(
                            Diagnostic::new(&MISSING_PARAMETER, key, message)
                                .help(format!("add `- {other}: …`")),
                        );
                    }
                }
                Constraint::AtMostOneOf(_) => {}
            }
        }
    }

    fn exclusions(&mut self) {
        for constraint in &self.signature.constraints {
            let (Constraint::ExactlyOneOf(names) | Constraint::AtMostOneOf(names)) = constraint else {
                continue;
            };
            let mut given: Vec<(&str, Span)> =
                self.given.iter().filter(|g| names.contains(&&*g.name)).map(|g| (&*g.name, g.span)).collect();
            given.sort_by_key(|(_, span)| (span.file, span.start));
            for (index, (name, span)) in given.iter().enumerate() {
                let clash = given[..index].iter().find(|(n, at)| n != name && self.together(*at, *span));
                if let Some((other, at)) = clash {
                    let message = format!("`{other}` and `{name}` exclude each other");
                    self.diagnostics.push(
                        Diagnostic::new(&CONFLICTING_PARAMETERS, *span, message)
                            .label(*at, format!("`{other}` is given here"))
                            .help("keep one of the two"),
                    );
                    break;
                }
            }
        }
        self.names_and_primary();
    }

    /// `names` gives the primary parameter a value for each state, so another value of it would be lost.
    fn names_and_primary(&mut self) {
        let Some(names) = self.bound.names else { return };
        let Some(primary) = self.signature.primary() else { return };
        if let Some((name, _)) = &self.bound.name
            && self.together(name.key.span, names.key.span)
        {
            let mut diagnostic = Diagnostic::new(
                &CONFLICTING_PARAMETERS,
                name.key.span,
                "`names` gives each state its name, so this one is lost",
            )
            .label(names.key.span, "`names` is here")
            .help("keep one of the two");
            // Salt passes it over, and so does a run here.
            diagnostic.severity = Severity::Warning;
            self.diagnostics.push(diagnostic);
        }
        let own = self.given.iter().find(|g| g.name == primary.name).map(|g| (g.key.clone(), g.span));
        if let Some((name, span)) = own
            && self.together(span, names.key.span)
        {
            let message = format!("`names` gives each state its `{name}`, so this one would be lost");
            self.diagnostics.push(
                Diagnostic::new(&CONFLICTING_PARAMETERS, span, message)
                    .label(names.key.span, "`names` is here")
                    .help("keep one of the two"),
            );
        }
    }
}

/// Whether a node is written without quotes.
fn is_plain(node: &Node) -> bool {
    !matches!(&node.kind, NodeKind::Scalar(s) if s.style != ScalarStyle::Plain)
}

fn quoted(names: &[&str], last: &str) -> String {
    let names: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., end] => format!("{}{last}{end}", first.join(", ")),
    }
}

/// The first sentence of a parameter's documentation, for a help line.
fn what(param: &Param) -> String {
    let sentence = param.doc.split(". ").next().unwrap_or_default().trim_end_matches('.').replace('\n', " ");
    let mut chars = sentence.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => format!("of type {}", param.ty),
    }
}

/// Decodes a name (the id, an entry of `names`) as the primary parameter.
pub fn check_name(signature: &Signature, node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Value> {
    let Some(primary) = signature.primary() else {
        return node.text().map(|t| Value::Str(t.into_owned()));
    };
    // An id is text, whatever it looks like: for a list, it is the list's one item.
    match decode(&primary.ty, node) {
        Ok(decoded) => {
            diagnostics.extend(decoded.hints);
            decoded.value
        }
        Err(error) => {
            diagnostics.push(error.into_diagnostic(&primary.name));
            None
        }
    }
}
