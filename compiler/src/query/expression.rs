//! Mentions in the expressions and statements of a template.

use super::{
    chain::{Root, text_span},
    given,
    mention::{Collector, Role, Symbol},
};
use crate::{
    check::{
        calls::exec_name,
        scope::GLOBALS,
        walk::{Binding, bindings, roots, visit},
        workspace::{UnitKind, find_template},
    },
    source::Span,
    syntax::{
        expression::{Expr, ExprKind},
        template::{StatementKind, Template},
    },
    types::{FunctionKind, FunctionName, Value},
};
use std::{collections::HashMap, sync::Arc};

/// What a name of a file means: its own, or another file's.
pub(super) struct Names<'t> {
    file: String,
    /// Whether whoever renders the file gives it variables.
    given: bool,
    bindings: Vec<Binding<'t>>,
    /// Names that `from … import` brings: file, name there.
    imported: HashMap<String, (String, String)>,
    /// Names of whole files: `import … as m`.
    modules: HashMap<String, String>,
}

impl<'t> Names<'t> {
    pub fn of(collector: &Collector<'t>) -> Self {
        let mut names = Self {
            file: collector.context.path.clone(),
            given: collector.context.kind == UnitKind::Template,
            bindings: bindings(&collector.tree.template),
            imported: HashMap::new(),
            modules: HashMap::new(),
        };
        for statement in &collector.tree.template.statements {
            match &statement.kind {
                StatementKind::Import { path, name, .. } => {
                    if let Some(file) = named_file(collector, path) {
                        names.modules.insert(name.0.clone(), file);
                    }
                }
                StatementKind::FromImport { path, names: imported, .. } => {
                    let Some(file) = named_file(collector, path) else { continue };
                    for (there, _, here) in imported {
                        names.imported.insert(here.clone(), (file.clone(), there.clone()));
                    }
                }
                _ => {}
            }
        }
        names
    }

    /// What a name at a place stands for.
    pub fn symbol(&self, name: &str, offset: u32) -> Option<Symbol> {
        let inner = self
            .bindings
            .iter()
            .filter(|b| b.name == name)
            .filter_map(|b| b.within)
            .filter(|w| w.start <= offset && offset < w.end)
            .min_by_key(|w| w.range().len());
        let own = |scope| Symbol::Name { file: self.file.clone(), scope, name: name.to_owned() };
        if let Some(scope) = inner {
            return Some(own(Some(scope.start)));
        }
        if let Some((file, there)) = self.imported.get(name) {
            return Some(Symbol::Name { file: file.clone(), scope: None, name: there.clone() });
        }
        if self.bindings.iter().any(|b| b.name == name && b.within.is_none()) {
            return Some(own(None));
        }
        if self.given && given::is_taken(name) {
            return Some(Symbol::Given { template: self.file.clone(), name: name.to_owned() });
        }
        GLOBALS.contains(&name).then(|| Symbol::Global(name.to_owned()))
    }
}

fn named_file(collector: &Collector<'_>, path: &Arc<Expr>) -> Option<String> {
    let text = collector.constants.text(path)?;
    let context = collector.context;
    find_template(&collector.index.project, &context.env, &text, &context.tree_path).map(|f| f.path)
}

/// Collects what the tags of a file name.
pub(super) fn collect(collector: &mut Collector<'_>) {
    let template: &Template = &collector.tree.template;
    let names = Names::of(collector);
    for binding in &names.bindings {
        // What is imported is defined where it comes from.
        let is_import = names.imported.contains_key(binding.name) && binding.within.is_none();
        let place = binding.within.map_or(binding.span.start, |w| w.start);
        if let Some(symbol) = names.symbol(binding.name, place).filter(|_| !is_import) {
            collector.push(binding.span, symbol, Role::Definition);
        }
    }
    for statement in &template.statements {
        let path = match &statement.kind {
            StatementKind::Include { path, .. }
            | StatementKind::Import { path, .. }
            | StatementKind::ImportData { path, .. }
            | StatementKind::Extends(path) => path,
            StatementKind::FromImport { path, names, .. } => {
                if let Some(file) = named_file(collector, path) {
                    for (there, span, _) in names {
                        let symbol = Symbol::Name { file: file.clone(), scope: None, name: there.clone() };
                        collector.push(*span, symbol, Role::Reference);
                    }
                }
                path
            }
            _ => continue,
        };
        let span = match &path.kind {
            ExprKind::Literal(Value::Str(text)) => text_span(path, text).unwrap_or(path.span),
            _ => path.span,
        };
        match named_file(collector, path) {
            Some(file) => collector.push(span, Symbol::File(file), Role::Reference),
            None => {
                if let Some(text) = collector.constants.text(path) {
                    collector.push(span, Symbol::Missing(text), Role::Reference);
                }
            }
        }
    }
    for root in roots(template) {
        visit(root, &mut |expr| of_expression(collector, &names, expr));
    }
}

fn of_expression(collector: &mut Collector<'_>, names: &Names<'_>, expr: &Arc<Expr>) {
    match &expr.kind {
        ExprKind::Name(name) => {
            if let Some(symbol) = names.symbol(name, expr.span.start) {
                collector.push(expr.span, symbol, Role::Reference);
            }
        }
        ExprKind::Filter { name, name_span, .. } if !name.is_empty() => {
            collector.push(*name_span, Symbol::Filter(name.clone()), Role::Reference);
        }
        ExprKind::Test { name, name_span, .. } if !name.is_empty() => {
            collector.push(*name_span, Symbol::Test(name.clone()), Role::Reference);
        }
        ExprKind::Call { callee, args } => {
            if let Some((text, span)) = exec_name(callee)
                && let Some(name) = FunctionName::parse(&text)
            {
                let inner = if span.range().len() == text.len() + 2 {
                    Span { start: span.start + 1, end: span.end - 1, ..span }
                } else {
                    span
                };
                collector.push(inner, Symbol::Function(FunctionKind::Exec, name.clone()), Role::Reference);
                for (argument, span) in args.iter().filter_map(|a| a.name.as_ref()) {
                    let symbol = Symbol::Parameter(FunctionKind::Exec, name.clone(), argument.clone());
                    collector.push(*span, symbol, Role::Reference);
                }
            }
        }
        ExprKind::Attribute { object, name, name_span } => {
            if let ExprKind::Name(module) = &object.kind
                && let Some(file) = names.modules.get(module)
            {
                let symbol = Symbol::Name { file: file.clone(), scope: None, name: name.clone() };
                collector.push(*name_span, symbol, Role::Reference);
            }
        }
        ExprKind::Literal(Value::Str(text)) if text.contains("://") => {
            if let Some(span) = text_span(expr, text) {
                collector.source(text, span);
            }
        }
        _ => {}
    }
    // Each expression of a path adds its own last segments; its object is visited too.
    let Some(chain) = collector.aliases.chain(expr) else { return };
    for (at, (_, span)) in chain.segments.iter().enumerate() {
        let Some(span) = span else { continue };
        let path = || chain.segments[..=at].iter().map(|(s, _)| s.clone()).collect::<Vec<_>>();
        let symbol = match chain.root {
            Root::Settings => Symbol::Setting(path()),
            Root::Facts => Symbol::Fact(path().join(".")),
            Root::Grains => Symbol::Grain(path()[0].clone()),
        };
        collector.push(*span, symbol, Role::Reference);
    }
}
