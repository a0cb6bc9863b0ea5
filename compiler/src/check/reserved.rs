//! Keys of settings, and names of facts, that have a meaning of their own.

use super::workspace::Workspace;
use crate::{
    diagnostic::{Diagnostic, nearest},
    rule,
    settings::{Found, Inferred},
    source::{FileId, Span},
    syntax::{Entry, Node, NodeKind},
    target::Target,
    types::{
        FunctionKind, FunctionName, Type, Value,
        decode::{DecodeError, decode},
        facts_grains, facts_schema,
    },
};

rule! {
    /// A key of the settings that has a meaning of its own does not have the shape it needs.
    ///
    /// `schedule`, `beacons`, `basket_functions` (Salt's `mine_functions`) and `basket_scope` at the top of the settings
    /// are read by the peel. What it cannot read it does not do, so a job never runs or a fact is never published.
    ///
    /// ```yaml
    /// -- settings/web.zy --
    /// basket_functions: {network.hostnam: 5m}
    /// -- states/a.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    ///
    /// Write instead:
    ///
    /// ```yaml
    /// -- settings/web.zy --
    /// basket_functions: {network.hostname: 5m}
    /// -- states/a.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    pub RESERVED_KEY = "Z0513", "reserved-key-shape", Error;

    /// A fact of the site's own has the name of a built-in one.
    ///
    /// A built-in fact cannot be replaced, so this one is refused on every peel.
    ///
    /// ```yaml
    /// -- facts.d/site.yaml --
    /// os: mine
    /// rack: b4
    /// -- states/a.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    ///
    /// Give it another name:
    ///
    /// ```yaml
    /// -- facts.d/site.yaml --
    /// site_os: mine
    /// rack: b4
    /// -- states/a.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    pub RESERVED_FACT = "Z0515", "reserved-fact", Error;
}

/// The directory of facts of the site's own.
const FACTS_DIR: &str = "facts.d";

/// Keys of a scheduled job: ours, then Salt's.
const JOB_KEYS: &[&str] = &[
    "module",
    "function",
    "args",
    "kwargs",
    "interval",
    "cron",
    "splay",
    "maxrunning",
    "run_on_start",
    "return_job",
    "enabled",
    "seconds",
    "minutes",
    "hours",
    "days",
    "when",
    "whens",
    "once",
    "once_fmt",
    "until",
    "after",
    "range",
    "job_args",
    "job_kwargs",
    "jid_include",
    "metadata",
    "returner",
    "return_config",
    "return_kwargs",
    "name",
    "skip_during_range",
    "skip_explicit",
    "skip_function",
    "run_after_skip_range",
    "persist",
    "dry_run",
];

/// What says when a job runs.
const JOB_TIMES: &[&str] =
    &["interval", "cron", "seconds", "minutes", "hours", "days", "when", "whens", "once", "run_on_start"];

/// Keys of `schedule` that are no jobs.
const SCHEDULE_OPTIONS: &[&str] =
    &["enabled", "splay", "skip_function", "skip_during_range", "run_after_skip_range"];

/// Checks the reserved keys of all settings files.
pub fn check_reserved(workspace: &Workspace<'_>, inferred: &Inferred, found: &mut Vec<Diagnostic>) {
    for (index, unit) in workspace.units.iter().enumerate() {
        let at_top = || inferred.prefixes.get(&index).is_some_and(|p| p.iter().any(Vec::is_empty));
        if !unit.is_settings() || !at_top() {
            continue;
        }
        let Some(mapping) = unit.tree.root.as_ref().and_then(Node::as_mapping) else { continue };
        for entry in &mapping.entries {
            let Some(key) = entry.key.text() else { continue };
            let mut reader = Reader { workspace, inferred, found };
            for value in choices(&entry.value) {
                match &*key {
                    "basket_functions" | "mine_functions" => reader.functions(&key, value),
                    "basket_scope" => reader.scope(value),
                    "schedule" => reader.schedule(value),
                    "beacons" => reader.beacons(value),
                    _ => {}
                }
            }
        }
    }
}

fn choices(node: &Node) -> Vec<&Node> {
    match &node.kind {
        NodeKind::Choice(nodes) => nodes.iter().flat_map(choices).collect(),
        _ => vec![node],
    }
}

/// Whether a node's value is decided by an expression.
fn is_computed(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Scalar(scalar) => scalar.literal().is_none(),
        NodeKind::Splice(_) | NodeKind::Error | NodeKind::Choice(_) => true,
        NodeKind::Empty | NodeKind::Sequence(_) | NodeKind::Mapping(_) => false,
    }
}

struct Reader<'r> {
    workspace: &'r Workspace<'r>,
    inferred: &'r Inferred,
    found: &'r mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn wrong(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.found.push(Diagnostic::new(&RESERVED_KEY, span, message).help(help));
    }

    fn misfit(&mut self, name: &str, error: DecodeError) {
        let help = error.help.unwrap_or_else(|| "write such a value".to_owned());
        self.wrong(error.span, format!("`{name}`: {}", error.message), help);
    }

    /// The entries of a map, or a finding about what is not one.
    fn entries<'n>(&mut self, name: &str, node: &'n Node, help: &str) -> &'n [Entry] {
        match &node.kind {
            NodeKind::Mapping(mapping) => &mapping.entries,
            NodeKind::Empty => &[],
            _ if is_computed(node) => &[],
            _ => {
                self.wrong(
                    node.span,
                    format!("`{name}` is {}, where a map is expected", node.describe()),
                    help,
                );
                &[]
            }
        }
    }

    fn typed(&mut self, name: &str, ty: &Type, node: &Node) {
        if let Err(error) = decode(ty, node) {
            self.misfit(name, error);
        }
    }

    /// Which facts or functions a peel publishes, and how often.
    fn functions(&mut self, name: &str, node: &Node) {
        let help = format!("write `{name}: {{network.hostname: 5m}}`");
        for entry in self.entries(name, node, &help) {
            let Some(key) = entry.key.text() else { continue };
            self.published(&key, entry.key.span);
            // Salt's form has the function's arguments here.
            let is_arguments = matches!(entry.value.kind, NodeKind::Mapping(_) | NodeKind::Sequence(_));
            if name == "basket_functions" && !is_arguments {
                self.typed(&key, &Type::Duration, &entry.value);
            }
        }
    }

    fn published(&mut self, key: &str, span: Span) {
        if facts_schema::fact(key).is_some() || facts_grains::grain(key).is_some() {
            return;
        }
        // A namespace, or something within a fact that is a map.
        let within = |fact: &facts_schema::FactInfo| {
            let inside = key.strip_prefix(fact.path).is_some_and(|rest| rest.starts_with('.'));
            inside || fact.path.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'))
        };
        let registry = self.workspace.registry;
        let Some(function) = FunctionName::parse(key) else { return };
        let (module, name) = (function.module.as_str(), function.function.as_str());
        if facts_schema::facts().any(within)
            || registry.get(FunctionKind::Exec, module, name).is_some()
            || registry.exists_elsewhere(FunctionKind::Exec, module, name)
            || self.workspace.custom.contains(module)
        {
            return;
        }
        let facts = facts_schema::facts().map(|fact| fact.path);
        let of_module: Vec<String> =
            registry.functions(FunctionKind::Exec, module).map(|f| format!("{module}.{f}")).collect();
        // Another name may be a fact of the site's own.
        if !facts_schema::is_namespace(module) && of_module.is_empty() {
            return;
        }
        let help = match nearest(key, facts.chain(of_module.iter().map(String::as_str))) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`zester facts` lists the facts, `zester doc` the functions".to_owned(),
        };
        self.wrong(span, format!("`{key}` is no fact and no function, so nothing is published"), help);
    }

    fn scope(&mut self, node: &Node) {
        let (NodeKind::Scalar(_), Some(text)) = (&node.kind, node.text()) else {
            if !is_computed(node) && !matches!(node.kind, NodeKind::Empty) {
                let message = format!("`basket_scope` is {}, where a target is expected", node.describe());
                self.wrong(node.span, message, "write a target: `basket_scope: 'G@role:web'`");
            }
            return;
        };
        let (target, mut problems) = Target::parse(&text, node.span);
        problems.extend(target.check_groups(&self.workspace.project.config().nodegroups));
        problems.extend(target.check_facts());
        self.found.append(&mut problems);
    }

    fn schedule(&mut self, node: &Node) {
        let help = "write `schedule: {highstate: {function: state.apply, minutes: 30}}`";
        for entry in self.entries("schedule", node, help) {
            let name = entry.key.text().unwrap_or_default();
            if SCHEDULE_OPTIONS.contains(&&*name) {
                continue;
            }
            for job in choices(&entry.value) {
                self.job(&name, job);
            }
        }
    }

    fn job(&mut self, name: &str, node: &Node) {
        let shown = format!("schedule.{name}");
        let entries = self.entries(&shown, node, "write `{function: state.apply, minutes: 30}`");
        let Some(mapping) = node.as_mapping() else { return };
        let mut times: Vec<&Entry> = Vec::new();
        let mut known = mapping.splices.is_empty();
        for entry in entries {
            let Some(key) = entry.key.text() else {
                known = false;
                continue;
            };
            let label = format!("{shown}.{key}");
            match &*key {
                "interval" => self.typed(&label, &Type::Duration, &entry.value),
                "seconds" | "minutes" | "hours" | "days" | "maxrunning" => {
                    self.typed(&label, &Type::Int { min: 0, max: i64::MAX }, &entry.value);
                }
                "enabled" | "run_on_start" | "return_job" | "jid_include" | "persist" => {
                    self.typed(&label, &Type::Bool, &entry.value);
                }
                "cron" => self.cron(&label, &entry.value),
                "module" | "function" => self.function(&entry.value),
                key if !JOB_KEYS.contains(&key) => {
                    let Some(near) = nearest(key, JOB_KEYS.iter().copied()) else { continue };
                    let message = format!("a scheduled job has no key `{key}`");
                    self.wrong(entry.key.span, message, format!("did you mean `{near}`?"));
                }
                _ => {}
            }
            if JOB_TIMES.contains(&&*key) {
                times.push(entry);
            }
        }
        let named = |wanted: &str| times.iter().find(|e| e.key.text().as_deref() == Some(wanted));
        if let (Some(_), Some(cron)) = (named("interval"), named("cron")) {
            let message = format!("`{shown}` has both `interval` and `cron`");
            self.wrong(cron.key.span, message, "leave one of them out");
        } else if times.is_empty() && known && !entries.is_empty() && !self.has_time(name) {
            let message = format!("`{shown}` does not say when it runs");
            self.wrong(node.span, message, "write `interval: 30m`, `minutes: 30` or `cron: '*/30 * * * *'`");
        }
    }

    /// Whether some file says when a job runs; others may change only a part of it.
    fn has_time(&self, name: &str) -> bool {
        let job = match self.inferred.find(["schedule", name]) {
            Found::Setting(job) => job,
            Found::Perhaps | Found::Nothing { .. } => return true,
        };
        job.open || JOB_TIMES.iter().any(|time| job.children.contains_key(*time))
    }

    fn function(&mut self, node: &Node) {
        for node in choices(node) {
            let Some(text) = node.text() else { continue };
            let Some(function) = FunctionName::parse(&text) else { continue };
            let registry = self.workspace.registry;
            let (module, name) = (function.module.as_str(), function.function.as_str());
            if registry.get(FunctionKind::Exec, module, name).is_some()
                || registry.exists_elsewhere(FunctionKind::Exec, module, name)
                || self.workspace.custom.contains(module)
            {
                continue;
            }
            let elsewhere = registry.elsewhere_functions(FunctionKind::Exec, module);
            let known: Vec<String> = registry
                .signatures(FunctionKind::Exec)
                .map(|signature| signature.name())
                .chain(elsewhere.map(|function| format!("{module}.{function}")))
                .collect();
            // A name like no other may be a module that is not here.
            if let Some(near) = nearest(&text, known.iter().map(String::as_str)) {
                self.wrong(
                    node.span,
                    format!("there is no function `{text}`"),
                    format!("did you mean `{near}`?"),
                );
            }
        }
    }

    fn cron(&mut self, name: &str, node: &Node) {
        const FIELDS: [(&str, u8, u8); 5] =
            [("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7)];
        for node in choices(node) {
            let Some(text) = node.text() else { continue };
            let fields: Vec<&str> = text.split_whitespace().collect();
            if text.starts_with('@') {
                continue;
            }
            if fields.len() != FIELDS.len() {
                let message = format!("`{name}` has {} fields, where 5 are expected", fields.len());
                self.wrong(node.span, message, "write minute, hour, day, month and weekday: `0 3 * * *`");
                continue;
            }
            for (field, (what, min, max)) in fields.into_iter().zip(FIELDS) {
                // Names of months and days, and what some programs add to the language.
                if field.contains(|c: char| !c.is_ascii_digit() && !matches!(c, '*' | '/' | '-' | ',')) {
                    continue;
                }
                let ty = Type::CronField { min, max };
                if let Err(error) = crate::types::decode::decode_value(&ty, &Value::from(field), node.span) {
                    self.misfit(&format!("{name}, {what}"), error);
                    break;
                }
            }
        }
    }

    fn beacons(&mut self, node: &Node) {
        let help = "write `beacons: {service: {services: {nginx: {}}, interval: 10}}`";
        for entry in self.entries("beacons", node, help) {
            let name = format!("beacons.{}", entry.key.text().unwrap_or_default());
            for beacon in choices(&entry.value) {
                match &beacon.kind {
                    NodeKind::Mapping(mapping) => self.beacon(&name, &mapping.entries),
                    // Salt's form is a list of maps.
                    NodeKind::Sequence(list) => {
                        for item in list.items.iter().filter_map(Node::as_mapping) {
                            self.beacon(&name, &item.entries);
                        }
                    }
                    NodeKind::Scalar(_) if !is_computed(beacon) => {
                        let message = format!("`{name}` is a scalar, where a map is expected");
                        self.wrong(beacon.span, message, help);
                    }
                    _ => {}
                }
            }
        }
    }

    fn beacon(&mut self, name: &str, entries: &[Entry]) {
        for entry in entries {
            match entry.key.text().as_deref() {
                Some("interval") => {
                    self.typed(&format!("{name}.interval"), &Type::Duration, &entry.value);
                }
                Some(key @ ("onchangeonly" | "disable_during_state_run")) => {
                    self.typed(&format!("{name}.{key}"), &Type::Bool, &entry.value);
                }
                _ => {}
            }
        }
    }
}

/// Checks the names of the project's own facts. The files that were read are given back: they are no units.
pub fn check_facts(workspace: &Workspace<'_>, found: &mut Vec<Diagnostic>) -> Vec<FileId> {
    let project = workspace.project;
    let mut read = Vec::new();
    for path in project.sources().files_below(FACTS_DIR) {
        let is_data = path.rsplit_once('.').is_some_and(|(_, e)| matches!(e, "yaml" | "yml" | "json"));
        let Some(tree) = is_data.then(|| project.tree(&path).ok()).flatten() else { continue };
        read.push(tree.file);
        let Some(mapping) = tree.root.as_ref().and_then(Node::as_mapping) else { continue };
        for entry in &mapping.entries {
            let Some(name) = entry.key.text() else { continue };
            if facts_schema::is_namespace(&name) || facts_grains::grain(&name).is_some() || name == "id" {
                found.push(
                    Diagnostic::new(
                        &RESERVED_FACT,
                        entry.key.span,
                        format!("`{name}` is a built-in fact, which a fact of the site's own cannot replace"),
                    )
                    .help(format!("give it another name, such as `site_{name}`")),
                );
            }
        }
    }
    read
}
