//! A file's tags in the order in which a render comes by them: what each binds, and where it can be seen.

use super::{
    Ask, Engine, Module,
    env::Mark,
    known::member_of_module,
    narrow,
    ty::{Field, MacroParam, MacroTy, Openness, Origin, Ty},
};
use crate::{
    check::{
        scope::{GLOBALS, UNDEFINED_VARIABLE, free_in},
        summary::UseKind,
        walk::parts,
    },
    diagnostic::Diagnostic,
    rule,
    source::Span,
    syntax::{
        Tree,
        expression::{Expr, ExprKind},
        template::{Block, BlockKind, Statement, StatementKind},
    },
};
use indexmap::IndexMap;
use std::{collections::HashMap, sync::Arc};

rule! {
    /// A loop goes over a value that has no items.
    ///
    /// Numbers, truth values and `none` cannot be looped over; rendering stops there with an error. A loop with two
    /// variables over a map needs its pairs: a map alone gives its keys.
    ///
    /// ```yaml
    /// {% set ports = {'http': 80, 'https': 443} %}
    /// {% for name, port in ports %}
    /// open {{ name }}:
    ///   test.nop:
    ///     - comment: {{ port }}
    /// {% endfor %}
    /// ```
    ///
    /// ```yaml
    /// {% set ports = {'http': 80, 'https': 443} %}
    /// {% for name, port in ports.items() %}
    /// open {{ name }}:
    ///   test.nop:
    ///     - comment: {{ port }}
    /// {% endfor %}
    /// ```
    pub NOT_ITERABLE = "Z0415", "not-iterable", Error;

    /// A branch has the same condition as an earlier one of the same `if`.
    ///
    /// The earlier one is taken first, so this branch is never rendered.
    ///
    /// ```yaml
    /// {% if grains.os_family == 'Debian' %}
    /// apache2:
    ///   pkg.installed: []
    /// {% elif grains.os_family == 'Debian' %}
    /// httpd:
    ///   pkg.installed: []
    /// {% endif %}
    /// ```
    ///
    /// ```yaml
    /// {% if grains.os_family == 'Debian' %}
    /// apache2:
    ///   pkg.installed: []
    /// {% elif grains.os_family == 'RedHat' %}
    /// httpd:
    ///   pkg.installed: []
    /// {% endif %}
    /// ```
    pub DEAD_BRANCH = "Z0422", "dead-branch", Warning;
}

#[derive(Clone, Copy)]
enum Event {
    Block(usize),
    Statement(usize),
    Expression(usize),
}

/// The tags of a file in the order of the text.
pub(super) struct Events {
    all: Vec<(u32, Event)>,
    next: usize,
}

impl<'t> Engine<'_, 't> {
    fn events(&self) -> Events {
        let template = &self.tree.template;
        let mut all: Vec<(u32, Event)> = Vec::with_capacity(
            template.blocks.len() + template.statements.len() + template.expressions.len(),
        );
        all.extend(template.blocks.iter().enumerate().map(|(i, b)| (b.span.start, Event::Block(i))));
        all.extend(template.statements.iter().enumerate().map(|(i, s)| (s.span.start, Event::Statement(i))));
        all.extend(
            template.expressions.iter().enumerate().map(|(i, (s, _))| (s.start, Event::Expression(i))),
        );
        all.sort_by_key(|(start, _)| *start);
        Events { all, next: 0 }
    }

    /// Notes what the file binds, and which of it is changed in place anywhere.
    pub(super) fn survey(&mut self) {
        let template = &self.tree.template;
        for binding in crate::check::walk::bindings(template) {
            let first = self.bound.entry(binding.name).or_insert(binding.span);
            if binding.span.start < first.start {
                *first = binding.span;
            }
        }
        let mut flows: Vec<(&'t str, Vec<&'t str>)> = Vec::new();
        self.macros_change = self.world.may_change(self.index);
        for root in self.tops.clone() {
            self.survey_expr(root);
        }
        for statement in &template.statements {
            if let StatementKind::Set { targets, value } = &statement.kind {
                for (target, _) in targets {
                    match target.split_once('.') {
                        Some((base, _)) => {
                            self.mutated.insert(base);
                        }
                        None => flows.push((target, bases(value))),
                    }
                }
            }
        }
        for block in &template.blocks {
            for condition in block.arms.iter().filter_map(|arm| arm.condition.as_ref()) {
                self.asks(condition);
            }
            if let BlockKind::For { targets, iterable, filter } = &block.kind {
                if let Some(filter) = filter {
                    self.asks(filter);
                }
                flows.extend(targets.iter().map(|(target, _)| (target.as_str(), bases(iterable))));
            }
        }
        // What a changed variable was made of may be the same value.
        loop {
            let before = self.mutated.len();
            for (target, sources) in &flows {
                if self.mutated.contains(target) {
                    self.mutated.extend(sources.iter().copied());
                }
            }
            if self.mutated.len() == before {
                break;
            }
        }
    }

    /// All names in an expression are asked about.
    fn asks(&mut self, expr: &'t Arc<Expr>) {
        crate::check::walk::visit(expr, &mut |expr| {
            if let ExprKind::Name(name) = &expr.kind {
                self.asked.insert(name);
            }
        });
    }

    fn survey_expr(&mut self, root: &'t Arc<Expr>) {
        crate::check::walk::visit(root, &mut |expr| match &expr.kind {
            ExprKind::Test { value, .. } => self.asks(value),
            ExprKind::Conditional { condition, .. } => self.asks(condition),
            ExprKind::Binary { operator: "and" | "or", left, right } => {
                self.asks(left);
                self.asks(right);
            }
            ExprKind::Filter { value: Some(value), name, .. } if matches!(name.as_str(), "default" | "d") => {
                self.asks(value);
            }
            ExprKind::Name(name) => {
                self.used.insert(name);
            }
            ExprKind::Call { callee, args } => {
                for arg in args {
                    self.asks(&arg.value);
                }
                match &callee.kind {
                    ExprKind::Attribute { object, name, .. } => {
                        if CHANGES.contains(&name.as_str()) {
                            self.mutated.extend(bases(object));
                        }
                        // A macro of another file may change what it is given.
                        if let ExprKind::Name(module) = &object.kind
                            && self.macros_change
                            && self.bound.contains_key(module.as_str())
                            && !super::method::is_method(name)
                        {
                            self.mutated.extend(args.iter().flat_map(|a| bases(&a.value)));
                        }
                    }
                    // So may one that whoever includes this file has bound.
                    ExprKind::Name(name)
                        if !GLOBALS.contains(&name.as_str())
                            && (self.macros_change || !self.bound.contains_key(name.as_str())) =>
                    {
                        self.mutated.extend(args.iter().flat_map(|a| bases(&a.value)));
                    }
                    // `defaults.update(x, …)` and its kin change their first argument.
                    ExprKind::Index { index, .. } => {
                        if let ExprKind::Literal(crate::types::Value::Str(name)) = &index.kind
                            && name.ends_with(".update")
                        {
                            self.mutated.extend(args.iter().flat_map(|a| bases(&a.value)));
                        }
                    }
                    _ => {}
                }
            }
            _ => {}
        });
    }

    /// Walks the whole file.
    pub(super) fn run_file(&mut self) {
        let mut events = self.events();
        self.run(&mut events, u32::MAX);
    }

    /// What the file gives to those that import it.
    pub(super) fn module(mut self) -> Module {
        let unit = self.unit;
        self.quiet += 1;
        self.run_file();
        let mut fields: IndexMap<Arc<str>, Field> = IndexMap::new();
        for name in unit.summary.exports.iter() {
            let ty = self.env.get(name).cloned().unwrap_or(Ty::GAP);
            let span = self.bound.get(name.as_str()).copied();
            fields.insert(name.as_str().into(), Field { ty, optional: false, span });
        }
        let extends = unit.summary.uses.iter().any(|u| matches!(u.kind, UseKind::Extends));
        let openness = if extends || crate::check::has_unreadable(self.tree) {
            Openness::Open
        } else {
            Openness::Closed
        };
        let ty = Ty::record(fields, openness, Origin::Module(unit.tree_path.to_string()));
        self.files.push(self.index);
        Module { ty, files: self.files.into() }
    }

    /// Walks the tags before `end`.
    fn run(&mut self, events: &mut Events, end: u32) {
        while let Some((start, event)) = events.all.get(events.next).copied() {
            if start >= end {
                return;
            }
            events.next += 1;
            match event {
                Event::Statement(index) => self.statement(&self.tree.template.statements[index]),
                Event::Expression(index) => {
                    let expr = &self.tree.template.expressions[index].1;
                    self.root(expr, Ask::Need);
                }
                Event::Block(index) => {
                    let block = &self.tree.template.blocks[index];
                    self.deeper(|engine| engine.block(index, block, events));
                    // What an arm's bounds left out.
                    while events.all.get(events.next).is_some_and(|(start, _)| *start < block.span.end) {
                        events.next += 1;
                    }
                }
            }
        }
    }

    fn body(&mut self, block: &'t Block, arm: usize, events: &mut Events) {
        let Some(arm) = block.arms.get(arm) else { return };
        while events.all.get(events.next).is_some_and(|(start, _)| *start < arm.body.start) {
            events.next += 1;
        }
        self.run(events, arm.body.end);
    }

    /// A body with a scope of its own: what it binds ends with it.
    fn scoped(&mut self, block: &'t Block, events: &mut Events, bind: impl FnOnce(&mut Self)) {
        let mark = self.env.mark();
        bind(self);
        self.body(block, 0, events);
        self.env.rollback(mark);
    }

    fn block(&mut self, index: usize, block: &'t Block, events: &mut Events) {
        match &block.kind {
            BlockKind::If => self.conditional(block, events),
            BlockKind::For { targets, iterable, filter } => {
                let items = self.root(iterable, Ask::Need);
                let item = self.item_of(&items, iterable);
                let mark = self.env.mark();
                self.bind_targets(targets, &item, iterable, &items);
                if let Some(filter) = filter {
                    self.root(filter, Ask::Need);
                    narrow::assume(self, filter, true);
                }
                self.env.assign("loop", loop_record());
                self.in_loop += 1;
                self.body(block, 0, events);
                self.in_loop -= 1;
                self.env.rollback(mark);
                let mark = self.env.mark();
                if block.arms.len() > 1 {
                    self.body(block, 1, events);
                }
                self.env.rollback(mark);
            }
            BlockKind::Macro { name, params } => {
                let defaults: Vec<Option<Ty>> = params
                    .iter()
                    .map(|(_, _, default)| default.as_ref().map(|d| self.root(d, Ask::Need)))
                    .collect();
                let makro = Ty::Macro(Arc::new(self.macro_type(index, block, name, params)));
                self.note(name.1, &makro);
                self.env.assign(&name.0, makro);
                self.in_macro += 1;
                self.scoped(block, events, |engine| {
                    for ((param, ..), _) in params.iter().zip(defaults) {
                        // Whoever calls decides; a default is one of many values.
                        engine.env.assign(param, Ty::DYNAMIC);
                    }
                    for name in ["caller", "varargs", "kwargs"] {
                        engine.env.assign(name, Ty::DYNAMIC);
                    }
                });
                self.in_macro -= 1;
            }
            BlockKind::Call { call, params } => {
                self.root(call, Ask::Need);
                self.in_macro += 1;
                self.scoped(block, events, |engine| {
                    for (param, ..) in params {
                        engine.env.assign(param, Ty::DYNAMIC);
                    }
                });
                self.in_macro -= 1;
            }
            BlockKind::Set { name, filters } => {
                self.body(block, 0, events);
                let filtered = filters.as_ref().map(|f| self.root(f, Ask::Need));
                self.bind(name, filtered.unwrap_or(Ty::STR));
            }
            BlockKind::Load { format, name } => {
                self.body(block, 0, events);
                let ty = if format == "text" { Ty::STR } else { self.loaded(index) };
                self.bind(name, ty);
            }
            BlockKind::With { assignments } => {
                let values: Vec<Ty> = assignments.iter().map(|(.., v)| self.root(v, Ask::May)).collect();
                self.scoped(block, events, |engine| {
                    for ((name, span, _), ty) in assignments.iter().zip(values) {
                        engine.assign(name, ty);
                        engine.note_bound(name, *span);
                    }
                });
            }
            BlockKind::Filter { filters } => {
                self.root(filters, Ask::Need);
                self.scoped(block, events, |_| {});
            }
            BlockKind::Named { .. } => self.scoped(block, events, |_| {}),
            BlockKind::Raw | BlockKind::Unknown => {}
        }
    }

    fn conditional(&mut self, block: &'t Block, events: &mut Events) {
        let mut results: Vec<HashMap<&'t str, Ty>> = Vec::new();
        // What the earlier conditions said by being false holds in all later branches.
        let whole = self.env.mark();
        let mut marks: Vec<Mark> = Vec::new();
        self.same_conditions(block);
        for (index, arm) in block.arms.iter().enumerate() {
            if let Some(condition) = &arm.condition {
                self.root(condition, Ask::Need);
            }
            let mark = self.env.mark();
            if let Some(condition) = &arm.condition {
                narrow::assume(self, condition, true);
            }
            self.body(block, index, events);
            results.push(self.env.rollback(mark));
            marks.push(mark);
            if let Some(condition) = &arm.condition {
                narrow::assume(self, condition, false);
            }
        }
        if !block.exhaustive {
            results.push(HashMap::new());
        }
        self.env.rollback(whole);
        self.env.join(results);
    }

    /// Two branches of one `if` under the same words.
    fn same_conditions(&mut self, block: &'t Block) {
        let mut seen: HashMap<&str, Span> = HashMap::new();
        for arm in &block.arms {
            let Some(condition) = &arm.condition else { continue };
            let Some(text) = self.tree.text.get(condition.span.range()) else { continue };
            // What calls something may give another answer the second time.
            if text.contains('(') || text.is_empty() {
                continue;
            }
            match seen.get(text.trim()) {
                Some(first) => {
                    let first = *first;
                    self.push(
                        Diagnostic::new(
                            &DEAD_BRANCH,
                            condition.span,
                            "This branch is never taken: an earlier one has the same condition",
                        )
                        .label(first, "the earlier one")
                        .help("correct the condition, or remove the branch"),
                    );
                }
                None => {
                    seen.insert(text.trim(), condition.span);
                }
            }
        }
    }

    /// Whether a missing value is a mistake although it is only given a name: nothing in this file asks about the name, and no
    /// other file sees it.
    fn is_needed(&self, targets: &[(String, Span)], value: &Expr) -> bool {
        let is_path = matches!(value.kind, ExprKind::Attribute { .. } | ExprKind::Index { .. });
        let [(name, _)] = targets else { return false };
        let is_its_own = self.unit.summary.uses.is_empty() && !self.world.around.is_used(self.unit.path);
        let name = name.as_str();
        is_path && is_its_own && self.used.contains(name) && !self.asked.contains(name)
    }

    fn statement(&mut self, statement: &'t Statement) {
        match &statement.kind {
            StatementKind::Set { targets, value } => {
                let ask = if self.is_needed(targets, value) { Ask::Kept } else { Ask::May };
                let ty = self.root(value, ask);
                match targets.as_slice() {
                    [bound @ (name, _)] if !name.contains('.') => {
                        let literal = matches!(&value.kind, ExprKind::Literal(_));
                        // A literal is a switch that somebody turns by hand: it stands for its like.
                        self.bind(bound, if literal { ty.widened() } else { ty });
                    }
                    [(path, _)] => self.env.forget(path),
                    many => {
                        for (index, bound) in many.iter().enumerate() {
                            if bound.0.contains('.') {
                                self.env.forget(&bound.0);
                            } else {
                                self.bind(bound, super::known::item_at(&ty, index));
                            }
                        }
                    }
                }
            }
            StatementKind::Do(value) => {
                self.root(value, Ask::Need);
            }
            StatementKind::Include { path, .. } | StatementKind::Extends(path) => {
                self.root(path, Ask::Need);
            }
            StatementKind::Import { path, name, .. } => {
                self.root(path, Ask::Need);
                let module = self.imported(statement.span);
                self.bind(name, module);
            }
            StatementKind::FromImport { path, names, .. } => {
                self.root(path, Ask::Need);
                let module = self.imported(statement.span);
                for (name, span, local) in names {
                    let ty = member_of_module(&module, name);
                    self.assign(local, ty);
                    self.note_bound(local, *span);
                }
            }
            StatementKind::ImportData { path, name, format } => {
                self.root(path, Ask::Need);
                let ty = if format == "text" { Ty::STR } else { self.imported_data(statement.span) };
                self.bind(name, ty);
            }
            StatementKind::LoopControl(_) | StatementKind::Unknown => {}
        }
    }

    /// Gives a variable a value; of one that is changed in place somewhere, only its kind is kept.
    pub(super) fn assign(&mut self, name: &'t str, ty: Ty) {
        let ty = if self.mutated.contains(name) { ty.loosened() } else { ty };
        // A value that may be missing is a matter of where it is used, and there conditions are often the same.
        let ty = if ty.may_be_undefined() { ty.defined() } else { ty };
        self.env.assign(name, if ty == Ty::Never { Ty::GAP } else { ty });
    }

    /// Gives a variable a value at the place of its name.
    fn bind(&mut self, (name, span): &'t (String, Span), ty: Ty) {
        self.assign(name, ty);
        self.note_bound(name, *span);
    }

    fn note_bound(&mut self, name: &str, span: Span) {
        if self.all.is_some()
            && let Some(ty) = self.env.get(name).cloned()
        {
            self.note(span, &ty);
        }
    }

    /// The file that an import names.
    fn import(&self, statement: Span) -> Option<usize> {
        let used = self.unit.summary.uses.iter().position(|u| u.statement == statement)?;
        self.world.around.template(self.index, used)
    }

    /// What a file of data holds.
    fn imported_data(&mut self, statement: Span) -> Ty {
        let Some(index) = self.import(statement) else { return Ty::DYNAMIC };
        if !self.files.contains(&index) {
            self.files.push(index);
        }
        self.world.data_of(index)
    }

    fn imported(&mut self, statement: Span) -> Ty {
        let Some(index) = self.import(statement) else { return Ty::GAP };
        let module = self.world.module(index);
        for file in module.files.iter() {
            if !self.files.contains(file) {
                self.files.push(*file);
            }
        }
        module.ty
    }

    /// What a `load_yaml` block's text is.
    fn loaded(&self, index: usize) -> Ty {
        let body = self.tree.bodies.iter().find(|b| b.block == index);
        match body.and_then(|b| b.root.as_ref()) {
            Some(root) if self.tree.opaque.is_none() => super::data::of_node(root, &|expr| {
                self.roots.get(&expr.span.start).cloned().unwrap_or(Ty::GAP)
            }),
            _ => Ty::DYNAMIC,
        }
    }

    fn macro_type(
        &self,
        index: usize,
        block: &'t Block,
        name: &(String, Span),
        params: &[(String, Span, Option<Arc<Expr>>)],
    ) -> MacroTy {
        let body = block.arms.first().map_or(block.span, |arm| arm.body);
        let mut open = false;
        let first = self.tops.partition_point(|root| root.span.start < body.start);
        for root in self.tops.iter().skip(first).take_while(|root| root.span.start < body.end) {
            crate::check::walk::visit(root, &mut |expr| {
                if let ExprKind::Name(word) = &expr.kind {
                    open |= matches!(word.as_str(), "varargs" | "kwargs" | "caller");
                }
            });
        }
        // Printed outside of every block of the macro's own: every call comes by.
        let template = &self.tree.template;
        let mut needed: Vec<&str> = Vec::new();
        let mut blocks =
            template.blocks.iter().skip(index + 1).take_while(|b| b.span.start < body.end).peekable();
        let mut ended = body.start;
        let first = template.expressions.partition_point(|(span, _)| span.start < body.start);
        for (span, expr) in
            template.expressions.iter().skip(first).take_while(|(span, _)| span.start < body.end)
        {
            while let Some(block) = blocks.next_if(|b| b.span.start < span.start) {
                ended = ended.max(block.span.end);
            }
            if span.start >= ended {
                needed.extend(free_in(expr));
            }
        }
        // So does what a loop of its own goes through.
        for block in template.blocks.iter().skip(index + 1).take_while(|b| b.span.start < body.end) {
            if let BlockKind::For { iterable, .. } = &block.kind
                && block.parent.is_some_and(|(parent, _)| parent == index)
            {
                needed.extend(free_in(iterable));
            }
        }
        MacroTy {
            name: name.0.clone(),
            span: name.1,
            params: params
                .iter()
                .map(|(param, _, default)| MacroParam {
                    name: param.clone(),
                    default: default.is_some(),
                    needed: default.is_none() && needed.contains(&param.as_str()),
                })
                .collect(),
            open,
        }
    }

    /// The type of the items that a loop goes through.
    fn item_of(&mut self, items: &Ty, iterable: &'t Arc<Expr>) -> Ty {
        let mut found = Vec::new();
        let mut wrong = None;
        for member in items.members() {
            match member {
                Ty::Null | Ty::Bool(_) | Ty::Int(_) | Ty::Float => wrong = Some(member.clone()),
                Ty::Undefined => {}
                other => found.push(super::known::each(other)),
            }
        }
        if found.is_empty()
            && let Some(wrong) = wrong
        {
            let message = format!("The loop goes over {}, which has no items", wrong.describe());
            self.push(
                Diagnostic::new(&NOT_ITERABLE, iterable.span, message)
                    .help("loop over a list, or over the `.items()` of a map"),
            );
        }
        if found.is_empty() { Ty::GAP } else { Ty::union(found) }
    }

    fn bind_targets(
        &mut self,
        targets: &'t [(String, Span)],
        item: &Ty,
        iterable: &'t Arc<Expr>,
        items: &Ty,
    ) {
        if let [bound] = targets {
            self.bind(bound, item.clone());
            return;
        }
        let keys_only = targets.len() > 1
            && !items.members().is_empty()
            && items.members().iter().all(|m| matches!(m.shown(), Ty::Record(_) | Ty::Map(_)));
        let scalars = !item.members().is_empty()
            && item.members().iter().all(|m| {
                matches!(m, Ty::Int(_) | Ty::Bool(_) | Ty::Float | Ty::Null)
                    || matches!(m, Ty::Str(Some(text)) if text.chars().count() != targets.len())
            });
        // A map that is empty in the tree is never looped over.
        let is_empty = items.members().iter().all(|m| matches!(m, Ty::Record(r) if r.fields.is_empty()));
        if keys_only && !is_empty {
            let text = self.tree.text.get(iterable.span.range()).unwrap_or_default();
            let message = format!("`{text}` is a map, and a loop over it gives its keys alone");
            let end = Span { start: iterable.span.end, ..iterable.span };
            self.push(
                Diagnostic::new(&NOT_ITERABLE, iterable.span, message)
                    .help(format!("`{text}.items()` gives keys with their values"))
                    .fix("add `.items()`", crate::diagnostic::Applicability::Unsafe, end, ".items()"),
            );
        } else if scalars {
            let message = format!(
                "Each item is {}, which cannot be taken apart into {} variables",
                item.describe(),
                targets.len()
            );
            self.push(
                Diagnostic::new(&NOT_ITERABLE, iterable.span, message)
                    .help("loop with one variable, or over a list of lists"),
            );
        }
        for (index, bound) in targets.iter().enumerate() {
            let part = if keys_only { Ty::GAP } else { super::known::item_at(item, index) };
            self.bind(bound, part);
        }
    }

    /// A name that is used before anything gave it a value.
    pub(super) fn unset(&mut self, name: &'t str, span: Span) {
        let Some(first) = self.bound.get(name).copied() else { return };
        let others = self.world.around.is_used(self.unit.path);
        if self.in_macro > 0 || others || self.in_loop > 0 || GLOBALS.contains(&name) {
            return;
        }
        // Bound by a macro, a loop or a `with` of its own elsewhere: this place never sees it.
        let later = first.start > span.start;
        let message = if later {
            format!("The variable `{name}` is used before it is set")
        } else {
            format!("The variable `{name}` is not defined here: its scope ended above")
        };
        let label = if later { "set here, later" } else { "bound here, within its own block" };
        self.push(
            Diagnostic::new(&UNDEFINED_VARIABLE, span, message)
                .label(first, label)
                .help("set it before it is used, at the level where it is used"),
        );
    }
}

/// Methods that change the value they are called on.
const CHANGES: [&str; 10] =
    ["append", "extend", "insert", "pop", "remove", "update", "setdefault", "clear", "popitem", "sort"];

/// Whether a template's macros change any value in place.
pub(super) fn changes_values(tree: &Tree) -> bool {
    let macros: Vec<Span> = tree
        .template
        .blocks
        .iter()
        .filter(|block| matches!(block.kind, BlockKind::Macro { .. }))
        .map(|block| block.span)
        .collect();
    if macros.is_empty() {
        return false;
    }
    let is_within =
        |span: Span| macros.iter().any(|block| block.start <= span.start && span.end <= block.end);
    let sets_member = |statement: &Statement| match &statement.kind {
        StatementKind::Set { targets, .. } => targets.iter().any(|(target, _)| target.contains('.')),
        _ => false,
    };
    let calls = |root: &Arc<Expr>| {
        let mut found = false;
        crate::check::walk::visit(root, &mut |expr| {
            let ExprKind::Call { callee, .. } = &expr.kind else { return };
            found |= match &callee.kind {
                ExprKind::Attribute { name, .. } => CHANGES.contains(&name.as_str()),
                ExprKind::Index { index, .. } => match &index.kind {
                    ExprKind::Literal(crate::types::Value::Str(name)) => {
                        name.ends_with(".update") || name == "defaults.merge"
                    }
                    _ => true,
                },
                _ => false,
            };
        });
        found
    };
    tree.template.statements.iter().filter(|s| is_within(s.span)).any(sets_member)
        || crate::check::walk::roots(&tree.template)
            .into_iter()
            .filter(|root| is_within(root.span))
            .any(calls)
}

/// The variables whose values an expression may be, or hold.
fn bases(expr: &Arc<Expr>) -> Vec<&str> {
    let mut found = Vec::new();
    let mut pending = vec![expr];
    while let Some(expr) = pending.pop() {
        match &expr.kind {
            ExprKind::Name(name) => found.push(name.as_str()),
            // A comparison, a sum of texts, a test: a new value.
            ExprKind::Test { .. }
            | ExprKind::Unary { .. }
            | ExprKind::Binary {
                operator: "~" | "==" | "!=" | "<" | ">" | "<=" | ">=" | "in" | "not in",
                ..
            } => {}
            _ => pending.extend(parts(expr)),
        }
    }
    found
}

/// The variable `loop`.
fn loop_record() -> Ty {
    use std::sync::LazyLock;
    static LOOP: LazyLock<Ty> = LazyLock::new(|| {
        let fields = [
            ("index", Ty::INT),
            ("index0", Ty::INT),
            ("revindex", Ty::INT),
            ("revindex0", Ty::INT),
            ("first", Ty::BOOL),
            ("last", Ty::BOOL),
            ("length", Ty::INT),
            ("depth", Ty::INT),
            ("depth0", Ty::INT),
            ("previtem", Ty::DYNAMIC),
            ("nextitem", Ty::DYNAMIC),
            ("cycle", Ty::DYNAMIC),
            ("changed", Ty::DYNAMIC),
        ];
        Ty::record(
            fields.into_iter().map(|(name, ty)| (name.into(), Field::of(ty))).collect(),
            Openness::Closed,
            Origin::Loop,
        )
    });
    LOOP.clone()
}
