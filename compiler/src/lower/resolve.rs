//! Requisites resolved: from names to edges.

use super::{
    document::{Reference, Target},
    state::{Prepared, inherit},
    unit::Units,
};
use crate::{
    check::requisites::{Candidate, contradict, contradiction, itself, unknown, unreachable},
    diagnostic::Diagnostic,
    ir::Requisite,
    source::Span,
    types::Registry,
};
use std::collections::{HashMap, HashSet};

/// Most requisites a plan may have; `sls:` targets multiply them.
const MAX_EDGES: usize = 4_000_000;

/// A resolved requisite: `from` has it on `to`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Link {
    pub from: usize,
    pub to: usize,
    pub requisite: Requisite,
    /// Where it was written.
    pub span: Span,
}

/// States by the ways they are referred to.
struct Index<'s> {
    /// By id and name.
    any: HashMap<&'s str, Vec<usize>>,
    /// By module, and id and name.
    module: HashMap<(&'s str, &'s str), Vec<usize>>,
    units: HashMap<usize, Vec<usize>>,
    states: &'s [Prepared],
}

impl<'s> Index<'s> {
    fn new(states: &'s [Prepared]) -> Self {
        let mut index = Self { any: HashMap::new(), module: HashMap::new(), units: HashMap::new(), states };
        for (i, state) in states.iter().enumerate() {
            let node = &state.node;
            let other = (node.id != node.name).then_some(node.name.as_str());
            for name in std::iter::once(node.id.as_str()).chain(other) {
                index.any.entry(name).or_default().push(i);
                index.module.entry((&node.function.module, name)).or_default().push(i);
            }
            index.units.entry(state.unit).or_default().push(i);
        }
        index
    }

    /// `None`: the target is not known here. An empty list: it does not exist.
    fn find(&self, target: &Target, unit: usize, units: &Units<'_>) -> Option<Vec<usize>> {
        Some(match target {
            Target::Unknown => return None,
            Target::Id(name) => self.matching(name, |_| true),
            Target::Module { module, name } => match self.module.get(&(module.as_str(), name.as_str())) {
                Some(found) => found.clone(),
                None => self.globbed(name, |i| self.states[i].node.function.module == *module),
            },
            Target::Function { function, name } => {
                let is_function = |i: usize| self.states[i].node.function == *function;
                match self.module.get(&(function.module.as_str(), name.as_str())) {
                    Some(found) if found.iter().any(|i| is_function(*i)) => {
                        found.iter().copied().filter(|i| is_function(*i)).collect()
                    }
                    _ => {
                        let globbed = self.globbed(name, is_function);
                        if globbed.is_empty() {
                            // An id may look like a function: `deb.example.com:80`.
                            self.matching(&format!("{function}:{name}"), |_| true)
                        } else {
                            globbed
                        }
                    }
                }
            }
            Target::Sls(reference) => {
                let named = units.named(unit, reference);
                if named.is_empty() {
                    return Some(Vec::new());
                }
                // A file without states is a target like any other; there is nothing to wait for.
                let all: Vec<usize> =
                    named.iter().flat_map(|u| self.units.get(u).cloned().unwrap_or_default()).collect();
                if all.is_empty() {
                    return None;
                }
                all
            }
        })
    }

    fn matching(&self, name: &str, wanted: impl Fn(usize) -> bool) -> Vec<usize> {
        match self.any.get(name) {
            Some(found) => found.iter().copied().filter(|i| wanted(*i)).collect(),
            None => self.globbed(name, wanted),
        }
    }

    /// Salt matches requisites as globs; an id that is there word for word has been found before.
    fn globbed(&self, name: &str, wanted: impl Fn(usize) -> bool) -> Vec<usize> {
        if !name.contains(['*', '?', '[']) {
            return Vec::new();
        }
        let glob = crate::target::Glob::lenient(name);
        (0..self.states.len())
            .filter(|i| {
                let node = &self.states[*i].node;
                wanted(*i) && (glob.matches(&node.id) || glob.matches(&node.name))
            })
            .collect()
    }

    fn candidates(&self) -> impl Iterator<Item = Candidate<'_>> + Clone {
        self.states.iter().map(|s| Candidate {
            id: &s.node.id,
            name: &s.node.name,
            function: &s.node.function,
        })
    }
}

/// Resolves the requisites of all states, `_in` forms to the other side. Also applies `use`.
pub(super) fn resolve(
    states: &mut [Prepared],
    units: &Units<'_>,
    registry: &Registry,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    let mut inherited: Vec<(usize, usize)> = Vec::new();
    {
        let index = Index::new(states);
        let mut seen: HashSet<(usize, usize, Requisite)> = HashSet::new();
        for (current, state) in states.iter().enumerate() {
            for reference in &state.references {
                let Some(found) = targets(&index, reference, current, units, diagnostics) else { continue };
                if links.len() + found.len() > MAX_EDGES {
                    diagnostics.push(Diagnostic::new(
                        &crate::check::requisites::UNKNOWN_REQUISITE,
                        reference.span,
                        format!("There are more than {MAX_EDGES} requisites with those of this one"),
                    ));
                    return links;
                }
                for target in found {
                    let (from, to) = if reference.inverted { (target, current) } else { (current, target) };
                    if seen.insert((from, to, reference.requisite)) {
                        links.push(Link { from, to, requisite: reference.requisite, span: reference.span });
                    }
                }
            }
            for reference in &state.uses {
                let Some(found) = targets(&index, reference, current, units, diagnostics) else { continue };
                for target in found {
                    inherited.push(if reference.inverted { (target, current) } else { (current, target) });
                }
            }
        }
    }
    if !inherited.is_empty() {
        let originals: Vec<crate::ir::Node> =
            inherited.iter().map(|(_, from)| states[*from].node.clone()).collect();
        for ((to, _), from) in inherited.iter().zip(&originals) {
            inherit(&mut states[*to].node, from, registry);
        }
    }
    links.sort_by_key(|l| (l.from, l.requisite, l.to));
    judge(states, &links, diagnostics);
    links
}

/// The states a reference means; `None` when there are none, or none to wait for.
fn targets(
    index: &Index<'_>,
    reference: &Reference,
    current: usize,
    units: &Units<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Vec<usize>> {
    let state = &index.states[current];
    let found = index.find(&reference.target, state.unit, units)?;
    if found.is_empty() {
        diagnostics.push(unknown(reference, index.candidates(), units.refs()));
        return None;
    }
    if found.contains(&current) {
        diagnostics.push(itself(reference, &state.node.id));
        return None;
    }
    Some(found)
}

/// Requisites that can never be met together, or never at all. `links` are sorted by the state that has them.
fn judge(states: &[Prepared], links: &[Link], diagnostics: &mut Vec<Diagnostic>) {
    for own in links.chunk_by(|a, b| a.from == b.from) {
        let onfails = own.iter().filter(|l| l.requisite == Requisite::Onfail).count();
        let failing = own.iter().filter(|l| {
            l.requisite == Requisite::OnfailAll || (l.requisite == Requisite::Onfail && onfails == 1)
        });
        for fail in failing {
            let clash = own.iter().find(|l| l.to == fail.to && contradict(l.requisite, fail.requisite));
            if let Some(clash) = clash {
                let mut pair = [(clash.requisite, clash.span), (fail.requisite, fail.span)];
                pair.sort_by_key(|(_, span)| (span.file, span.start));
                diagnostics.push(contradiction(pair[0], pair[1], &states[fail.to].node.id));
            }
        }
        let onchanges: Vec<&Link> = own
            .iter()
            .filter(|l| matches!(l.requisite, Requisite::Onchanges | Requisite::OnchangesAny))
            .collect();
        if let Some(first) = onchanges.first()
            && onchanges.iter().all(|l| states[l.to].never_changes)
        {
            let mut functions: Vec<String> =
                onchanges.iter().map(|l| states[l.to].node.function.to_string()).collect();
            functions.sort();
            functions.dedup();
            diagnostics.push(unreachable(first.span, &states[first.from].node.id, &functions));
        }
    }
}
