//! Templates that use other templates: does the file exist, does it have the name, does it see what it needs?

use super::{
    references::is_written,
    scope::{free_names, has_unreadable},
    summary::{TemplateUse, UseKind},
    view::View,
    walk::{bindings, roots, visit},
    workspace::{Unit, UnitKind},
};
use crate::{
    diagnostic::{Applicability, Diagnostic, Severity, nearest},
    rule,
    source::Span,
    syntax::expression::ExprKind,
};
use std::collections::HashSet;

rule! {
    /// A template imports or includes a file that does not exist.
    ///
    /// Rendering fails on every peel that reaches it.
    ///
    /// ```yaml
    /// -- states/web/init.zy --
    /// {% from "web/map.jnija" import nginx %}
    /// {{ nginx.package }}:
    ///   pkg.installed: []
    /// -- states/web/map.jinja --
    /// {% set nginx = {'package': 'nginx'} %}
    /// ```
    ///
    /// The path starts at the root of the state tree; `./` starts at the file's own directory.
    ///
    /// ```yaml
    /// -- states/web/init.zy --
    /// {% from "web/map.jinja" import nginx %}
    /// {{ nginx.package }}:
    ///   pkg.installed: []
    /// -- states/web/map.jinja --
    /// {% set nginx = {'package': 'nginx'} %}
    /// ```
    pub MISSING_TEMPLATE = "Z0104", "missing-template", Error;

    /// A template imports a name that the file does not define, and uses it.
    ///
    /// Rendering fails where the name is used.
    ///
    /// ```yaml
    /// -- states/web/init.zy --
    /// {% from "web/map.jinja" import ngnix %}
    /// {{ ngnix.package }}:
    ///   pkg.installed: []
    /// -- states/web/map.jinja --
    /// {% set nginx = {'package': 'nginx'} %}
    /// ```
    ///
    /// ```yaml
    /// -- states/web/init.zy --
    /// {% from "web/map.jinja" import nginx %}
    /// {{ nginx.package }}:
    ///   pkg.installed: []
    /// -- states/web/map.jinja --
    /// {% set nginx = {'package': 'nginx'} %}
    /// ```
    pub UNKNOWN_IMPORT = "Z0105", "unknown-import", Error;

    /// A file is imported without context and uses a variable of the importing file.
    ///
    /// Without `with context` an imported file sees the globals (`grains`, `pillar`, …) but not the variables of the
    /// file that imports it, so rendering fails there.
    ///
    /// ```yaml
    /// -- states/web/init.zy --
    /// {% set flavour = 'light' %}
    /// {% from "web/map.jinja" import package %}
    /// {{ package }}:
    ///   pkg.installed: []
    /// -- states/web/map.jinja --
    /// {% set package = 'nginx-' ~ flavour %}
    /// ```
    ///
    /// ```yaml
    /// -- states/web/init.zy --
    /// {% set flavour = 'light' %}
    /// {% from "web/map.jinja" import package with context %}
    /// {{ package }}:
    ///   pkg.installed: []
    /// -- states/web/map.jinja --
    /// {% set package = 'nginx-' ~ flavour %}
    /// ```
    pub IMPORT_WITHOUT_CONTEXT = "Z0106", "import-without-context", Error;
}

/// Checks what a file imports and includes.
///
/// Gives the names that those which do not exist are thought to be: that the file has not got them is said already.
pub fn check_imports(view: &View<'_>, diagnostics: &mut Vec<Diagnostic>) -> Vec<String> {
    let unit = view.unit();
    let mut meant = Vec::new();
    for (used, file) in view.uses() {
        let Some(path) = &used.path else { continue };
        let Some(file) = file else {
            missing(view, used, path, diagnostics);
            continue;
        };
        let Some(target) = view.other(&file.path) else { continue };
        if has_unreadable(&target.tree) {
            continue;
        }
        if let UseKind::From(names) = &used.kind {
            meant.append(&mut unknown_names(unit, target, names, diagnostics));
        }
        if !used.with_context && matches!(used.kind, UseKind::From(_) | UseKind::Import) {
            without_context(unit, target, used, diagnostics);
        }
    }
    meant
}

fn missing(view: &View<'_>, used: &TemplateUse, path: &str, diagnostics: &mut Vec<Diagnostic>) {
    let unit = view.unit();
    // In a file that others import, `tpldir` is theirs, and a path made of it says nothing.
    let is_entry =
        matches!(unit.kind, UnitKind::States | UnitKind::Settings | UnitKind::Top(_)) && !view.is_used();
    let is_literal = unit.tree.text.get(used.span.range()).is_some_and(|t| t.contains(path));
    if matches!(used.kind, UseKind::Include(true)) || !(is_entry || is_literal) || path.contains(['*', '?']) {
        return;
    }
    // One that is reached through `ignore missing` alone cannot fail; nor one of another environment.
    let plain = path.strip_prefix("zester://").or_else(|| path.strip_prefix("salt://")).unwrap_or(path);
    let mut diagnostic =
        Diagnostic::new(&MISSING_TEMPLATE, used.span, format!("The template `{plain}` does not exist"));
    let dir = plain.rsplit_once('/').map_or("", |(dir, _)| dir);
    let beside = view.files_below(dir);
    diagnostic = match nearest(plain, beside.iter().map(String::as_str)) {
        Some(near) if plain == path && is_written(unit, used.span, path) => diagnostic.did_you_mean(near),
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic
            .help("the path starts at the root of the state tree; `./` starts at this file's directory"),
    };
    let is_typo = diagnostic.help.as_ref().is_some_and(|h| h.starts_with("did you mean"));
    if view.is_foreign() && !is_typo {
        diagnostic.severity = Severity::Warning;
    }
    diagnostics.push(diagnostic);
}

fn unknown_names(
    unit: &Unit,
    target: &Unit,
    names: &[(String, Span, String)],
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<String> {
    let mut all_meant = Vec::new();
    // A file that extends another, or whose blocks are not all understood, may have more names.
    if target.summary.uses.iter().any(|u| matches!(u.kind, UseKind::Extends)) {
        return all_meant;
    }
    // What the file uses, has not, and could have imported: one of the names that are not there was meant to be it.
    let missed: Vec<String> = free_names(&unit.tree.template)
        .into_iter()
        .map(|free| free.name)
        .filter(|name| target.summary.exports.contains(name))
        .collect();
    for (name, span, local) in names {
        if target.summary.exports.contains(name) {
            continue;
        }
        let meant = nearest(name, missed.iter().map(String::as_str));
        let used = is_used(unit, local);
        if !used && meant.is_none() {
            continue;
        }
        all_meant.extend(meant.map(str::to_owned));
        let mut diagnostic = Diagnostic::new(
            &UNKNOWN_IMPORT,
            *span,
            format!("`{}` does not define `{name}`", target.tree_path),
        );
        let exports: Vec<&str> = target.summary.exports.iter().map(String::as_str).collect();
        diagnostic = match nearest(name, exports.iter().copied()) {
            // The name here stays, so that its uses do.
            Some(near) if name == local && used => diagnostic.help(format!("did you mean `{near}`?")).fix(
                format!("import `{near}`"),
                Applicability::Unsafe,
                *span,
                format!("{near} as {local}"),
            ),
            Some(near) => diagnostic.did_you_mean(near),
            None if exports.is_empty() => diagnostic.help("the file defines no names"),
            None => diagnostic.help(super::functions::list_of("it defines", &exports)),
        };
        diagnostics.push(diagnostic);
    }
    all_meant
}

/// Whether a file needs a name to have a value.
fn is_used(unit: &Unit, name: &str) -> bool {
    let mut used = false;
    let mut asked = false;
    for root in roots(&unit.tree.template) {
        visit(root, &mut |expr| match &expr.kind {
            ExprKind::Name(found) if found == name => used = true,
            ExprKind::Test { value, name: test, .. } if matches!(test.as_str(), "defined" | "undefined") => {
                asked |= matches!(&value.kind, ExprKind::Name(n) if n == name);
            }
            ExprKind::Filter { value: Some(value), name: filter, .. }
                if matches!(filter.as_str(), "default" | "d") =>
            {
                asked |= matches!(&value.kind, ExprKind::Name(n) if n == name);
            }
            _ => {}
        });
    }
    used && !asked
}

fn without_context(unit: &Unit, target: &Unit, used: &TemplateUse, diagnostics: &mut Vec<Diagnostic>) {
    let here: HashSet<&str> =
        bindings(&unit.tree.template).into_iter().filter(|b| b.within.is_none()).map(|b| b.name).collect();
    let needed =
        free_names(&target.tree.template).into_iter().find(|f| f.always && here.contains(f.name.as_str()));
    let Some(needed) = needed else { return };
    let mut diagnostic = Diagnostic::new(
        &IMPORT_WITHOUT_CONTEXT,
        used.statement,
        format!(
            "`{}` uses `{}`, which it sees only when it is imported with context",
            target.tree_path, needed.name
        ),
    )
    .label(needed.span, "used here")
    .help("end the statement with `with context`");
    let words = unit.tree.text.get(used.statement.range()).unwrap_or_default();
    let inner = words.trim_end_matches(['%', '}', '-', '+']).trim_end();
    if words.ends_with("%}") && !inner.ends_with("context") {
        let end = Span::at(used.statement.file, used.statement.start as usize + inner.len());
        diagnostic = diagnostic.fix("add `with context`", Applicability::Unsafe, end, " with context");
    }
    diagnostics.push(diagnostic);
}
