//! What one file means to the others: ids, requisite targets, includes, imports. The only thing the rules that look
//! across files depend on, so a file is read again only when its own text changes.

use super::{
    fold::Constants,
    orchestration::is_step,
    pattern::Pattern,
    sources::{Source, rendered},
    walk::bindings,
};
use crate::{
    check::parameters::{Extent, bind},
    diagnostic::Diagnostic,
    lower::document::{Function, Reference, State, StateFile, read_requisites, requisite_of_key},
    source::Span,
    syntax::{
        Node, NodeKind, Tree,
        expression::ExprKind,
        template::{BlockKind, StatementKind, Template},
        tree::BodyKind,
    },
    types::{FunctionKind, FunctionName, Registry},
};
use compact_str::CompactString;
use std::{collections::BTreeSet, sync::Arc};

/// Where a place stands among the template's branches: the arms of `if` and `for` around it, outermost first.
pub type Branch = Vec<(usize, usize)>;

/// A state of a file.
#[derive(Debug)]
pub struct StateDecl {
    /// Its id.
    pub id: Pattern,
    /// Where the id stands.
    pub span: Span,
    /// Its functions.
    pub functions: Vec<FunctionDecl>,
    /// It may have functions that are not known here.
    pub open: bool,
    /// The branches around it.
    pub branch: Branch,
    /// The macro (or other captured) body it stands in: index into the template's blocks.
    pub body: Option<usize>,
}

/// A function of a state.
#[derive(Debug)]
pub struct FunctionDecl {
    /// `module.function`, where literal.
    pub name: Option<FunctionName>,
    /// The module alone, where only that is known.
    pub module: Option<CompactString>,
    /// Where the module's and the function's words stand.
    pub words: (Span, Span),
    /// The whole name, from the one word to the other.
    pub span: Span,
    /// Values of `name` and `names`.
    pub names: Vec<(Pattern, Span)>,
    /// Its arguments.
    pub arguments: Vec<ArgumentDecl>,
    /// It may have arguments that are not known here.
    pub open: bool,
    /// What its requisites name.
    pub references: Vec<Reference>,
    /// What is wrong with its arguments.
    pub diagnostics: Vec<Diagnostic>,
    /// The branches around it.
    pub branch: Branch,
}

/// An argument.
#[derive(Debug)]
pub struct ArgumentDecl {
    /// Its name.
    pub name: CompactString,
    /// Where that stands.
    pub span: Span,
    /// What its value can be, for scalars and lists of scalars.
    pub values: Vec<(Pattern, Span)>,
}

/// A ref to another file: `include`, `exclude: [{sls: …}]`.
#[derive(Debug)]
pub struct RefDecl {
    /// What it can be.
    pub name: Pattern,
    /// Where.
    pub span: Span,
    /// Environment, where one is named: `None` inside when it is computed.
    pub env: Option<Option<String>>,
    /// The branches around it.
    pub branch: Branch,
}

/// A template that another one uses.
#[derive(Debug)]
pub struct TemplateUse {
    /// What it does with it.
    pub kind: UseKind,
    /// The path, where the text decides it.
    pub path: Option<String>,
    /// Known beginning and end of a path that is computed in between.
    pub frame: (String, String),
    /// Where the path stands.
    pub span: Span,
    /// The whole statement.
    pub statement: Span,
    /// Whether the file sees the user's variables.
    pub with_context: bool,
}

/// How a template uses another file.
#[derive(Debug)]
pub enum UseKind {
    /// `include`: its text. Whether it may be missing.
    Include(bool),
    /// `import … as name`
    Import,
    /// `from … import`: name there, place, name here.
    From(Vec<(String, Span, String)>),
    /// `import_yaml`: a file of data.
    Data,
    /// `import_json`, `import_text`: a file that is not looked into.
    Text,
    /// `extends`
    Extends,
}

/// What one file means to the others.
#[derive(Debug, Default)]
pub struct Summary {
    /// States of all branches, those of macro bodies included.
    pub states: Vec<StateDecl>,
    /// `include`
    pub includes: Vec<RefDecl>,
    /// An include list with items that are not known here.
    pub includes_open: bool,
    /// `extend`
    pub extends: Vec<StateDecl>,
    /// `exclude: [{id: …}]` and bare names.
    pub excluded_ids: Vec<RefDecl>,
    /// `exclude: [{sls: …}]`
    pub excluded_refs: Vec<RefDecl>,
    /// The file may have states that are not known here; the place of the first construct that brings them.
    pub open: Option<Span>,
    /// Calls of macros whose text is states, or entries of the file: they are among what makes it open.
    pub calls: Vec<String>,
    /// Whether it is open for more than those calls.
    pub open_beyond_calls: bool,
    /// Templates it uses.
    pub uses: Arc<[TemplateUse]>,
    /// Files that its states render.
    pub sources: Arc<[Source]>,
    /// Names it gives to those that import it.
    pub exports: Arc<BTreeSet<String>>,
    /// Whether the top of the file looks like states, rather than data.
    pub looks_like_states: bool,
    /// Whether it looks like data, as far as it has no function: a list, a text, a map of no functions for a body.
    pub looks_like_data: bool,
    /// Whether some state is a step of an orchestration.
    pub has_steps: bool,
    /// What is wrong with the shapes.
    pub diagnostics: Vec<Diagnostic>,
}

impl Summary {
    /// Reads a state file, of which it is known what it is as a template. `is_function` knows the names of modules and
    /// their state functions.
    pub fn of(
        tree: &Tree,
        template: &Self,
        constants: &Constants,
        registry: &Registry,
        is_function: &dyn Fn(&str, &str) -> bool,
    ) -> Self {
        let mut summary = Self {
            uses: template.uses.clone(),
            sources: template.sources.clone(),
            exports: template.exports.clone(),
            ..Self::default()
        };
        let reader = Reader { template: &tree.template, constants, registry };
        if let Some(root) = &tree.root {
            let looks = looks(root, registry, is_function);
            summary.looks_like_states = looks.functions || looks.perhaps_states;
            summary.looks_like_data = looks.data && !looks.functions;
            let mut file = StateFile::read(root, &tree.template);
            summary.diagnostics.append(&mut file.diagnostics);
            summary.take(&reader, &file, None);
        }
        summary.take_bodies(tree, &reader);
        // Summaries are kept for as long as a project is open.
        summary.states.shrink_to_fit();
        for state in &mut summary.states {
            state.functions.shrink_to_fit();
            state.branch.shrink_to_fit();
        }
        let mut functions = summary.states.iter().flat_map(|state| &state.functions);
        summary.has_steps = functions.any(|function| is_step(registry, function));
        // What stands behind an error, or in a file that was not understood, is not known.
        if let Some(opaque) = &tree.opaque {
            summary.open.get_or_insert(opaque.span);
            summary.open_beyond_calls = true;
        }
        if let Some(error) = tree.diagnostics.iter().chain(&summary.diagnostics).find(|d| d.is_error()) {
            summary.open.get_or_insert(error.span);
            summary.open_beyond_calls = true;
        }
        summary
    }

    /// Reads the states that a template has for others: those of its macros, and its own text where it is states that others include.
    pub fn of_parts(
        tree: &Tree,
        constants: &Constants,
        registry: &Registry,
        is_function: &dyn Fn(&str, &str) -> bool,
    ) -> Self {
        let mut summary = Self::default();
        let reader = Reader { template: &tree.template, constants, registry };
        if let Some(root) = tree.root.as_ref().filter(|root| {
            let looks = looks(root, registry, is_function);
            looks.functions || looks.perhaps_states
        }) {
            let file = StateFile::read(root, &tree.template);
            summary.states.extend(file.states.iter().flat_map(|s| reader.state(s, None, Extent::Part)));
        }
        summary.take_bodies(tree, &reader);
        summary
    }

    fn take_bodies(&mut self, tree: &Tree, reader: &Reader<'_>) {
        for body in &tree.bodies {
            let (BodyKind::States, Some(root)) = (body.kind, &body.root) else { continue };
            let mut file = StateFile::read(root, &tree.template);
            self.diagnostics.append(&mut file.diagnostics);
            self.take(reader, &file, Some(body.block));
        }
    }

    /// Reads what a file is as a template alone.
    pub fn of_template(tree: &Tree, constants: &Constants) -> Self {
        let loops = |offset: u32| {
            tree.template.arms_at(offset).iter().any(|(block, _)| {
                matches!(
                    tree.template.blocks[*block].kind,
                    BlockKind::For { .. } | BlockKind::Macro { .. } | BlockKind::Call { .. }
                )
            })
        };
        let exports: BTreeSet<String> = bindings(&tree.template)
            .into_iter()
            .filter(|b| {
                // A macro's own name lies in its block's span, but not in its body.
                b.within.is_none() && !loops(b.span.start)
            })
            .map(|b| b.name.to_owned())
            .collect();
        Self {
            uses: uses(tree, constants),
            sources: rendered(tree, constants),
            exports: Arc::new(exports),
            ..Self::default()
        }
    }

    fn take(&mut self, reader: &Reader<'_>, file: &StateFile<'_>, body: Option<usize>) {
        self.includes_open |= file.includes_open;
        for include in &file.includes {
            let env = include.env.map(|node| node.text().map(|t| t.into_owned()));
            for (name, span) in Pattern::of_node(include.reference, reader.constants) {
                self.includes.push(RefDecl { name, span, env: env.clone(), branch: reader.branch(span) });
            }
            if matches!(include.reference.kind, NodeKind::Splice(_) | NodeKind::Error) {
                self.includes_open = true;
            }
        }
        for exclude in &file.excludes {
            for (name, span) in Pattern::of_node(exclude.name, reader.constants) {
                let decl = RefDecl { name, span, env: None, branch: reader.branch(span) };
                if exclude.sls { self.excluded_refs.push(decl) } else { self.excluded_ids.push(decl) }
            }
        }
        self.states.extend(
            file.states.iter().flat_map(|s| {
                reader.state(s, body, if body.is_some() { Extent::Part } else { Extent::Whole })
            }),
        );
        self.extends.extend(file.extends.iter().flat_map(|s| reader.state(s, body, Extent::Part)));
        for splice in &file.splices {
            self.open.get_or_insert(splice.span);
            match splice.expr.as_deref().map(|expr| &expr.kind) {
                Some(ExprKind::Call { callee, .. }) if body.is_none() => match &callee.kind {
                    ExprKind::Name(name) => self.calls.push(name.clone()),
                    _ => self.open_beyond_calls = true,
                },
                _ => self.open_beyond_calls = true,
            }
        }
    }
}

struct Reader<'t> {
    template: &'t Template,
    constants: &'t Constants,
    registry: &'t Registry,
}

impl Reader<'_> {
    fn branch(&self, span: Span) -> Branch {
        let mut branch = self.template.arms_at(span.start);
        branch.retain(|(block, _)| {
            matches!(self.template.blocks[*block].kind, BlockKind::If | BlockKind::For { .. })
        });
        branch
    }

    fn state(&self, state: &State<'_>, body: Option<usize>, extent: Extent) -> Vec<StateDecl> {
        // An id that depends on a branch is several ids.
        Pattern::of_node(state.id, self.constants)
            .into_iter()
            .map(|(id, span)| StateDecl {
                id,
                span,
                functions: state.functions.iter().map(|f| self.function(f, extent)).collect(),
                open: !state.splices.is_empty(),
                branch: self.branch(span),
                body,
            })
            .collect()
    }

    fn function(&self, function: &Function<'_>, extent: Extent) -> FunctionDecl {
        let mut diagnostics = Vec::new();
        let signature = function
            .name
            .as_ref()
            .and_then(|n| self.registry.get(FunctionKind::State, &n.module, &n.function));
        if let Some(signature) = signature {
            bind(function, signature, extent, self.template, &mut diagnostics);
        }
        let mut names = Vec::new();
        let mut arguments = Vec::new();
        let mut open = function.open || !function.splices.is_empty();
        let mut references = Vec::new();
        for argument in &function.arguments {
            let Some(key) = argument.key.text() else {
                open = true;
                continue;
            };
            if requisite_of_key(&key).is_some() {
                let (found, mut wrong) = read_requisites(argument);
                references.extend(found);
                if signature.is_none() {
                    diagnostics.append(&mut wrong);
                }
            }
            let values = Pattern::of_list(argument.value, self.constants);
            match key.as_ref() {
                "name" => names.extend(Pattern::of_node(argument.value, self.constants)),
                "names" => names.extend(values.iter().cloned()),
                _ => {}
            }
            arguments.push(ArgumentDecl { name: key.into(), span: argument.key.span, values });
        }
        names.shrink_to_fit();
        arguments.shrink_to_fit();
        references.shrink_to_fit();
        diagnostics.shrink_to_fit();
        FunctionDecl {
            name: function.name.clone(),
            module: function.module.as_deref().map(Into::into),
            words: function.word_spans(),
            span: function.name_span(),
            names,
            arguments,
            open,
            references,
            diagnostics,
            branch: self.branch(function.span),
        }
    }
}

fn uses(tree: &Tree, constants: &Constants) -> Arc<[TemplateUse]> {
    tree.template
        .statements
        .iter()
        .filter_map(|statement| {
            let (kind, path, with_context) = match &statement.kind {
                StatementKind::Include { path, ignore_missing } => {
                    (UseKind::Include(*ignore_missing), path, true)
                }
                StatementKind::Import { path, with_context, .. } => (UseKind::Import, path, *with_context),
                StatementKind::FromImport { path, names, with_context } => {
                    (UseKind::From(names.clone()), path, *with_context)
                }
                StatementKind::ImportData { path, format, .. } => {
                    (if format == "yaml" { UseKind::Data } else { UseKind::Text }, path, true)
                }
                StatementKind::Extends(path) => (UseKind::Extends, path, true),
                _ => return None,
            };
            Some(TemplateUse {
                kind,
                path: constants.text(path),
                frame: constants.frame(path),
                span: path.span,
                statement: statement.span,
                with_context,
            })
        })
        .collect()
}

/// What a document looks like.
#[derive(Default)]
struct Looks {
    /// Some entry has a function that is known, or a known module's key with one of its functions in the list.
    functions: bool,
    /// It includes others, has a state of a module that is not known, or a splice that may bring some.
    perhaps_states: bool,
    /// Some entry has a body that no state has.
    data: bool,
}

fn looks(root: &Node, registry: &Registry, is_function: &dyn Fn(&str, &str) -> bool) -> Looks {
    let is_name = |text: &str| text.split_once('.').is_some_and(|(m, f)| is_function(m, f));
    let is_split = |key: &str, value: &Node| {
        value
            .as_sequence()
            .is_some_and(|s| s.items.iter().any(|i| i.text().is_some_and(|t| is_function(key, &t))))
    };
    // A module that is not known here, with a list of maps: a site's own state.
    let is_foreign = |key: &str, value: &Node| {
        key.split_once('.').is_some_and(|(m, f)| is_word(m) && is_word(f))
            && value.as_sequence().is_some_and(|s| s.items.iter().all(|i| i.as_mapping().is_some()))
    };
    let mut looks = Looks::default();
    let mut pending = vec![(root, true)];
    while let Some((node, top)) = pending.pop() {
        match &node.kind {
            NodeKind::Choice(nodes) => pending.extend(nodes.iter().map(|n| (n, top))),
            NodeKind::Splice(_) if top => looks.perhaps_states = true,
            NodeKind::Scalar(scalar) if !top && scalar.literal().is_some_and(|t| is_name(&t)) => {
                return Looks { functions: true, ..looks };
            }
            NodeKind::Scalar(scalar) if !top => {
                looks.data |= scalar.literal().is_some_and(|text| !text.contains('.'));
            }
            NodeKind::Sequence(_) if !top => looks.data = true,
            NodeKind::Mapping(mapping) if top => {
                looks.perhaps_states |= !mapping.splices.is_empty();
                for entry in &mapping.entries {
                    match entry.key.text().as_deref() {
                        Some("include" | "extend" | "exclude") => looks.perhaps_states = true,
                        _ => pending.push((&entry.value, false)),
                    }
                }
            }
            NodeKind::Mapping(mapping) => {
                let mut bodies = mapping.splices.len();
                for entry in &mapping.entries {
                    let Some(key) = entry.key.text() else {
                        bodies += 1;
                        continue;
                    };
                    if is_name(&key) || is_split(&key, &entry.value) {
                        return Looks { functions: true, ..looks };
                    }
                    looks.perhaps_states |= is_foreign(&key, &entry.value);
                    let is_module = registry.has_module(FunctionKind::State, &key)
                        || registry.elsewhere_functions(FunctionKind::State, &key).next().is_some();
                    bodies += usize::from(key.contains('.') || is_module);
                }
                looks.data |= bodies == 0 && !mapping.entries.is_empty();
            }
            _ => {}
        }
    }
    looks
}

fn is_word(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}
