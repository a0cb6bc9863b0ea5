//! What states manage on the machine: sources that must exist, paths that two states write.

use super::{
    summary::{ArgumentDecl, FunctionDecl, StateDecl},
    view::View,
    workspace::Unit,
};
use crate::{
    diagnostic::{Applicability, Diagnostic, Severity, nearest},
    rule,
    source::Span,
};
use std::collections::BTreeMap;

rule! {
    /// A `zester://` (or `salt://`) source is not in the state tree.
    ///
    /// The state fails on every peel.
    ///
    /// ```yaml
    /// -- states/web.zy --
    /// /etc/nginx/nginx.conf:
    ///   file.managed:
    ///     - source: zester://web/files/ngnix.conf
    /// -- states/web/files/nginx.conf --
    /// events {}
    /// ```
    ///
    /// The path starts at the root of the state tree:
    ///
    /// ```yaml
    /// -- states/web.zy --
    /// /etc/nginx/nginx.conf:
    ///   file.managed:
    ///     - source: zester://web/files/nginx.conf
    /// -- states/web/files/nginx.conf --
    /// events {}
    /// ```
    pub MISSING_SOURCE = "Z0112", "missing-source", Error;

    /// Two states manage the whole content of one path.
    ///
    /// Each run, one undoes what the other did.
    ///
    /// ```yaml
    /// hosts:
    ///   file.managed:
    ///     - name: /etc/hosts
    ///     - contents: 127.0.0.1 localhost
    /// other hosts:
    ///   file.managed:
    ///     - name: /etc/hosts
    ///     - contents: 127.0.0.1 other
    /// ```
    ///
    /// ```yaml
    /// hosts:
    ///   file.managed:
    ///     - name: /etc/hosts
    ///     - contents: |
    ///         127.0.0.1 localhost
    ///         127.0.0.1 other
    /// ```
    pub MANAGED_TWICE = "Z0222", "managed-twice", Warning;

    /// A `cmd.run` has nothing that says when it is done.
    ///
    /// It runs, and reports a change, on every run.
    ///
    /// ```yaml
    /// make install:
    ///   cmd.run: []
    /// ```
    ///
    /// Say what it creates, when it is needed, or after which change:
    ///
    /// ```yaml
    /// make install:
    ///   cmd.run:
    ///     - creates: /usr/local/bin/app
    /// ```
    pub NOT_IDEMPOTENT = "Z0223", "not-idempotent", Hint;
}

/// Reports literal sources that are not in the tree.
pub fn missing_sources(view: &View<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for function in view.unit().summary.states.iter().flat_map(|s| &s.functions) {
        let is_file = function.name.as_ref().is_some_and(|n| {
            matches!(
                (n.module.as_str(), n.function.as_str()),
                ("file", "managed" | "recurse" | "append" | "prepend" | "patch")
                    | ("cmd", "script" | "wait_script")
                    | ("archive", "extracted")
            )
        });
        if !is_file {
            continue;
        }
        for argument in function.arguments.iter().filter(|a| matches!(a.name.as_str(), "source" | "sources"))
        {
            missing_source(view, function, argument, diagnostics);
        }
    }
}

fn missing_source(
    view: &View<'_>,
    function: &FunctionDecl,
    argument: &ArgumentDecl,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let paths: Vec<Option<(&str, Span)>> = argument
        .values
        .iter()
        .map(|(value, span)| {
            let text = value.text()?;
            let path = text.strip_prefix("zester://").or_else(|| text.strip_prefix("salt://"))?;
            Some((path, *span))
        })
        .collect();
    // Of several sources the first that exists is taken: only when none can, something is missing.
    let exists = |path: &str| {
        // Other environments, and names with a query or in bars, are not looked up here.
        path.contains(['?', '|'])
            || path.trim_matches('/').is_empty()
            || view.source_exists(path.trim_matches('/'))
    };
    if paths.is_empty() || paths.iter().any(|p| p.is_none_or(|(path, _)| exists(path))) {
        return;
    }
    let Some((path, span)) = paths.iter().flatten().next().copied() else { return };
    if function.arguments.iter().any(|a| a.name == "saltenv" || a.name == "__env__") {
        return;
    }
    let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
    let files = view.files_below(dir);
    let mut diagnostic = Diagnostic::new(&MISSING_SOURCE, span, format!("`{path}` is not in the state tree"));
    diagnostic = match nearest(path, files.iter().map(String::as_str)) {
        Some(near) => {
            let written =
                view.unit().tree.text.get(span.range()).unwrap_or_default().trim_matches(['\'', '"']);
            let help = diagnostic.help(format!("did you mean `zester://{near}`?"));
            match written.split_once("://") {
                Some((scheme, rest)) if rest.trim_matches('/') == path.trim_matches('/') => help.fix(
                    "name the file that is there",
                    Applicability::Unsafe,
                    span,
                    format!("{scheme}://{near}"),
                ),
                _ => help,
            }
        }
        None => diagnostic.help(match alike(view, path, &files) {
            Some(other) => {
                format!("there is `zester://{other}`; the path starts at the root of the state tree")
            }
            None => "create the file; the path starts at the root of the state tree".to_owned(),
        }),
    };
    let is_typo = diagnostic.help.as_ref().is_some_and(|h| h.starts_with("did you mean"));
    if view.is_foreign() && !is_typo {
        diagnostic.severity = Severity::Warning;
    }
    diagnostics.push(diagnostic);
}

/// A file that may have been meant although its path is not near: one with a further ending, or of the same name in another
/// directory.
fn alike(view: &View<'_>, path: &str, beside: &[String]) -> Option<String> {
    let longer = |other: &&String| other.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    if let Some(found) = beside.iter().find(longer) {
        return Some(found.clone());
    }
    let (dir, name) = path.rsplit_once('/')?;
    let above = dir.rsplit_once('/').map_or("", |(above, _)| above);
    let same_name = |other: &String| other.rsplit('/').next() == Some(name);
    let mut others: Vec<String> = view.files_below(above).into_iter().filter(same_name).collect();
    others.sort_by_key(|other| strsim::damerau_levenshtein(other, path));
    others.into_iter().next()
}

/// Reports paths that two states of a file both write whole.
pub fn managed_twice(unit: &Unit, diagnostics: &mut Vec<Diagnostic>) {
    let mut by_path: BTreeMap<&str, Vec<(&StateDecl, &FunctionDecl, Span)>> = BTreeMap::new();
    for state in unit.summary.states.iter().filter(|s| s.body.is_none()) {
        for function in &state.functions {
            let whole = function.name.as_ref().is_some_and(|n| {
                n.module == "file"
                    && matches!(n.function.as_str(), "managed" | "symlink" | "absent" | "serialize")
            });
            // What is merged into the file leaves room for others.
            let merges = function.arguments.iter().any(|a| a.name == "merge_if_exists");
            if !whole || merges || function.open || is_guarded(function) {
                continue;
            }
            let places: Vec<(Option<&str>, Span)> = if function.names.is_empty() {
                vec![(state.id.text(), state.span)]
            } else {
                function.names.iter().map(|(n, span)| (n.text(), *span)).collect()
            };
            for (path, span) in places {
                if let Some(path) = path.filter(|p| p.starts_with('/')) {
                    by_path.entry(path).or_default().push((state, function, span));
                }
            }
        }
    }
    for (path, mut writers) in by_path {
        writers.sort_by_key(|(.., span)| *span);
        let [(first, first_function, first_span), rest @ ..] = writers.as_slice() else { continue };
        for (state, function, span) in rest {
            let same_branch = first.branch == state.branch && first_function.branch == function.branch;
            // The same id twice is another finding.
            if !same_branch || first.span == state.span || first.id == state.id {
                continue;
            }
            diagnostics.push(
                Diagnostic::new(&MANAGED_TWICE, *span, format!("Two states manage `{path}`"))
                    .label(*first_span, "it is managed here already")
                    .help("let one state manage the path"),
            );
        }
    }
}

/// Whether something decides at run time whether the state runs: two such states may take turns.
fn is_guarded(function: &FunctionDecl) -> bool {
    const DECIDERS: &[&str] = &[
        "onlyif",
        "unless",
        "creates",
        "onchanges",
        "onchanges_any",
        "onfail",
        "onfail_any",
        "onfail_all",
        "prereq",
        "replace",
    ];
    function.arguments.iter().any(|a| DECIDERS.contains(&a.name.as_str()))
}

/// Hints at commands that run every time.
pub fn not_idempotent(unit: &Unit, diagnostics: &mut Vec<Diagnostic>) {
    let touched_from_elsewhere = |id: &str| {
        unit.summary
            .states
            .iter()
            .chain(&unit.summary.extends)
            .flat_map(|s| &s.functions)
            .flat_map(|f| &f.references)
            .any(|r| r.inverted && super::targets::wanted(&r.target).is_none_or(|(name, _)| name == id))
            || unit.summary.extends.iter().any(|s| s.id.matches(id))
    };
    for state in &unit.summary.states {
        for function in &state.functions {
            let is_run = function.name.as_ref().is_some_and(|n| n.module == "cmd" && n.function == "run");
            let decided = is_guarded(function)
                || function
                    .arguments
                    .iter()
                    .any(|a| matches!(a.name.as_str(), "stateful" | "check_cmd" | "use" | "changed_when"));
            if !is_run || function.open || decided || state.id.text().is_none_or(touched_from_elsewhere) {
                continue;
            }
            diagnostics.push(
                Diagnostic::new(
                    &NOT_IDEMPOTENT,
                    function.span,
                    "The command runs, and reports a change, on every run",
                )
                .help("say `creates`, `onlyif`, `unless` or `onchanges`, or use `cmd.wait`"),
            );
        }
    }
}
