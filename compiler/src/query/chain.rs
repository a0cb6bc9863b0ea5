//! Paths in expressions: `settings.nginx.port`, `pillar['a']['b']`, `salt['pillar.get']('a:b')`, and what is set from
//! them.

use crate::{
    check::calls::exec_name,
    source::Span,
    syntax::{
        expression::{Argument, Expr, ExprKind},
        template::{StatementKind, Template},
    },
    types::Value,
};
use std::{collections::HashMap, sync::Arc};

/// The value that a path starts at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Root {
    /// `settings`, `pillar`
    Settings,
    /// `facts`
    Facts,
    /// `grains`
    Grains,
}

impl Root {
    /// The root of a global's name.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "settings" | "pillar" | "__pillar__" => Root::Settings,
            "facts" => Root::Facts,
            "grains" | "__grains__" => Root::Grains,
            _ => return None,
        })
    }

    /// The root that an exec function looks its first argument up in.
    pub fn of_lookup(function: &str) -> Option<Self> {
        Some(match function {
            "pillar.get" | "settings.get" | "config.get" | "pillar.fetch" => Root::Settings,
            "grains.get" | "grains.fetch" => Root::Grains,
            "facts.get" => Root::Facts,
            _ => return None,
        })
    }
}

/// A path with the place of each segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Chain {
    pub root: Root,
    pub segments: Vec<(String, Option<Span>)>,
}

/// Names that are set once, to a path.
#[derive(Default)]
pub(super) struct Aliases(HashMap<String, Chain>);

impl Aliases {
    /// The aliases of a template, in the order of its text.
    pub fn of(template: &Template) -> Self {
        let mut aliases = Self::default();
        let mut count: HashMap<&str, usize> = HashMap::new();
        for binding in crate::check::walk::bindings(template) {
            *count.entry(binding.name).or_default() += 1;
        }
        for statement in &template.statements {
            let StatementKind::Set { targets, value } = &statement.kind else { continue };
            let [(name, _)] = targets.as_slice() else { continue };
            if count.get(name.as_str()) != Some(&1) {
                continue;
            }
            if let Some(mut chain) = aliases.chain(value) {
                // The place is named where it is written, not again where the alias is used.
                chain.segments.iter_mut().for_each(|(_, span)| *span = None);
                aliases.0.insert(name.clone(), chain);
            }
        }
        // What a template binds itself is not what every template sees.
        for name in ["settings", "pillar", "facts", "grains"] {
            if count.contains_key(name) {
                aliases.0.remove(name);
            }
        }
        aliases
    }

    /// The path an expression stands for.
    pub fn chain(&self, expr: &Expr) -> Option<Chain> {
        match &expr.kind {
            ExprKind::Name(name) => self
                .0
                .get(name)
                .cloned()
                .or_else(|| Some(Chain { root: Root::of(name)?, segments: Vec::new() })),
            ExprKind::Attribute { object, name, name_span } if !name.is_empty() => {
                self.extended(object, vec![(name.clone(), Some(*name_span))])
            }
            ExprKind::Index { object, index } => match &index.kind {
                ExprKind::Literal(Value::Str(key)) => {
                    self.extended(object, vec![(key.clone(), text_span(index, key))])
                }
                _ => None,
            },
            ExprKind::Filter { value: Some(value), name, args, .. } => match (name.as_str(), args.as_slice())
            {
                ("traverse", [path, ..]) => self.extended(value, colon_path(path)?),
                ("default" | "d", _) => self.chain(value),
                _ => None,
            },
            ExprKind::Call { callee, args } => {
                let (name, root) = match &callee.kind {
                    ExprKind::Attribute { object, name, .. }
                        if name == "get" && exec_name(callee).is_none() =>
                    {
                        let [key, ..] = args.as_slice() else { return None };
                        let ExprKind::Literal(Value::Str(text)) = &key.value.kind else { return None };
                        return self.extended(object, vec![(text.clone(), text_span(&key.value, text))]);
                    }
                    _ => {
                        let (name, _) = exec_name(callee)?;
                        let root = Root::of_lookup(&name)?;
                        (name, root)
                    }
                };
                let first = args
                    .iter()
                    .find(|a| a.name.is_none() || a.name.as_ref().is_some_and(|n| n.0 == "key"))?;
                let segments = colon_path(first)?;
                // `config.get` looks in many places.
                (name != "config.get" || segments.len() > 1).then_some(Chain { root, segments })
            }
            _ => None,
        }
    }

    fn extended(&self, object: &Arc<Expr>, more: Vec<(String, Option<Span>)>) -> Option<Chain> {
        let mut chain = self.chain(object)?;
        chain.segments.extend(more);
        Some(chain)
    }
}

/// `'a:b:c'` with the place of each name.
fn colon_path(argument: &Argument) -> Option<Vec<(String, Option<Span>)>> {
    let ExprKind::Literal(Value::Str(text)) = &argument.value.kind else { return None };
    let whole = text_span(&argument.value, text);
    let mut at = 0;
    let segments = text.split(':').map(|segment| {
        let start = at;
        at += segment.len() as u32 + 1;
        let span =
            whole.map(|w| Span { start: w.start + start, end: w.start + start + segment.len() as u32, ..w });
        (segment.to_owned(), span)
    });
    Some(segments.collect())
}

/// The text of a literal without its quotes, where it has no escapes.
pub(super) fn text_span(literal: &Expr, text: &str) -> Option<Span> {
    let span = literal.span;
    (span.range().len() == text.len() + 2).then_some(Span {
        start: span.start + 1,
        end: span.end - 1,
        ..span
    })
}
