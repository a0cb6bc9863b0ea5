//! Mistakes in names and values: one word is not what it was.

use super::{
    Mistake,
    visit::{self, Written},
};
use std::collections::HashSet;
use zester_compiler::{
    source::Span,
    syntax::{
        Node, NodeKind, ScalarStyle, Tree,
        expression::{Expr, ExprKind},
        template::StatementKind,
    },
    types::{FunctionKind, Registry, Type},
};

const REQUISITES: &[&str] = &[
    "require",
    "watch",
    "onchanges",
    "onfail",
    "prereq",
    "listen",
    "require_in",
    "watch_in",
    "onchanges_in",
    "require_any",
];

/// What a hand does to a word: another slip at each place. `None` where every slip gives another right word.
fn misspelt(word: &str, place: u32, right: &dyn Fn(&str) -> bool) -> Option<String> {
    let chars: Vec<char> = word.chars().collect();
    let middle = chars.len() / 2;
    let slip = |which: u32| {
        let mut chars = chars.clone();
        match which % 4 {
            0 if chars.len() > 2 => drop(chars.remove(middle)),
            1 if chars.len() > 2 && chars[middle] != chars[middle - 1] => chars.swap(middle, middle - 1),
            2 => chars.push('s'),
            _ => chars.insert(middle, chars[middle]),
        }
        chars.into_iter().collect::<String>()
    };
    (place..place + 4).map(slip).find(|slipped| slipped != word && !right(slipped))
}

struct Names<'t> {
    tree: &'t Tree,
    path: &'t str,
    found: Vec<Mistake>,
}

impl Names<'_> {
    fn word(
        &mut self,
        kind: &'static str,
        rules: &'static [&'static str],
        span: Span,
        right: &dyn Fn(&str) -> bool,
    ) {
        let Some(word) = self.tree.text.get(span.range()) else { return };
        // Names of one letter have no misspelling that a person would not call another name.
        if word.len() < 3 || !word.chars().all(|c| c.is_alphanumeric() || "_-./".contains(c)) {
            return;
        }
        let Some(slip) = misspelt(word, span.start, right) else { return };
        self.replace(kind, rules, span, slip, true);
    }

    fn replace(
        &mut self,
        kind: &'static str,
        rules: &'static [&'static str],
        span: Span,
        by: String,
        named: bool,
    ) {
        let line = line_of(&self.tree.text, span.start as usize);
        self.found.push(Mistake {
            kind,
            path: self.path.to_owned(),
            range: span.range(),
            text: by.clone(),
            lines: vec![line],
            rules,
            says: named.then_some(by),
            must_fail: false,
        });
    }
}

/// The zero-based line of an offset.
pub fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count()
}

/// The mistakes that can be made in a file's names.
pub fn all(tree: &Tree, path: &str, registry: &Registry, reference: &dyn Fn(&str) -> bool) -> Vec<Mistake> {
    let mut names = Names { tree, path, found: Vec::new() };
    if path.starts_with("states/") && !path.contains("/top.") {
        for function in visit::functions(tree) {
            of_function(&mut names, &function, registry);
        }
        of_includes(&mut names, reference);
    }
    if path.contains("/top.") {
        of_top(&mut names, reference);
    }
    of_expressions(&mut names);
    names.found
}

/// The place of a plain scalar's text.
fn plain(node: &Node) -> Option<Span> {
    match &node.kind {
        NodeKind::Scalar(scalar) if scalar.style == ScalarStyle::Plain && scalar.literal().is_some() => {
            Some(node.span)
        }
        _ => None,
    }
}

fn of_function(names: &mut Names<'_>, function: &Written<'_>, registry: &Registry) {
    let (Some(span), Some(word)) = (plain(function.word), function.word.text()) else { return };
    let Some((module, name)) = word.split_once('.') else { return };
    let Some(signature) = registry.get(FunctionKind::State, module, name) else { return };
    let dot = span.start + module.len() as u32;
    if !function.extends {
        let other = |m: &str| {
            registry.has_module(FunctionKind::State, m) || registry.has_module(FunctionKind::Exec, m)
        };
        names.word("module", &["unknown-module"], Span { end: dot, ..span }, &other);
        let other = |f: &str| registry.get(FunctionKind::State, module, f).is_some();
        names.word("function", &["unknown-function"], Span { start: dot + 1, ..span }, &other);
    }
    for parameter in &function.parameters {
        let (Some(key), Some(word)) = (plain(&parameter.key), parameter.key.text()) else { continue };
        if REQUISITES.contains(&&*word) {
            if !signature.open {
                names.word("requisite", &["unknown-parameter"], key, &|w| REQUISITES.contains(&w));
            }
            of_requisite(names, &parameter.value);
            continue;
        }
        let Some(known) = signature.param(&word) else { continue };
        if !signature.open {
            let right = |w: &str| signature.param(w).is_some() || w == "names";
            names.word("parameter", &["unknown-parameter"], key, &right);
        }
        of_value(names, &parameter.value, &known.ty);
    }
}

fn of_requisite(names: &mut Names<'_>, value: &Node) {
    let items = visit::alternatives(value).into_iter().filter_map(Node::as_sequence).flat_map(|s| &s.items);
    for item in items.flat_map(visit::alternatives) {
        for entry in item.as_mapping().into_iter().flat_map(|m| &m.entries) {
            if let Some(target) = plain(&entry.value) {
                names.word("requisite target", &["unknown-requisite"], target, &|_| false);
            }
            if let Some(module) = plain(&entry.key) {
                let rules = &["malformed-requisite", "unknown-requisite", "unknown-module"];
                names.word("requisite module", rules, module, &|_| false);
            }
        }
    }
}

/// A text that a type does not take.
fn wrong(ty: &Type) -> Option<&'static str> {
    Some(match ty {
        Type::Bool => "maybe",
        Type::Int { .. } | Type::Float | Type::Port => "many",
        Type::Mode => "rwxr-x",
        Type::Enum(_) => "bogus",
        Type::CronField { .. } => "99",
        Type::Ip | Type::Cidr => "nowhere",
        Type::Duration => "soon",
        Type::Size => "big",
        Type::Path => "https://host/path",
        Type::Url => "no url",
        Type::Str | Type::Command | Type::User | Type::Group | Type::Version => "[one, two]",
        Type::Secret(inner) => wrong(inner)?,
        _ => return None,
    })
}

fn of_value(names: &mut Names<'_>, value: &Node, ty: &Type) {
    const RULES: &[&str] = &[
        "wrong-type",
        "unknown-value",
        "malformed-value",
        "malformed-regex",
        "out-of-range",
        "malformed-state",
    ];
    let (Some(span), Some(by)) = (plain(value), wrong(ty)) else { return };
    names.replace("value", RULES, span, by.to_owned(), false);
}

fn of_includes(names: &mut Names<'_>, reference: &dyn Fn(&str) -> bool) {
    let roots: Vec<&Node> = names.tree.root.iter().flat_map(visit::alternatives).collect();
    for entry in roots.into_iter().filter_map(Node::as_mapping).flat_map(|m| &m.entries) {
        if entry.key.text().as_deref() == Some("include") {
            for item in entry.value.as_sequence().into_iter().flat_map(|s| &s.items) {
                if let Some(span) = plain(item) {
                    names.word("include", &["unresolved-reference"], span, reference);
                }
            }
        }
    }
}

fn of_top(names: &mut Names<'_>, reference: &dyn Fn(&str) -> bool) {
    for node in visit::nodes(names.tree) {
        for item in node.as_sequence().into_iter().flat_map(|s| &s.items) {
            if let Some(span) = plain(item) {
                names.word("top file", &["unresolved-reference"], span, reference);
            }
        }
    }
}

/// A key of facts, settings or of any other map, by what is at the bottom of the path.
fn key_of(object: &Expr, span: Span) -> (&'static str, &'static [&'static str], Span) {
    let mut base = object;
    while let ExprKind::Attribute { object, .. } | ExprKind::Index { object, .. } = &base.kind {
        base = object;
    }
    match &base.kind {
        ExprKind::Name(name) if name == "facts" || name == "grains" => ("fact", &["unknown-fact"], span),
        ExprKind::Name(name) if name == "settings" || name == "pillar" => {
            ("setting by tags", &["unknown-setting"], span)
        }
        _ => ("key by tags", &["unknown-key", "unknown-setting", "unknown-import"], span),
    }
}

fn of_expressions(names: &mut Names<'_>) {
    let tree = names.tree;
    let filters: HashSet<&str> = zester_compiler::template::known_filters().iter().copied().collect();
    let tests: HashSet<&str> = zester_compiler::template::known_tests().iter().copied().collect();
    let text = &tree.text;
    let known: HashSet<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let is_known = |word: &str| known.contains(word);
    let mut words: Vec<(&'static str, &'static [&'static str], Span)> = Vec::new();
    visit::expressions(tree, &mut |expr, lenient| match &expr.kind {
        ExprKind::Name(_) if !lenient => words.push(("variable", &["undefined-variable"], expr.span)),
        ExprKind::Filter { name_span, .. } => words.push(("filter", &["unknown-filter"], *name_span)),
        ExprKind::Attribute { object, name_span, .. } => words.push(key_of(object, *name_span)),
        ExprKind::Index { object, index } if !matches!(&object.kind, ExprKind::Name(n) if n == "salt" || n == "zester") => {
            if let ExprKind::Literal(zester_compiler::types::Value::Str(_)) = &index.kind {
                let span = Span { start: index.span.start + 1, end: index.span.end - 1, ..index.span };
                words.push(key_of(object, span));
            }
        }
        ExprKind::Test { name_span, .. } => words.push(("test", &["unknown-test"], *name_span)),
        ExprKind::Call { callee, args } => match &callee.kind {
            // The macro's name is an expression of its own; here for its kind.
            ExprKind::Name(_) => {
                words.push(("macro", &["undefined-variable"], callee.span));
                let named = args.iter().filter_map(|a| a.name.as_ref());
                words.extend(
                    named.map(|(_, span)| ("macro argument by tags", &["macro-arguments"] as &[_], *span)),
                );
            }
            ExprKind::Attribute { name_span, .. } => {
                words.push(("method by tags", &["unknown-method", "unknown-import"], *name_span));
            }
            ExprKind::Index { object, index } if matches!(&object.kind, ExprKind::Name(n) if n == "salt" || n == "zester") =>
            {
                let span = Span { start: index.span.start + 1, end: index.span.end - 1, ..index.span };
                words.push(("exec function", &["unknown-exec-function", "unknown-module"], span));
            }
            _ => {}
        },
        _ => {}
    });
    words.sort_by_key(|(kind, _, span)| (span.start, *kind != "method by tags", *kind));
    // A called name is a macro rather than a variable, a called attribute a method rather than a key.
    words.dedup_by_key(|(_, _, span)| *span);
    for (kind, rules, span) in words {
        let globals = zester_compiler::template::known_globals();
        let right = |word: &str| {
            is_known(word) || globals.contains(&word) || filters.contains(word) || tests.contains(word)
        };
        names.word(kind, rules, span, &right);
    }
    for statement in &tree.template.statements {
        if let StatementKind::FromImport { names: imported, .. } = &statement.kind {
            for (_, span, _) in imported {
                names.word("imported name", &["unknown-import"], *span, &is_known);
            }
        }
    }
}
