//! The kind of state that a requisite names: is there such a module at all, and is its colon there?

use super::{
    functions,
    requisites::UNKNOWN_REQUISITE,
    targets::{Targets, Wanted},
    workspace::Workspace,
};
use crate::{
    diagnostic::{Applicability, Diagnostic, Severity, nearest},
    lower::document::{KindWord, Reference, requisite_name},
    source::Span,
    types::{FunctionKind, FunctionName},
};

/// Reports a kind of which there can be no state. Whether it did.
pub(super) fn unknown_kind(
    workspace: &Workspace<'_>,
    targets: &Targets<'_>,
    word: &KindWord,
    diagnostics: &mut Vec<Diagnostic>,
) -> bool {
    let registry = workspace.registry;
    let name = FunctionName::parse(&word.text);
    let module = name.as_ref().map_or(word.text.as_str(), |n| n.module.as_str());
    if !is_module_word(module) {
        return false;
    }
    if registry.has_module(FunctionKind::State, module) {
        let Some(name) = &name else { return false };
        let dot = word.span.start + module.len() as u32;
        let (first, second) = (Span { end: dot, ..word.span }, Span { start: dot + 1, ..word.span });
        let before = diagnostics.len();
        functions::check_function(name, first, second, registry, &workspace.custom, diagnostics);
        return diagnostics.len() > before;
    }
    if is_known_elsewhere(workspace, targets, module) {
        return false;
    }
    // Without a likely name the rule about states that do not exist says it better, where it can be said.
    let Some(near) = nearest(
        module,
        registry.modules(FunctionKind::State).chain(registry.elsewhere_modules(FunctionKind::State)),
    ) else {
        return false;
    };
    let span = Span { end: word.span.start + module.len() as u32, ..word.span };
    let message = format!("There is no state module `{module}`, so this names no state");
    diagnostics.push(
        Diagnostic::new(&UNKNOWN_REQUISITE, span, message).help(format!("did you mean `{near}`?")).fix(
            format!("rename to `{near}`"),
            Applicability::Unsafe,
            span,
            near,
        ),
    );
    true
}

/// Whether a requisite's word can be the name of a module.
fn is_module_word(module: &str) -> bool {
    !module.is_empty()
        && module.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !matches!(module, "sls" | "id" | "name")
}

/// Whether a module is Salt's, the site's, or that of some state of the project.
fn is_known_elsewhere(workspace: &Workspace<'_>, targets: &Targets<'_>, module: &str) -> bool {
    workspace.registry.elsewhere_modules(FunctionKind::State).any(|m| m == module)
        || workspace.custom.contains(module)
        || targets.has_module(module)
}

/// Warns of a kind of which no state is known. Whether the site has a module of this name elsewhere is not certain.
pub(super) fn no_such_kind(
    workspace: &Workspace<'_>,
    targets: &Targets<'_>,
    word: &KindWord,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let module = word.text.split('.').next().unwrap_or_default();
    if !is_module_word(module)
        || workspace.registry.has_module(FunctionKind::State, module)
        || is_known_elsewhere(workspace, targets, module)
    {
        return;
    }
    let span = Span { end: word.span.start + module.len() as u32, ..word.span };
    let message = format!("There is no state module `{module}`, so this names no state");
    let mut found = Diagnostic::new(&UNKNOWN_REQUISITE, span, message)
        .help("write the module of the function that is meant, as in `pkg: NAME`");
    found.severity = Severity::Warning;
    diagnostics.push(found);
}

/// Reports text that would name a state if a colon stood behind its first word. Whether it did.
pub(super) fn missing_colon(
    workspace: &Workspace<'_>,
    targets: &Targets<'_>,
    index: usize,
    reference: &Reference,
    word: &KindWord,
    diagnostics: &mut Vec<Diagnostic>,
) -> bool {
    let unit = &workspace.units[index];
    let Some(text) = unit.tree.text.get(reference.span.range()) else { return false };
    let Some(rest) = text.strip_prefix(word.text.as_str()).map(str::trim) else { return false };
    // States may be called `file server`.
    if rest.is_empty() || targets.everywhere().has(text) {
        return false;
    }
    let there = match word.text.as_str() {
        "id" => targets.everywhere().has_id(rest),
        "sls" => !workspace.resolve(unit.tree_kind, &unit.env, rest, &unit.tree_path).is_empty(),
        kind => {
            let function = FunctionName::parse(kind);
            let wanted = function.as_ref().map_or(Wanted::Module(kind), Wanted::Function);
            let written = |span: Span| {
                let file = workspace.project.files().get(span.file);
                file.text.get(span.range()).is_some_and(|t| t == rest)
            };
            let module = function.as_ref().map_or(kind, |f| f.module.as_str());
            workspace.registry.has_module(FunctionKind::State, module)
                && (!targets.everywhere().find(rest, &wanted).is_empty()
                    || targets.everywhere().all().any(|(state, function)| {
                        function.name.is_some()
                            && wanted.fits(function)
                            && (written(state.span) || function.names.iter().any(|(_, span)| written(*span)))
                    }))
        }
    };
    if there {
        let requisite = requisite_name(reference.requisite);
        let suffix = if reference.inverted { "_in" } else { "" };
        let message = format!("`{requisite}{suffix}` names no state that exists: {text}");
        let right = format!("{}: {rest}", word.text);
        let end = Span { start: word.span.end, ..word.span };
        diagnostics.push(
            Diagnostic::new(&UNKNOWN_REQUISITE, reference.span, message)
                .help(format!("is a colon missing? `{right}` is there"))
                .fix("add the colon", Applicability::Unsafe, end, ":"),
        );
    }
    there
}
