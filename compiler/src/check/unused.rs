//! Settings that nothing reads. Off unless a project asks for it: others than templates may read settings.

use super::{
    calls::exec_name,
    walk::{roots, visit},
    workspace::Workspace,
};
use crate::{
    diagnostic::Diagnostic,
    project::TreeKind,
    rule,
    settings::{Inferred, Setting},
    syntax::{
        Tree,
        expression::{Argument, Expr, ExprKind},
    },
    target::{Form, Pattern, Target},
    types::Value,
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

rule! {
    /// No template, no target and no source file reads a setting.
    ///
    /// It may be left over from something that is gone. This rule is off, since programs and people may read settings
    /// too; `lint: {unused-setting: warn}` turns it on.
    ///
    /// ```yaml
    /// -- zester.yaml --
    /// lint: {unused-setting: warn}
    /// -- settings/web.zy --
    /// nginx:
    ///   port: 80
    ///   old_port: 8000
    /// -- states/a.zy --
    /// a:
    ///   test.nop:
    ///     - x: {{ settings.nginx.port }}
    /// ```
    ///
    /// Take it out, or use it:
    ///
    /// ```yaml
    /// -- zester.yaml --
    /// lint: {unused-setting: warn}
    /// -- settings/web.zy --
    /// nginx:
    ///   port: 80
    /// -- states/a.zy --
    /// a:
    ///   test.nop:
    ///     - x: {{ settings.nginx.port }}
    /// ```
    pub UNUSED_SETTING = "Z0512", "unused-setting", Allow;
}

/// Keys at the top that the system reads itself.
const RESERVED: &[&str] =
    &["basket_functions", "basket_scope", "mine_functions", "mine_interval", "schedule", "beacons"];

/// Largest file of the state tree that is looked through for templates, in bytes.
const MAX_SOURCE_BYTES: usize = 1 << 20;

/// Reports settings that nothing reads.
pub fn unused(workspace: &Workspace<'_>, inferred: &Inferred, found: &mut Vec<Diagnostic>) {
    if !inferred.is_known() {
        return;
    }
    let mut used = Used::default();
    for unit in &workspace.units {
        used.read_tree(&unit.tree);
    }
    // Files that states hand out with a template engine are no units.
    let project = workspace.project;
    let mut seen: HashSet<String> = workspace.units.iter().map(|unit| unit.path.to_string()).collect();
    for env in project.environments() {
        for file in project.files_below(TreeKind::States, env, "") {
            let fresh = seen.insert(file.path.clone());
            let Some(bytes) = fresh.then(|| project.read(&file.path).ok()).flatten() else { continue };
            let small = bytes.len() <= MAX_SOURCE_BYTES;
            let Some(text) = small.then(|| std::str::from_utf8(&bytes).ok()).flatten() else { continue };
            if (text.contains("pillar") || text.contains("settings"))
                && let Ok(tree) = project.tree(&file.path)
            {
                used.read_tree(&tree);
            }
        }
    }
    for (_, target) in project.config().nodegroups.iter() {
        used.read_target(target);
    }
    let mut path = Vec::new();
    for (key, setting) in &inferred.root.children {
        if !RESERVED.contains(&key.as_str()) {
            path.push(key.clone());
            report(setting, &used.root, &mut path, found);
            path.pop();
        }
    }
}

fn report(setting: &Setting, used: &Node, path: &mut Vec<String>, found: &mut Vec<Diagnostic>) {
    let below = path.last().and_then(|key| used.children.get(key));
    if used.whole || below.is_some_and(|below| below.whole) {
        return;
    }
    let Some(below) = below else {
        // Said once, at the outermost key that nobody reads.
        if let Some(definition) = setting.definitions.first() {
            let message = format!("Nothing reads the setting `{}`", path.join("."));
            found.push(
                Diagnostic::new(&UNUSED_SETTING, definition.key.unwrap_or(definition.span), message)
                    .help("take it out, or use it"),
            );
        }
        return;
    };
    for (key, child) in &setting.children {
        path.push(key.clone());
        report(child, below, path, found);
        path.pop();
    }
}

/// Keys at the top of the settings that a file reads.
pub struct SettingsRead {
    whole: bool,
    keys: HashSet<String>,
}

impl SettingsRead {
    /// Of a file's templates.
    pub fn of(tree: &Tree) -> Self {
        let mut used = Used::default();
        used.read_tree(tree);
        Self { whole: used.root.whole, keys: used.root.children.into_keys().collect() }
    }

    /// Whether it reads one of some keys, or may.
    pub fn reads_any(&self, keys: &HashSet<Arc<str>>) -> bool {
        self.whole || self.keys.iter().any(|key| keys.contains(key.as_str()))
    }

    /// Whether something is true of all the keys that it reads.
    pub fn all_are(&self, known: impl Fn(&str) -> bool) -> bool {
        self.keys.iter().all(|key| known(key))
    }
}

/// Which paths are read.
#[derive(Default)]
struct Used {
    root: Node,
}

#[derive(Default)]
struct Node {
    /// All of it is read, or may be.
    whole: bool,
    children: HashMap<String, Node>,
}

impl Used {
    fn mark(&mut self, path: &[String]) {
        let mut at = &mut self.root;
        for key in path {
            at = at.children.entry(key.clone()).or_default();
        }
        at.whole = true;
    }

    fn read_tree(&mut self, tree: &Tree) {
        self.read_targets(&tree.text);
        // Expressions that are part of a longer one: `settings.a` within `settings.a.b`.
        let mut inner: HashSet<*const Expr> = HashSet::new();
        for root in roots(&tree.template) {
            visit(root, &mut |expr| {
                if let ExprKind::Call { callee, args } = &expr.kind
                    && let Some((name, _)) = exec_name(callee)
                {
                    self.read_call(&name, args);
                }
                if inner.contains(&Arc::as_ptr(expr)) {
                    mark_inner(expr, &mut inner);
                    return;
                }
                mark_inner(expr, &mut inner);
                if let Some(path) = path_of(expr) {
                    self.mark(&path);
                }
            });
        }
    }

    /// `salt['pillar.get']('a:b')`; any other way to settings reads all of them.
    fn read_call(&mut self, name: &str, args: &[Argument]) {
        let reads = ["pillar.", "settings.", "config."].iter().any(|module| name.starts_with(module));
        if !reads && name != "defaults.get" {
            // A target of another form, which only its argument or the function's name says.
            let of_settings = |argument: &Argument| match &argument.value.kind {
                ExprKind::Literal(Value::Str(word)) => {
                    matches!(Form::of_word(word), Some(Form::Setting | Form::SettingPcre))
                }
                _ => false,
            };
            if name.starts_with("match.pillar") || args.iter().any(of_settings) {
                self.mark(&[]);
            }
            return;
        }
        let first = args.iter().find(|a| a.name.as_ref().is_none_or(|(name, _)| name == "key"));
        match first.map(|argument| &argument.value.kind) {
            Some(ExprKind::Literal(Value::Str(path))) => self.mark(&keys(path)),
            _ => self.mark(&[]),
        }
    }

    /// Targets in a text: `I@role:web`.
    fn read_targets(&mut self, text: &str) {
        for mark in ["I@", "J@"] {
            for (at, _) in text.match_indices(mark) {
                let rest = text.get(at + mark.len()..).unwrap_or_default();
                let end = rest.find(['\'', '"', ' ', '\n', ')']).unwrap_or(rest.len());
                let path = rest.get(..end).unwrap_or_default();
                // The value is behind the last colon; which that is does not matter to what is above it.
                self.mark(&keys(path.rsplit_once(':').map_or(path, |(path, _)| path)));
            }
        }
        if text.contains("match: pillar") || text.contains("match: settings") {
            self.mark(&[]);
        }
    }

    fn read_target(&mut self, target: &Target) {
        for (pattern, _) in target.patterns() {
            if let Pattern::Setting(conditions) = pattern {
                for condition in conditions {
                    self.mark(&keys(&condition.path.join(":")));
                }
            }
        }
    }
}

fn keys(path: &str) -> Vec<String> {
    path.split([':', '.']).filter(|key| !key.is_empty()).map(str::to_owned).collect()
}

/// The object of a chain is read through the chain.
fn mark_inner(expr: &Arc<Expr>, inner: &mut HashSet<*const Expr>) {
    match &expr.kind {
        ExprKind::Attribute { object, .. } => {
            inner.insert(Arc::as_ptr(object));
        }
        ExprKind::Index { object, index } if matches!(index.kind, ExprKind::Literal(_)) => {
            inner.insert(Arc::as_ptr(object));
        }
        ExprKind::Call { callee, .. } if path_of(expr).is_some() => {
            inner.insert(Arc::as_ptr(callee));
        }
        _ => {}
    }
}

/// The path that an expression reads: `settings.a.b`, `pillar['a'].get('b', {})`; the longest that is certain.
fn path_of(expr: &Arc<Expr>) -> Option<Vec<String>> {
    match &expr.kind {
        ExprKind::Name(name) => (name == "settings" || name == "pillar").then(Vec::new),
        ExprKind::Attribute { object, name, .. } => {
            let mut path = path_of(object)?;
            path.push(name.clone());
            Some(path)
        }
        ExprKind::Index { object, index } => {
            let mut path = path_of(object)?;
            if let ExprKind::Literal(Value::Str(key)) = &index.kind {
                path.push(key.clone());
            }
            Some(path)
        }
        ExprKind::Call { callee, args } => {
            let ExprKind::Attribute { object, name, .. } = &callee.kind else { return None };
            let mut path = path_of(object)?;
            if name == "get"
                && let Some(ExprKind::Literal(Value::Str(key))) = args.first().map(|a| &a.value.kind)
            {
                path.extend(key.split(':').map(str::to_owned));
            }
            // `items()`, `values()` and the like read everything below.
            Some(path)
        }
        _ => None,
    }
}
