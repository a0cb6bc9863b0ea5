//! Names in templates: is every variable that is used bound somewhere?
//!
//! Only what is certain is said. A name counts as bound when the file binds it anywhere; a file that others include
//! or import with their context may use what they bind, and is not judged.

use super::walk::{Binding, bindings, parts, roots};
use crate::{
    diagnostic::{Applicability, Diagnostic, Edit, Fix, nearest_or_longer},
    rule,
    source::Span,
    syntax::{
        Tree,
        expression::{Expr, ExprKind},
        template::{BlockKind, StatementKind, Template},
    },
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

rule! {
    /// A template uses a variable that nothing defines.
    ///
    /// Rendering stops there with an error on every peel that reaches it. A file that a state renders (`template: jinja`) reads what
    /// the state's `context` and `defaults` give it; what they do not is said at the state.
    ///
    /// ```yaml
    /// {% set port = 80 %}
    /// /etc/app.conf:
    ///   file.managed:
    ///     - contents: "port={{ prot }}"
    /// ```
    ///
    /// Correct the name, `set` or import it first, or say that it may be missing with `default`:
    ///
    /// ```yaml
    /// {% set port = 80 %}
    /// /etc/app.conf:
    ///   file.managed:
    ///     - contents: "port={{ port }}"
    /// ```
    pub UNDEFINED_VARIABLE = "Z0401", "undefined-variable", Error;

    /// A variable is set inside a loop and read after it.
    ///
    /// A loop has a scope of its own: what it sets ends with it, so the value read afterwards is the one from before
    /// the loop.
    ///
    /// ```yaml
    /// {% set found = false %}
    /// {% for user in settings.get('users', []) %}
    ///   {% set found = true %}
    /// {% endfor %}
    /// marker:
    ///   test.nop:
    ///     - comment: {{ found }}
    /// ```
    ///
    /// Keep the value in a namespace, which outlives the loop:
    ///
    /// ```yaml
    /// {% set seen = namespace(found=false) %}
    /// {% for user in settings.get('users', []) %}
    ///   {% set seen.found = true %}
    /// {% endfor %}
    /// marker:
    ///   test.nop:
    ///     - comment: {{ seen.found }}
    /// ```
    pub SET_IN_LOOP = "Z0402", "set-in-loop", Warning;
}

/// Names that every template sees.
pub const GLOBALS: &[&str] = &[
    // Zester's and Salt's.
    "facts",
    "grains",
    "settings",
    "pillar",
    "salt",
    "zester",
    "basket",
    "mine",
    "peel_id",
    "id",
    "env",
    "saltenv",
    "sls",
    "sls_path",
    "slspath",
    "slsdotpath",
    "slscolonpath",
    "slsdir",
    "tpldir",
    "tpldot",
    "tplfile",
    "tplpath",
    "opts",
    "proxy",
    "accumulator",
    "minion",
    "show_full_context",
    "raise",
    "odict",
    "salt_data",
    "__salt__",
    "__grains__",
    "__pillar__",
    "__opts__",
    "__env__",
    "__sls__",
    "__id__",
    "__low__",
    "__file__",
    "__proxy__",
    "__context__",
    "__utils__",
    "__instance_id__",
    "renderer",
    "kwargs",
    // Reactor and orchestration files: `OF_EVENTS`.
    "data",
    "tag",
    "event",
    "master",
    // Jinja's.
    "range",
    "dict",
    "lipsum",
    "cycler",
    "joiner",
    "namespace",
    "loop",
    "self",
    "super",
    "caller",
    "varargs",
    "_",
    "gettext",
    "ngettext",
    "debug",
    "true",
    "false",
    "none",
    "True",
    "False",
    "None",
];

/// Names of [`GLOBALS`] that only reactor and orchestration files see.
pub const OF_EVENTS: &[&str] = &["data", "tag", "event", "master"];

/// A use of a name that nothing in the file binds.
pub struct Free {
    /// The name.
    pub name: String,
    /// Where it is used.
    pub span: Span,
    /// Whether every rendering reaches it: it lies in no block and in no inline condition.
    pub always: bool,
    /// Whether some place asks for it by `is defined`, or gives it a `default`.
    pub asked: bool,
}

/// Names that are used and nowhere bound, in order of their places. Names that are asked for by `is defined` or
/// given a `default` are left out, at every place.
pub fn free_names(template: &Template) -> Vec<Free> {
    let mut free = unbound_names(template);
    free.retain(|free| !free.asked && !GLOBALS.contains(&free.name.as_str()));
    free
}

/// Names that are used and nowhere bound, those that every template sees among them, in order of their places.
pub fn unbound_names(template: &Template) -> Vec<Free> {
    let bound: HashSet<&str> = bindings(template).iter().map(|b| b.name).collect();
    let mut asked = HashSet::new();
    let mut used: Vec<(&str, Span, bool)> = Vec::new();
    for root in roots(template) {
        let mut pending: Vec<(&Arc<Expr>, bool)> = vec![(root, true)];
        while let Some((expr, always)) = pending.pop() {
            match &expr.kind {
                ExprKind::Name(name) => used.push((name, expr.span, always)),
                ExprKind::Test { value, name, .. }
                    if matches!(name.as_str(), "defined" | "undefined" | "none") =>
                {
                    asked.extend(base_name(value));
                }
                ExprKind::Filter { value: Some(value), name, .. }
                    if matches!(name.as_str(), "default" | "d") =>
                {
                    asked.extend(base_name(value));
                }
                _ => {}
            }
            let sure = always
                && !matches!(
                    &expr.kind,
                    ExprKind::Conditional { .. } | ExprKind::Binary { operator: "and" | "or", .. }
                );
            pending.extend(parts(expr).into_iter().map(|part| (part, sure)));
        }
    }
    let mut free: Vec<Free> = used
        .into_iter()
        .filter(|(name, ..)| !bound.contains(name))
        .map(|(name, span, always)| Free {
            name: name.to_owned(),
            span,
            always: always && template.arms_at(span.start).is_empty(),
            asked: asked.contains(name),
        })
        .collect();
    free.sort_by_key(|f| f.span);
    free
}

/// Names that an expression needs to have a value, whatever else is: those that it asks for, and those behind a condition of its own, left out.
pub fn free_in(root: &Arc<Expr>) -> Vec<&str> {
    let mut needed = Vec::new();
    let mut asked: Vec<&str> = Vec::new();
    let mut pending = vec![root];
    while let Some(expr) = pending.pop() {
        match &expr.kind {
            ExprKind::Name(name) => needed.push(name.as_str()),
            ExprKind::Test { value, name, .. }
                if matches!(name.as_str(), "defined" | "undefined" | "none") =>
            {
                asked.extend(base_name(value));
            }
            ExprKind::Filter { value: Some(value), name, .. } if matches!(name.as_str(), "default" | "d") => {
                asked.extend(base_name(value));
            }
            ExprKind::Conditional { .. } | ExprKind::Binary { operator: "and" | "or", .. } => continue,
            _ => {}
        }
        pending.extend(parts(expr));
    }
    needed.retain(|name| !asked.contains(name));
    needed
}

/// The variable at the bottom of `a.b['c'].d`.
fn base_name(expr: &Arc<Expr>) -> Option<&str> {
    let mut expr = expr;
    loop {
        match &expr.kind {
            ExprKind::Name(name) => return Some(name),
            ExprKind::Attribute { object, .. }
            | ExprKind::Index { object, .. }
            | ExprKind::Slice { object, .. } => {
                expr = object;
            }
            ExprKind::Call { callee, .. } => expr = callee,
            ExprKind::Filter { value: Some(value), .. } => expr = value,
            _ => return None,
        }
    }
}

/// Reports variables that nothing in the file defines, and of which `elsewhere` does not say that another file may.
pub fn undefined(tree: &Tree, elsewhere: &dyn Fn(&str) -> bool, diagnostics: &mut Vec<Diagnostic>) {
    // What could not be read may have bound anything.
    if has_unreadable(tree) {
        return;
    }
    let bound: Vec<Binding<'_>> = bindings(&tree.template);
    let mut by_name: BTreeMap<String, Vec<Span>> = BTreeMap::new();
    for free in free_names(&tree.template).into_iter().filter(|free| !elsewhere(&free.name)) {
        by_name.entry(free.name).or_default().push(free.span);
    }
    for (name, spans) in by_name {
        let Some((first, rest)) = spans.split_first() else { continue };
        let mut diagnostic =
            Diagnostic::new(&UNDEFINED_VARIABLE, *first, format!("The variable `{name}` is not defined"));
        let candidates = bound.iter().map(|b| b.name).chain(GLOBALS.iter().copied());
        diagnostic = match nearest_or_longer(&name, candidates) {
            Some(near) => {
                let edits = spans.iter().map(|span| Edit { span: *span, text: near.to_owned() }).collect();
                let title = format!("rename to `{near}`");
                diagnostic.fixes.push(Fix { title, applicability: Applicability::Unsafe, edits });
                diagnostic.help(format!("did you mean `{near}`?"))
            }
            None => diagnostic.help(format!(
                "set or import it first, write `'{name}'` where the text is meant, or `{name} | default(…)` where it may be missing"
            )),
        };
        if let [more, ..] = rest {
            let count = rest.len();
            let text = if count == 1 {
                "used again here".to_owned()
            } else {
                format!("used {count} more times, first here")
            };
            diagnostic = diagnostic.label(*more, text);
        }
        diagnostics.push(diagnostic);
    }
}

/// Whether the template part has constructs that were not understood.
pub fn has_unreadable(tree: &Tree) -> bool {
    tree.template.blocks.iter().any(|b| matches!(b.kind, BlockKind::Unknown))
        || tree.template.statements.iter().any(|s| matches!(s.kind, StatementKind::Unknown))
        || tree.diagnostics.iter().any(|d| d.is_error() && is_about_templates(d))
}

/// Whether a finding of the syntax layer is about template tags rather than about YAML.
pub fn is_about_templates(diagnostic: &Diagnostic) -> bool {
    // The syntax layer numbers its rules about YAML below those about templates, but for these two.
    diagnostic.rule.code >= "Z0010"
        && !matches!(diagnostic.rule.name, "live-tag-in-comment" | "second-document")
}

/// Reports what a loop sets and a later line reads, when the loop's scope has thrown it away.
pub fn set_in_loop(tree: &Tree, diagnostics: &mut Vec<Diagnostic>) {
    let template = &tree.template;
    let innermost_loop = |offset: u32| {
        template
            .arms_at(offset)
            .into_iter()
            .rfind(|(block, arm)| {
                *arm == 0
                    && matches!(template.blocks[*block].kind, BlockKind::For { .. } | BlockKind::Macro { .. })
            })
            .map(|(block, _)| block)
    };
    let uses: Vec<(&str, Span)> = {
        let mut uses = Vec::new();
        for root in roots(template) {
            super::walk::visit(root, &mut |expr| {
                if let ExprKind::Name(name) = &expr.kind {
                    uses.push((name.as_str(), expr.span));
                }
            });
        }
        uses
    };
    let all = bindings(template);
    let mut reported = HashSet::new();
    for binding in all.iter().filter(|b| b.within.is_none()) {
        let Some(block) = innermost_loop(binding.span.start) else { continue };
        let block = &template.blocks[block];
        if !matches!(block.kind, BlockKind::For { .. }) || !reported.insert((binding.name, block.span.start))
        {
            continue;
        }
        // Only an assignment over an outer one loses something; a helper variable of the loop's own does not.
        let outer = all.iter().any(|b| {
            b.name == binding.name
                && b.within.is_none()
                && b.span.start < block.span.start
                && innermost_loop(b.span.start).is_none()
        });
        // Set again after the loop, before it is read: the loop's value was never meant to last.
        let read = uses.iter().find(|(name, span)| *name == binding.name && span.start >= block.span.end);
        let Some((_, read)) = read.filter(|_| outer) else { continue };
        let again = all
            .iter()
            .any(|b| b.name == binding.name && b.span.start >= block.span.end && b.span.start < read.start);
        // A use inside another loop that binds the name itself reads that one.
        let rebound =
            all.iter().any(|b| b.name == binding.name && b.within.is_some_and(|w| w.contains(*read)));
        if again || rebound {
            continue;
        }
        diagnostics.push(
            Diagnostic::new(
                &SET_IN_LOOP,
                binding.span,
                format!("`{}` is set inside a loop, and the value is lost when the loop ends", binding.name),
            )
            .label(*read, "read here, with the value from before the loop")
            .help(format!(
                "use a namespace: `{{% set ns = namespace({0}=…) %}}`, then `{{% set ns.{0} = … %}}` in the loop",
                binding.name
            )),
        );
    }
}
