//! The plans of all peels of an inventory: what would fail, for whom, and whose plans are the same.
//!
//! Peels that no template and no top file can tell apart have one plan, which is made once ([`Mentions`] says what
//! templates can tell apart). So the cost follows the number of different plans, not the number of peels.

mod functions;
mod grouped;
mod mentions;

pub use grouped::{findings, named};
pub use mentions::Mentions;

use crate::{
    check::{self, CheckOptions, functions::CustomModules},
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
}

/// Makes the plans of all peels.
pub fn plans(input: &FleetInput<'_>) -> Fleet {
    let has_top = input.project.environments().any(|env| input.project.top(TreeKind::States, env).is_some());
    if input.refs.is_empty() && !has_top {
        return Fleet::default();
    }
    let mentions = check::mentions(input.project, input.registry, &CheckOptions::default());
    let keys = check::in_parallel(input.peels, |facts| mentions.of(facts));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for (peel, key) in keys.iter().enumerate() {
        let group = *known.entry(key).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[group].push(peel);
    }
    let functions: Arc<dyn Functions> = Arc::new(Elsewhere(input.functions.clone()));
    let templates = ProjectTemplates { project: input.project.clone(), kind: TreeKind::States };
    let environment = Environment::new(Arc::new(templates), functions.clone());
    let settings = settings::environment(input.project, &functions);
    let planner = Planner { input, environment, settings };
    let parts = check::in_parallel(&groups, |group| planner.group(group));
    let mut fleet = Fleet { has_top, ..Fleet::default() };
    for (classes, targets) in parts {
        fleet.classes.extend(classes);
        for (span, count) in targets {
            *fleet.targets.entry(span).or_default() += count;
        }
    }
    fleet.classes.sort_by(|a, b| a.peels.first().cmp(&b.peels.first()));
    fleet
}

struct Planner<'p> {
    input: &'p FleetInput<'p>,
    /// Templates of the states.
    environment: Environment,
    /// Templates of the settings.
    settings: Environment,
}

type Targets = BTreeMap<Span, usize>;

impl Planner<'_> {
    /// The plans of peels that templates cannot tell apart.
    fn group(&self, peels: &[usize]) -> (Vec<Class>, Targets) {
        let FleetInput { project, env, .. } = *self.input;
        let mut targets = Targets::new();
        let mut classes = Vec::new();
        let Some(first) = peels.first() else { return (classes, targets) };
        let selector = Selector::new(project, &self.settings, self.facts(*first), env);
        let by_settings = split(peels, |peel| selector.select(self.facts(peel)));
        for (matched, peels) in &by_settings {
            for (span, matched) in selector.spans().zip(matched) {
                *targets.entry(span).or_default() += if *matched == Some(true) { peels.len() } else { 0 };
            }
            self.with_settings(peels, &mut classes, &mut targets);
        }
        take_asked();
        (classes, targets)
    }

    fn facts(&self, peel: usize) -> &Arc<Facts> {
        &self.input.peels[peel]
    }

    /// The plans of peels that have one and the same settings.
    fn with_settings(&self, peels: &[usize], classes: &mut Vec<Class>, targets: &mut Targets) {
        let FleetInput { project, env, .. } = *self.input;
        let Some(first) = peels.first() else { return };
        take_asked();
        let request = settings::Request { facts: self.facts(*first), env, overrides: &[] };
        let (settings, found) = settings::resolve_in(project, &self.settings, &request);
        let asked = take_asked();
        if found.iter().any(Diagnostic::is_error) || !asked.is_empty() {
            classes.push(class(peels.to_vec(), None, found, &settings, asked, None));
            return;
        }
        let entries: Vec<TopEntry> = if self.input.refs.is_empty() {
            lower::top_entries(project, &self.renderer(*first, &settings), env).0
        } else {
            Vec::new()
        };
        let by_states = split(peels, |peel| {
            let facts = self.facts(peel);
            let subject = Subject {
                id: &facts.id,
                facts,
                settings: &settings.value,
                nodegroups: &project.config().nodegroups,
            };
            entries.iter().map(|entry| entry.target.matches(&subject).ok()).collect::<Vec<_>>()
        });
        for (matched, peels) in by_states {
            for (entry, matched) in entries.iter().zip(&matched) {
                *targets.entry(entry.span).or_default() +=
                    if *matched == Some(true) { peels.len() } else { 0 };
            }
            classes.push(self.lower(peels, &settings, &found));
        }
    }

    fn renderer<'r>(&'r self, peel: usize, settings: &'r Settings) -> TemplateRenderer<'r> {
        TemplateRenderer {
            project: self.input.project,
            environment: &self.environment,
            facts: self.facts(peel),
            settings: &settings.value,
            test: false,
        }
    }

    fn lower(&self, peels: Vec<usize>, settings: &Settings, found: &[Diagnostic]) -> Class {
        let FleetInput { project, registry, env, refs, keep_plans, .. } = *self.input;
        let first = peels.first().copied().unwrap_or_default();
        take_asked();
        let lowered = lower::lower(&LowerInput {
            project,
            registry,
            custom: &CustomModules::default(),
            renderer: &self.renderer(first, settings),
            facts: self.facts(first),
            settings: &settings.value,
            nodegroups: &project.config().nodegroups,
            env,
            request: if refs.is_empty() { Request::Highstate } else { Request::Refs(refs.to_vec()) },
        });
        let mut diagnostics = found.to_vec();
        diagnostics.extend(lowered.diagnostics);
        let states = lowered.dag.as_ref().map(|dag| dag.schedule.len());
        let plan = lowered.dag.filter(|_| keep_plans).map(Arc::new);
        class(peels, plan, diagnostics, settings, take_asked(), states)
    }
}

fn class(
    peels: Vec<usize>,
    plan: Option<Arc<Dag>>,
    mut diagnostics: Vec<Diagnostic>,
    settings: &Settings,
    asked: Vec<String>,
    states: Option<usize>,
) -> Class {
    let mask = settings.mask();
    mask.diagnostics(&mut diagnostics);
    if !asked.is_empty() {
        // That the machine was not there to be asked is no mistake of the tree.
        for diagnostic in diagnostics.iter_mut().filter(|d| *d.rule == RENDER_FAILURE) {
            *diagnostic = Diagnostic::new(
                &NOT_FORETOLD,
                diagnostic.span,
                format!("The plan depends on what only the machine knows: `{}`", asked.join("`, `")),
            )
            .help("a fact or a setting is known beforehand");
        }
    }
    Class { peels, plan, diagnostics, mask, settings: settings.value.clone(), asked, states }
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
