//! Which of the known peels a target matches, and a file is for: as far as their facts decide it.

use super::{Index, IndexedFile, nodes};
use crate::{
    check::workspace::UnitKind,
    project::{KnownPeel, TreeKind},
    target::{Pattern, Subject, Target},
    types::Value,
};
use std::collections::{BTreeSet, HashSet};

/// Deepest nodegroup in a nodegroup.
const MAX_DEPTH: usize = 16;

impl Index {
    /// The peels that a target matches. `None` where settings have a say, which only a peel's whole settings tell.
    pub fn matching<'p>(&self, target: &Target, peels: &'p [KnownPeel]) -> Option<Vec<&'p str>> {
        if self.asks_settings(target, 0) {
            return None;
        }
        let nodegroups = &self.project.config().nodegroups;
        let matches = |peel: &&KnownPeel| {
            let facts = &peel.facts;
            let subject = Subject { id: &facts.id, facts, settings: &Value::Null, nodegroups };
            target.matches(&subject).unwrap_or(false)
        };
        Some(peels.iter().filter(matches).map(|peel| peel.facts.id.as_str()).collect())
    }

    fn asks_settings(&self, target: &Target, depth: usize) -> bool {
        target.patterns().into_iter().any(|(pattern, _)| match pattern {
            Pattern::Setting(_) => true,
            Pattern::Nodegroup(name) if depth < MAX_DEPTH => self
                .project
                .config()
                .nodegroups
                .get(name)
                .is_some_and(|group| self.asks_settings(group, depth + 1)),
            _ => false,
        })
    }

    /// The peels that get a state file by the top files: themselves, or through files that include it, whatever
    /// conditions stand around that. `None` where it cannot be told: a top file or an include is computed, or settings
    /// have a say.
    pub fn peels_of<'p>(&self, path: &str, peels: &'p [KnownPeel]) -> Option<BTreeSet<&'p str>> {
        let reaching = self.reaching(path);
        let (.., reference) = self.project.reference_of(path)?;
        let may_include = |file: &IndexedFile| {
            let computed = file.summary.includes.iter().filter(|include| include.name.text().is_none());
            file.summary.includes_open || computed.into_iter().any(|include| include.name.matches(&reference))
        };
        if self.files().any(|file| !reaching.contains(&file.path) && may_include(file)) {
            return None;
        }
        let mut found = BTreeSet::new();
        for top in self.files().filter(|file| file.context.kind == UnitKind::Top(TreeKind::States)) {
            let template = &top.tree.template;
            if !(template.blocks.is_empty()
                && template.statements.is_empty()
                && template.expressions.is_empty())
            {
                return None;
            }
            let environments = top.tree.root.iter().flat_map(nodes::entries);
            for (env, targets) in environments {
                let env = env.text()?;
                for (target, refs) in nodes::entries(targets) {
                    let named = nodes::items(refs).into_iter().filter_map(|item| item.text()).any(|name| {
                        let files = self.project.resolve_all(TreeKind::States, &env, &name, None);
                        files
                            .unwrap_or_default()
                            .iter()
                            .any(|file| reaching.contains(file.file.path.as_str()))
                    });
                    if named {
                        let (target, _) = Target::parse(&target.text()?, target.span);
                        found.extend(self.matching(&target, peels)?);
                    }
                }
            }
        }
        Some(found)
    }

    /// The files that bring a file along: itself, what includes it, what includes that.
    fn reaching(&self, path: &str) -> HashSet<String> {
        let mut found = HashSet::new();
        let mut pending = vec![path.to_owned()];
        while let Some(path) = pending.pop() {
            if found.insert(path.clone()) {
                pending.extend(self.included_by(&path).into_iter().map(|file| file.path.clone()));
            }
        }
        found
    }
}
