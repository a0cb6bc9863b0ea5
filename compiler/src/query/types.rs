//! The types of a file's expressions, as the checker finds them, over a text that may be newer than the last check.

use super::{Context, Index, Symbol, chain::Root};
use crate::{
    check::{summary::Summary, walk},
    infer::{self, Around, Field, Given, Noted, SeenFile, Ty, World},
    project::TreeKind,
    source::Span,
    syntax::{
        Tree,
        expression::{Expr, ExprKind},
    },
    target::Nodegroups,
    types::Registry,
};
use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

/// Other files whose calls of a macro are looked at.
const MAX_CALLERS: usize = 40;

/// The project of an index, with one file as it is being typed.
struct Typed<'i> {
    index: &'i Index,
    context: &'i Context,
    tree: &'i Tree,
    summary: Summary,
    number: usize,
    /// Files that uses of templates name, looked up once: it is asked of the disk.
    used: Vec<OnceLock<Option<usize>>>,
}

impl<'i> Typed<'i> {
    fn of(index: &'i Index, context: &'i Context, tree: &'i Tree) -> Self {
        let summary = Summary::of_template(tree, &Index::constants(context, tree));
        let used = summary.uses.iter().map(|_| OnceLock::new()).collect();
        // A file that the last check did not see has a number that no other file has.
        let number = index.number(&context.path).unwrap_or(usize::MAX);
        Self { index, context, tree, summary, number, used }
    }

    fn named(&self, context: &Context, path: Option<&String>) -> Option<usize> {
        let project = &self.index.project;
        let file = crate::check::workspace::find_template(project, &context.env, path?, &context.tree_path)?;
        self.index.number(&file.path)
    }
}

impl Around for Typed<'_> {
    fn file(&self, number: usize) -> Option<SeenFile<'_>> {
        if number == self.number {
            let Context { path, tree_path, kind, .. } = self.context;
            return Some(SeenFile { path, tree_path, kind: *kind, tree: self.tree, summary: &self.summary });
        }
        let file = self.index.numbered(number)?;
        Some(SeenFile {
            path: &file.path,
            tree_path: &file.context.tree_path,
            kind: file.context.kind,
            tree: &file.tree,
            summary: &file.summary,
        })
    }

    fn template(&self, number: usize, nth: usize) -> Option<usize> {
        if number == self.number {
            let path = || self.summary.uses.get(nth)?.path.as_ref();
            return *self.used.get(nth)?.get_or_init(|| self.named(self.context, path()));
        }
        let file = self.index.numbered(number)?;
        self.named(&file.context, file.summary.uses.get(nth)?.path.as_ref())
    }

    fn is_used(&self, _: &str) -> bool {
        // Only what is reported depends on it, and nothing is.
        true
    }

    fn is_custom(&self, module: &str) -> bool {
        self.index.custom.contains(module)
    }

    fn registry(&self) -> &Registry {
        &self.index.registry
    }

    fn nodegroups(&self) -> &Nodegroups {
        &self.index.project.config().nodegroups
    }
}

/// What is known of a macro's parameter.
pub struct ParameterTypes {
    /// The type of its default.
    pub default: Option<Ty>,
    /// What calls give for it.
    pub given: Vec<Ty>,
}

/// The types of the expressions of one file.
pub struct Types {
    noted: Noted,
}

impl Types {
    /// The type of the innermost expression, or bound name, at a place.
    pub fn at(&self, offset: u32) -> Option<(Span, &Ty)> {
        self.noted
            .types
            .iter()
            .filter(|(span, _)| span.start <= offset && offset <= span.end)
            .min_by_key(|(span, _)| (span.range().len(), span.start))
            .map(|(span, ty)| (*span, ty))
    }

    /// The type of what stands at exactly a place; parentheses around it do not count.
    pub fn of(&self, place: &Range<usize>) -> Option<&Ty> {
        self.noted
            .types
            .iter()
            .filter(|(span, _)| place.start <= span.range().start && span.range().end <= place.end)
            .max_by_key(|(span, _)| span.range().len())
            .map(|(_, ty)| ty)
    }
}

impl Index {
    /// The types of a file's expressions on all its branches.
    pub fn types_of(&self, context: &Context, tree: &Tree) -> Types {
        let Some(data) = self.data.as_deref() else { return Types { noted: Noted::default() } };
        let typed = Typed::of(self, context, tree);
        let world = World::new(&typed, data);
        let given = self.given(&world, context);
        Types { noted: infer::noted_with(&world, typed.number, &given).unwrap_or_default() }
    }

    /// What states give to a file that they render, as the last check saw them; found out once.
    fn given(&self, world: &World<'_>, context: &Context) -> Arc<Given> {
        if !infer::may_be_given(context.kind, context.tree_kind) {
            return Arc::default();
        }
        let known = || self.given.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(given) = known().get(&context.path) {
            return given.clone();
        }
        // Another root may have a file of this name that comes first.
        let named = self.project.find(TreeKind::States, &context.env, &context.tree_path);
        let renderers = self.files.iter().enumerate().filter_map(|(number, file)| {
            let same = file.context.tree_kind == TreeKind::States && file.context.env == context.env;
            let places = if same { infer::places(&file.summary, &context.tree_path) } else { Vec::new() };
            (!places.is_empty()).then_some((number, places))
        });
        let given = match named {
            Some(file) if file.path == context.path => Arc::new(infer::given(world, renderers)),
            _ => Arc::default(),
        };
        known().insert(context.path.clone(), given.clone());
        given
    }

    /// The type of a path below facts, grains or settings, as the whole project has it.
    pub fn type_of_path(&self, root: Root, path: &[String]) -> Option<Ty> {
        let data = self.data.as_deref()?;
        let root = match root {
            Root::Settings => &data.settings,
            Root::Facts => &data.facts,
            Root::Grains => &data.grains,
        };
        path.iter().try_fold(root.clone(), |ty, key| key_of(&ty, key))
    }

    /// What is known of the parameter of a macro that is bound at a place: its default, and what calls give for it, in
    /// this file and in those that import it.
    pub fn parameter_types(&self, context: &Context, tree: &Tree, parameter: Span) -> Option<ParameterTypes> {
        use crate::syntax::template::BlockKind;
        let data = self.data.as_deref()?;
        let (makro, position, default) = tree.template.blocks.iter().find_map(|block| {
            let BlockKind::Macro { name, params } = &block.kind else { return None };
            let at = params.iter().position(|(_, span, _)| *span == parameter)?;
            Some((name, at, params.get(at)?.2.as_ref()))
        })?;
        let typed = Typed::of(self, context, tree);
        let world = World::new(&typed, data);
        let own = infer::noted_with(&world, typed.number, &self.given(&world, context))?;
        let given_in = |noted: &Noted| {
            let of_this = |(span, at, _): &&(Span, usize, Ty)| *span == makro.1 && *at == position;
            noted.given.iter().filter(of_this).map(|(.., ty)| ty.clone()).collect::<Vec<_>>()
        };
        let default = default.and_then(|expr| {
            own.types.iter().find(|(span, _)| *span == expr.span).map(|(_, ty)| ty.widened())
        });
        let mut given = given_in(&own);
        let symbol = Symbol::Name { file: context.path.clone(), scope: None, name: makro.0.clone() };
        let callers = self
            .files()
            .filter(|file| file.path != context.path && file.tree.text.contains(makro.0.as_str()))
            .filter(|file| self.mentions(file).iter().any(|mention| mention.symbol == symbol));
        for number in callers.take(MAX_CALLERS).filter_map(|file| self.number(&file.path)) {
            given.extend(infer::noted(&world, number).iter().flat_map(given_in));
        }
        Some(ParameterTypes { default, given })
    }
}

/// The value before a filter whose name stands at a place.
pub fn filtered_value(tree: &Tree, name: Span) -> Option<&Arc<Expr>> {
    let mut found = None;
    for root in walk::roots(&tree.template) {
        if root.span.contains(name) {
            walk::visit(root, &mut |expr| {
                if let ExprKind::Filter { value: Some(value), name_span, .. } = &expr.kind
                    && *name_span == name
                {
                    found = Some(value);
                }
            });
        }
    }
    found
}

/// What a key of a value is.
fn key_of(ty: &Ty, key: &str) -> Option<Ty> {
    let found: Vec<Ty> = ty
        .members()
        .iter()
        .filter_map(|member| match member {
            Ty::Record(record) => record.fields.get(key).map(|field| field.ty.clone()),
            Ty::Map(value) => Some((**value).clone()),
            Ty::Secret(inner) => key_of(inner, key).map(Ty::secret),
            _ => None,
        })
        .collect();
    (!found.is_empty()).then(|| Ty::union(found))
}

/// The keys that a value is known to have, in the order in which they were met.
pub fn keys_of(ty: &Ty) -> Vec<(Arc<str>, Field)> {
    let mut found = Vec::new();
    for member in ty.members() {
        match member.shown() {
            Ty::Record(record) => found.extend(record.fields.iter().map(|(k, f)| (k.clone(), f.clone()))),
            inner @ Ty::Union(_) => found.extend(keys_of(inner)),
            _ => {}
        }
    }
    found
}

/// The texts that a value is known to be, or nearly always is.
pub fn words_of(ty: &Ty) -> Vec<Arc<str>> {
    let mut found = Vec::new();
    for member in ty.members() {
        match member {
            Ty::Str(Some(text)) => found.push(text.clone()),
            Ty::Word(words) => found.extend(words.iter().cloned()),
            // What is secret is not shown, in whatever place.
            _ => {}
        }
    }
    found
}
