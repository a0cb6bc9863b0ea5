//! The plans of all peels of an inventory: what would fail, for whom, and whose plans are the same.
//!
//! Peels that no template and no top file can tell apart have one plan, which is made once ([`Mentions`] says what
//! templates can tell apart). So the cost follows the number of different plans, not the number of peels.

mod documents;
mod functions;
mod grouped;
mod mentions;

pub use grouped::{findings, named};
pub use mentions::Mentions;

use crate::{
    check::{self, Mentioned, functions::CustomModules},
    diagnostic::Diagnostic,
    ir::Dag,
    lower::{self, LowerInput, Request, TemplateRenderer, TopEntry},
    project::{Project, ProjectTemplates, TreeKind},
    settings::{self, Mask, Selector, Settings},
    source::Span,
    target::Subject,
    template::{Environment, Functions, RENDER_FAILURE},
    types::{Facts, Registry, Value},
};
use documents::{Documents, Sharing};
use functions::{Elsewhere, take_asked};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

crate::rule! {
    /// A target of a top file matches none of the known peels.
    ///
    /// Found with an inventory only (`zester check --fleet` or `--facts DIR`): what stands below the target reaches
    /// nobody. It is a typo, or left over, or meant for peels that the inventory does not hold.
    ///
    /// ```yaml
    /// base:
    ///   'wbe*':
    ///     - nginx
    /// ```
    ///
    /// ```yaml
    /// base:
    ///   'web*':
    ///     - nginx
    /// ```
    pub MATCHES_NO_PEEL = "Z0604", "matches-no-peel", Warning;

    /// The top file selects no states for some known peels.
    ///
    /// Found with an inventory only. A run of the highstate fails on them, since there is nothing to apply.
    ///
    /// ```yaml
    /// base:
    ///   'web*':
    ///     - nginx
    /// ```
    ///
    /// Give them something, or take them out of the inventory:
    ///
    /// ```yaml
    /// base:
    ///   '*':
    ///     - common
    ///   'web*':
    ///     - nginx
    /// ```
    pub PEEL_WITHOUT_STATES = "Z0701", "peel-without-states", Warning;

    /// The plan of some known peels depends on what only the machine itself can answer.
    ///
    /// Found with an inventory only. A template calls a function that reads the machine, so that the plan of another
    /// machine cannot be known beforehand; what follows from it is not checked for these peels.
    ///
    /// ```jinja
    /// {% set version = salt['pkg.version']('nginx') %}
    /// ```
    ///
    /// A fact is known beforehand:
    ///
    /// ```jinja
    /// {% set version = grains.nginx_version %}
    /// ```
    pub NOT_FORETOLD = "Z0702", "not-foretold", Hint;
}

/// Whose plans are made.
pub struct FleetInput<'a> {
    /// The trees.
    pub project: &'a Arc<Project>,
    /// What functions accept.
    pub registry: &'a Registry,
    /// Functions that templates call; only pure ones are.
    pub functions: Arc<dyn Functions>,
    /// The peels.
    pub peels: &'a [Arc<Facts>],
    /// The only environment of the top files that counts; all count without it.
    pub env: Option<&'a str>,
    /// Files to apply; the highstate without any.
    pub refs: &'a [String],
    /// Whether plans are wanted, or only what is wrong with them.
    pub keep_plans: bool,
}

/// Peels that have one plan.
pub struct Class {
    /// Indices of the peels.
    pub peels: Vec<usize>,
    /// Their plan; `None` when there was an error, or when plans were not wanted.
    pub plan: Option<Arc<Dag>>,
    /// What is wrong with it, without secrets.
    pub diagnostics: Vec<Diagnostic>,
    /// What hides secrets in the plan.
    pub mask: Mask,
    /// The settings of its peels.
    pub settings: Arc<Value>,
    /// Functions that only the machine could have answered; the plan is not known then.
    pub asked: Vec<String>,
    /// How many states it has; `None` when it could not be made.
    pub states: Option<usize>,
}

/// All plans.
#[derive(Default)]
pub struct Fleet {
    /// Peels by plan, the class of the first peel first.
    pub classes: Vec<Class>,
    /// Targets of the top files, with the number of peels that each matches.
    pub targets: BTreeMap<Span, usize>,
    /// Whether the top files select anything at all: without refs and without a top file there are no plans.
    pub has_top: bool,
}

impl Fleet {
    /// For each peel, its class.
    pub fn class_of(&self, peels: usize) -> Vec<usize> {
        let mut of = vec![0; peels];
        for (index, class) in self.classes.iter().enumerate() {
            for peel in &class.peels {
                if let Some(slot) = of.get_mut(*peel) {
                    *slot = index;
                }
            }
        }
        of
    }

    fn count(&mut self, targets: Targets) {
        for (span, count) in targets {
            *self.targets.entry(span).or_default() += count;
        }
    }
}

/// Makes the plans of all peels.
pub fn plans(input: &FleetInput<'_>) -> Fleet {
    let has_top = input.project.environments().any(|env| input.project.top(TreeKind::States, env).is_some());
    if input.refs.is_empty() && !has_top {
        return Fleet::default();
    }
    let mentioned = check::mentioned(input.project, input.registry);
    let functions: Arc<dyn Functions> = Arc::new(Elsewhere(input.functions.clone()));
    let templates = ProjectTemplates { project: input.project.clone(), kind: TreeKind::States };
    let planner = Planner {
        input,
        environment: Environment::new(Arc::new(templates), functions.clone()),
        settings: settings::environment(input.project, &functions),
        mentioned: &mentioned,
        documents: Documents::default(),
    };
    let mut fleet = Fleet { has_top, ..Fleet::default() };
    // First who has the same settings, then who has the same plan.
    let everyone: Vec<usize> = (0..input.peels.len()).collect();
    let keys = check::in_parallel(input.peels, |facts| mentioned.settings.of(facts));
    let alike: Vec<Vec<usize>> = split(&everyone, |peel| &keys[peel]).into_iter().map(|(_, p)| p).collect();
    let mut resolved = Vec::new();
    for (settings, targets) in check::in_parallel(&alike, |peels| planner.resolve(peels)) {
        resolved.extend(settings);
        fleet.count(targets);
    }
    let keys = check::in_parallel(input.peels, |facts| mentioned.states.of(facts));
    let groups: Vec<(usize, Vec<usize>)> = resolved
        .iter()
        .enumerate()
        .flat_map(|(number, resolved)| {
            let groups = split(&resolved.peels, |peel| &keys[peel]);
            groups.into_iter().map(move |(_, peels)| (number, peels))
        })
        .collect();
    let parts =
        check::in_parallel(&groups, |(number, peels)| planner.group(*number, &resolved[*number], peels));
    for (classes, targets) in parts {
        fleet.classes.extend(classes);
        fleet.count(targets);
    }
    fleet.classes.sort_by(|a, b| a.peels.first().cmp(&b.peels.first()));
    fleet
}

type Targets = BTreeMap<Span, usize>;

/// Peels that have one and the same settings.
struct Resolved {
    peels: Vec<usize>,
    settings: Settings,
    mask: Mask,
    diagnostics: Vec<Diagnostic>,
    /// Functions that only the machine could have answered.
    asked: Vec<String>,
}

struct Planner<'p> {
    input: &'p FleetInput<'p>,
    /// Templates of the states.
    environment: Environment,
    /// Templates of the settings.
    settings: Environment,
    mentioned: &'p Mentioned,
    documents: Documents,
}

impl Planner<'_> {
    fn facts(&self, peel: usize) -> &Arc<Facts> {
        &self.input.peels[peel]
    }

    /// The settings of peels that the settings' templates cannot tell apart.
    fn resolve(&self, peels: &[usize]) -> (Vec<Resolved>, Targets) {
        let FleetInput { project, env, .. } = *self.input;
        let mut targets = Targets::new();
        let mut all = Vec::new();
        let Some(first) = peels.first() else { return (all, targets) };
        let selector = Selector::new(project, &self.settings, self.facts(*first), env);
        for (matched, peels) in split(peels, |peel| selector.select(self.facts(peel))) {
            count(&mut targets, selector.spans(), &matched, peels.len());
            let Some(first) = peels.first() else { continue };
            take_asked();
            let request = settings::Request { facts: self.facts(*first), env, overrides: &[] };
            let (settings, diagnostics) = settings::resolve_in(project, &self.settings, &request);
            let mask = settings.mask();
            all.push(Resolved { peels, settings, mask, diagnostics, asked: take_asked() });
        }
        (all, targets)
    }

    /// The plans of peels with one and the same settings that the states' templates cannot tell apart.
    fn group(&self, number: usize, resolved: &Resolved, peels: &[usize]) -> (Vec<Class>, Targets) {
        let FleetInput { project, env, refs, .. } = *self.input;
        let mut targets = Targets::new();
        let Some(first) = peels.first() else { return (Vec::new(), targets) };
        if resolved.diagnostics.iter().any(Diagnostic::is_error) || !resolved.asked.is_empty() {
            let found = resolved.diagnostics.clone();
            return (vec![class(peels.to_vec(), resolved, Lowered::failed(found))], targets);
        }
        take_asked();
        let entries: Vec<TopEntry> = if refs.is_empty() {
            lower::top_entries(project, &self.renderer(number, resolved, *first), env).0
        } else {
            Vec::new()
        };
        let by_states = split(peels, |peel| {
            let facts = self.facts(peel);
            let subject = Subject {
                id: &facts.id,
                facts,
                settings: &resolved.settings.value,
                nodegroups: &project.config().nodegroups,
            };
            entries.iter().map(|entry| entry.target.matches(&subject).ok()).collect::<Vec<_>>()
        });
        let mut classes = Vec::new();
        for (matched, peels) in by_states {
            count(&mut targets, entries.iter().map(|entry| entry.span), &matched, peels.len());
            classes.push(self.lower(number, resolved, peels));
        }
        take_asked();
        (classes, targets)
    }

    fn renderer<'r>(&'r self, number: usize, resolved: &'r Resolved, peel: usize) -> Sharing<'r> {
        let facts = self.facts(peel);
        let renderer = TemplateRenderer {
            project: self.input.project,
            environment: &self.environment,
            facts,
            settings: &resolved.settings.value,
            test: false,
        };
        let (files, documents) = (&self.mentioned.files, &self.documents);
        Sharing { renderer, files, documents, settings: number, facts }
    }

    fn lower(&self, number: usize, resolved: &Resolved, peels: Vec<usize>) -> Class {
        let FleetInput { project, registry, env, refs, keep_plans, .. } = *self.input;
        let first = peels.first().copied().unwrap_or_default();
        take_asked();
        let lowered = lower::lower(&LowerInput {
            project,
            registry,
            custom: &CustomModules::default(),
            renderer: &self.renderer(number, resolved, first),
            facts: self.facts(first),
            settings: &resolved.settings.value,
            nodegroups: &project.config().nodegroups,
            env,
            request: if refs.is_empty() { Request::Highstate } else { Request::Refs(refs.to_vec()) },
        });
        let mut diagnostics = resolved.diagnostics.clone();
        diagnostics.extend(lowered.diagnostics);
        let states = lowered.dag.as_ref().map(|dag| dag.schedule.len());
        let plan = lowered.dag.filter(|_| keep_plans).map(Arc::new);
        class(peels, resolved, Lowered { plan, diagnostics, asked: take_asked(), states })
    }
}

/// Adds for each target the peels that it matches.
fn count(targets: &mut Targets, spans: impl Iterator<Item = Span>, matched: &[Option<bool>], peels: usize) {
    for (span, matched) in spans.zip(matched) {
        *targets.entry(span).or_default() += if *matched == Some(true) { peels } else { 0 };
    }
}

/// What came of lowering for some peels.
struct Lowered {
    plan: Option<Arc<Dag>>,
    diagnostics: Vec<Diagnostic>,
    asked: Vec<String>,
    states: Option<usize>,
}

impl Lowered {
    /// Where the settings are not known.
    fn failed(diagnostics: Vec<Diagnostic>) -> Self {
        Self { plan: None, diagnostics, asked: Vec::new(), states: None }
    }
}

fn class(peels: Vec<usize>, resolved: &Resolved, mut lowered: Lowered) -> Class {
    let mask = resolved.mask.clone();
    mask.diagnostics(&mut lowered.diagnostics);
    let asked = if lowered.asked.is_empty() { resolved.asked.clone() } else { lowered.asked };
    if !asked.is_empty() {
        // That the machine was not there to be asked is no mistake of the tree.
        for diagnostic in lowered.diagnostics.iter_mut().filter(|d| *d.rule == RENDER_FAILURE) {
            *diagnostic = Diagnostic::new(
                &NOT_FORETOLD,
                diagnostic.span,
                format!("The plan depends on what only the machine knows: `{}`", asked.join("`, `")),
            )
            .help("a fact or a setting is known beforehand");
        }
    }
    Class {
        peels,
        plan: lowered.plan,
        diagnostics: lowered.diagnostics,
        mask,
        settings: resolved.settings.value.clone(),
        asked,
        states: lowered.states,
    }
}

/// Peels by what tells them apart, in the order of the first of each.
fn split<K: Eq + std::hash::Hash + Clone>(peels: &[usize], key: impl Fn(usize) -> K) -> Vec<(K, Vec<usize>)> {
    let mut found: Vec<(K, Vec<usize>)> = Vec::new();
    let mut known: HashMap<K, usize> = HashMap::new();
    for peel in peels {
        let key = key(*peel);
        let at = *known.entry(key.clone()).or_insert_with(|| {
            found.push((key, Vec::new()));
            found.len() - 1
        });
        found[at].1.push(*peel);
    }
    found
}

#[cfg(test)]
mod tests;
