//! Which files are applied together, and what the states of the others are called.

use super::{Context, Index, IndexedFile, Kind};
use crate::{
    check::summary::FunctionDecl, lower::document::StateFile, project::TreeKind, syntax::Tree,
    types::FunctionName,
};
use std::collections::{HashMap, HashSet, VecDeque};

impl Index {
    /// For each file, those that include it.
    fn includers(&self) -> &[Vec<usize>] {
        self.includers.get_or_init(|| {
            let mut includers = vec![Vec::new(); self.files.len()];
            for (from, edges) in self.includes.iter().enumerate() {
                for to in edges {
                    if let Some(of) = includers.get_mut(*to) {
                        of.push(from);
                    }
                }
            }
            includers
        })
    }

    /// The files that include a file.
    pub fn included_by(&self, path: &str) -> Vec<&IndexedFile> {
        let from = self.number(path).and_then(|at| self.includers().get(at));
        from.into_iter().flatten().filter_map(|from| self.numbered(*from)).collect()
    }

    /// How far each file is from one along includes, in either direction; files that do not hang together are absent.
    pub fn distances(&self, path: &str) -> HashMap<&str, usize> {
        let mut found: HashMap<&str, usize> = HashMap::new();
        let Some(start) = self.number(path) else { return found };
        let mut pending = VecDeque::from([(start, 0)]);
        while let Some((at, distance)) = pending.pop_front() {
            let Some(file) = self.numbered(at) else { continue };
            if found.contains_key(file.path.as_str()) {
                continue;
            }
            found.insert(&file.path, distance);
            let next = [self.includes.get(at), self.includers().get(at)].into_iter().flatten().flatten();
            pending.extend(next.map(|n| (*n, distance + 1)));
        }
        found
    }

    /// The files that are applied together with one, for sure or perhaps: those that include it, and all that these and
    /// the file's own text include.
    pub fn together(&self, context: &Context, tree: &Tree) -> HashSet<&str> {
        let own = self.number(&context.path);
        let mut seen = vec![false; self.files.len()];
        let mut first_met = |at: usize| seen.get_mut(at).is_some_and(|seen| !std::mem::replace(seen, true));
        let mut above: Vec<usize> = own.into_iter().filter(|at| first_met(*at)).collect();
        let mut next = 0;
        while let Some(at) = above.get(next).copied() {
            next += 1;
            above.extend(self.includers().get(at).into_iter().flatten().filter(|from| first_met(**from)));
        }
        // What the last check saw in the file's own include may have been rewritten since.
        let written = included(self, context, tree).into_iter().filter_map(|path| self.number(&path));
        let mut found = above;
        found.extend(written.filter(|at| first_met(*at)).collect::<Vec<_>>());
        let mut next = 0;
        while let Some(at) = found.get(next).copied() {
            next += 1;
            if Some(at) != own {
                found.extend(self.includes.get(at).into_iter().flatten().filter(|to| first_met(**to)));
            }
        }
        found.into_iter().filter_map(|at| Some(self.numbered(at)?.path.as_str())).collect()
    }
}

/// Paths of the files that a text includes, where it names them.
pub(super) fn included(index: &Index, context: &Context, tree: &Tree) -> Vec<String> {
    let Some(root) = &tree.root else { return Vec::new() };
    let constants = Index::constants(context, tree);
    let mut found = Vec::new();
    for include in StateFile::read(root, &tree.template).includes {
        let env =
            include.env.map_or_else(|| Some(context.env.clone()), |env| env.text().map(|t| t.into_owned()));
        let Some(env) = env else { continue };
        for (name, _) in crate::check::pattern::Pattern::of_node(include.reference, &constants) {
            let Some(name) = name.text() else { continue };
            let files = index.project.resolve_all(TreeKind::States, &env, name, Some(&context.tree_path));
            found.extend(files.into_iter().flatten().map(|found| found.file.path));
        }
    }
    found
}

impl IndexedFile {
    /// The ids and names under which its states of a kind can be named, where they are known. They are read off what the
    /// check keeps of a file, so that it takes no tree: a project may have as many as fit.
    pub fn targets<'i>(
        &'i self,
        kind: &'i Kind,
    ) -> impl Iterator<Item = (&'i str, Option<&'i FunctionName>)> {
        // What stands in a macro is where the macro is called.
        let states = self.summary.states.iter().filter(|state| state.body.is_none());
        states.flat_map(move |state| {
            let functions = state.functions.iter().filter(move |function| is_of(function, kind));
            functions.flat_map(move |function| {
                let names = function.names.iter().map(|(name, _)| name);
                let all = std::iter::once(&state.id).chain(names).filter_map(|name| name.text());
                all.map(move |name| (name, function.name.as_ref()))
            })
        })
    }
}

/// Whether a function is of a kind, or may be.
fn is_of(function: &FunctionDecl, kind: &Kind) -> bool {
    let module = function.name.as_ref().map(|name| &name.module).or(function.module.as_ref());
    match kind {
        Kind::Any => true,
        Kind::Module(wanted) => module.is_none_or(|module| module == wanted),
        Kind::Function(wanted) => match &function.name {
            Some(name) => name == wanted,
            None => module.is_none_or(|module| *module == wanted.module),
        },
    }
}
