//! Types of template expressions, over the source tree, on all branches, before anything is rendered.
//!
//! [`ty`] says what types there are, [`env`] which variables a place sees, [`flow`] walks a file's tags in order, [`expr`]
//! types one expression, [`narrow`] what a condition says. The data that templates see comes from [`data`]: facts with
//! their schema, settings as the settings files define them. Whoever looks for mistakes and whoever shows a type in an
//! editor walk the same way.
//!
//! *Invariant:* what is not known is `any`, and nothing is ever said of it.

mod arguments;
mod around;
mod call;
pub mod data;
mod env;
mod exec;
mod expr;
mod filter;
mod flow;
mod given;
mod known;
mod method;
mod narrow;
mod operate;
mod parameter;
mod report;
mod reveal;
mod secret;
mod target;
mod ty;
mod unused;
pub(crate) mod written;

pub(crate) use arguments::misfit;
pub use around::{Around, SeenFile};
pub use data::{Change, Data, Seen};
pub use given::{Given, Renderer, given, may_be_given, places};
pub use method::methods_of;
pub use report::{is_once_per_project, once_per_project};
pub use reveal::{Noted, Revealed, noted, noted_with, reveal, reveal_at};
pub use target::judge_target;
pub use ty::{Field, MacroParam, MacroTy, Openness, Origin, Record, Ty, Unknown};

use crate::{
    check::{View, summary::UseKind},
    diagnostic::{Diagnostic, Rule},
    source::Span,
    syntax::{Tree, expression::Expr},
};
use env::Env;
use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

/// The rules of this room.
pub(crate) fn rules() -> impl Iterator<Item = &'static Rule> {
    [arguments::RULES, flow::RULES, known::RULES, method::RULES, operate::RULES, secret::RULES, unused::RULES]
        .into_iter()
        .flatten()
        .copied()
}

/// What the types of all files of a check hang on.
pub struct World<'w> {
    around: &'w dyn Around,
    data: &'w Data,
    /// What files give to those that import them, by unit. Two threads may make one twice; waiting for each other could
    /// be waiting for ever.
    modules: Mutex<HashMap<usize, Module>>,
    /// What files of data hold, by unit.
    loaded: Mutex<HashMap<usize, Ty>>,
    /// Whether a file's own macros change values in place, by unit.
    changing: Mutex<HashMap<usize, bool>>,
}

/// Files that are followed from one, by what they import, to find out whether macros change values.
const MAX_LIBRARIES: usize = 64;

thread_local! {
    /// The files whose names this thread is finding out: one that imports itself is not known.
    static VISITING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

impl<'w> World<'w> {
    /// A world over the files of a check.
    pub fn new(around: &'w dyn Around, data: &'w Data) -> Self {
        Self { around, data, modules: Mutex::default(), loaded: Mutex::default(), changing: Mutex::default() }
    }

    /// Whether a macro of a file, or of one that it imports, may change what it is given.
    fn may_change(&self, index: usize) -> bool {
        let lock = || self.changing.lock().unwrap_or_else(|e| e.into_inner());
        let mut reached = vec![index];
        let mut next = 0;
        while let Some(at) = reached.get(next).copied() {
            next += 1;
            let Some(file) = self.around.file(at).filter(|_| next <= MAX_LIBRARIES) else { return true };
            let known = lock().get(&at).copied();
            let changes = known.unwrap_or_else(|| flow::changes_values(file.tree));
            lock().insert(at, changes);
            if changes {
                return true;
            }
            for (nth, used) in file.summary.uses.iter().enumerate() {
                if matches!(used.kind, UseKind::Data | UseKind::Text) {
                    continue;
                }
                let Some(other) = self.around.template(at, nth) else { return true };
                if !reached.contains(&other) {
                    reached.push(other);
                }
            }
        }
        false
    }

    /// What a file of YAML holds, for those that import its data.
    fn data_of(&self, index: usize) -> Ty {
        let lock = || self.loaded.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(known) = lock().get(&index) {
            return known.clone();
        }
        let tree = self.around.file(index).map(|file| file.tree);
        let readable = tree.filter(|t| t.opaque.is_none() && !t.diagnostics.iter().any(|d| d.is_error()));
        let root = readable.and_then(|tree| tree.root.as_ref());
        let ty = root.map_or(Ty::DYNAMIC, data::of_file);
        lock().insert(index, ty.clone());
        ty
    }

    /// What a file gives to those that import it: a record of its names; and the files that this depends on.
    fn module(&self, index: usize) -> Module {
        let lock = || self.modules.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(known) = lock().get(&index) {
            return known.clone();
        }
        let unknown = || Module { ty: Ty::GAP, files: Arc::from([index]) };
        if VISITING.with_borrow(|v| v.contains(&index) || v.len() > 16) {
            return unknown();
        }
        VISITING.with_borrow_mut(|v| v.push(index));
        let module = match self.around.file(index) {
            Some(unit) => Engine::new(self, index, unit).module(),
            None => unknown(),
        };
        VISITING.with_borrow_mut(|v| v.pop());
        lock().insert(index, module.clone());
        module
    }
}

/// What a file gives to those that import it.
#[derive(Clone)]
struct Module {
    ty: Ty,
    /// The files (indices of units) that it was read off.
    files: Arc<[usize]>,
}

/// What is wrong with the expressions of a file.
pub fn check_unit(world: &World<'_>, view: &View<'_>, found: &mut Vec<Diagnostic>) {
    let unit = view.unit();
    if unit.tree.template.is_plain() || crate::check::has_unreadable(&unit.tree) {
        return;
    }
    let Some(file) = world.around.file(view.index()) else { return };
    let mut engine = Engine::new(world, view.index(), file);
    engine.run_file();
    engine.unused();
    parameter::check(&engine, found);
    view.note_data();
    // Which files its imports name.
    let _ = view.uses();
    for file in &engine.files {
        if let Some(other) = world.around.file(*file) {
            view.other(other.path);
        }
    }
    found.append(&mut engine.found);
}

/// Whether a missing value is a mistake where an expression stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ask {
    /// It needs a value.
    Need,
    /// It is asked whether there is one.
    May,
    /// It is kept under a name that nobody asks about, so whoever uses the name needs it.
    Kept,
}

/// Types the expressions of one file.
struct Engine<'w, 't> {
    world: &'w World<'w>,
    unit: SeenFile<'t>,
    index: usize,
    tree: &'t Tree,
    env: Env<'t>,
    /// Variables whose values are changed in place somewhere: of their keys and items nothing is certain.
    mutated: HashSet<&'t str>,
    /// Whether macros may change what they are given.
    macros_change: bool,
    /// Variables that are asked about somewhere: in a condition, with a default, or by whom they are given to.
    asked: HashSet<&'t str>,
    /// Names the file binds, with the first place.
    bound: HashMap<&'t str, Span>,
    /// Files whose names it imports, and theirs.
    files: Vec<usize>,
    /// Names the file uses.
    used: HashSet<&'t str>,
    /// The expressions at the top of each tag, in the order of the text.
    tops: Vec<&'t Arc<Expr>>,
    found: Vec<Diagnostic>,
    /// Nothing is reported while it is not zero.
    quiet: usize,
    /// How many macros, loops and captured bodies are around.
    in_macro: usize,
    in_loop: usize,
    /// Types of expressions that are whole tags, by their first byte.
    roots: HashMap<u32, Ty>,
    /// Types of all expressions, where somebody wants them.
    all: Option<Noted>,
}

impl<'w, 't> Engine<'w, 't> {
    fn new(world: &'w World<'w>, index: usize, unit: SeenFile<'t>) -> Self {
        let tree = unit.tree;
        let mut engine = Self {
            world,
            unit,
            index,
            tree,
            env: Env::default(),
            mutated: HashSet::new(),
            macros_change: true,
            asked: HashSet::new(),
            bound: HashMap::new(),
            files: Vec::new(),
            used: HashSet::new(),
            tops: crate::check::walk::roots(&tree.template),
            found: Vec::new(),
            quiet: 0,
            in_macro: 0,
            in_loop: 0,
            roots: HashMap::new(),
            all: None,
        };
        engine.survey();
        engine
    }

    /// Notes the type of a place, where somebody wants it.
    fn note(&mut self, span: Span, ty: &Ty) {
        if let Some(all) = &mut self.all {
            all.types.push((span, ty.clone()));
        }
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        if self.quiet == 0 {
            self.found.push(diagnostic);
        }
    }

    /// Runs something with a stack that input cannot exhaust.
    fn deeper<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        stacker::maybe_grow(128 * 1024, 2 * 1024 * 1024, || work(self))
    }

    /// Types a whole expression of a tag.
    fn root(&mut self, expr: &'t Arc<Expr>, ask: Ask) -> Ty {
        let ty = self.eval(expr, ask);
        self.roots.insert(expr.span.start, ty.clone());
        ty
    }
}
