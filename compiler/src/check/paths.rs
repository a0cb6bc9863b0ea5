//! Paths of the machine that begin nowhere: functions that write files take absolute ones only, and so does Salt.

use super::{pattern::Pattern, summary::FunctionDecl, view::View};
use crate::{
    diagnostic::Diagnostic,
    source::Span,
    types::{FunctionKind, FunctionName, Param, Registry, Type, decode::MALFORMED_VALUE},
};

/// Modules whose primary parameter, where it is a path, is one of the machine's.
const MODULES: [&str; 4] = ["archive", "file", "ini", "mount"];

/// Parameters that the tools behind them refuse unless they are absolute.
const PARAMETERS: [(&str, &str); 7] = [
    ("cmd", "cwd"),
    ("cmd", "root"),
    ("git", "target"),
    ("pip", "cwd"),
    ("user", "home"),
    ("user", "shell"),
    ("virtualenv", "cwd"),
];

/// Reports ids, names and arguments that are taken for a path and are none.
pub fn relative(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    for state in &view.unit().summary.states {
        for function in state.functions.iter().filter(|function| !function.open) {
            let Some(name) = function.name.as_ref() else { continue };
            arguments(&name.module, function, found);
            let Some(primary) = path_of(view.registry(), name) else { continue };
            // Swap space is mounted at `swap` or `none`.
            let is_wrong = |path: &str| is_relative(path) && (name.module != "mount" || path.contains('/'));
            let names: Vec<_> =
                function.names.iter().filter(|(n, _)| n.text().is_some_and(is_wrong)).cloned().collect();
            values(primary.name.as_ref(), &names, found);
            let id = state.id.text().filter(|id| function.names.is_empty() && is_wrong(id));
            // An `extend` elsewhere may give the name.
            if let Some(id) = id.filter(|_| !view.is_extended(state, function)) {
                let message = format!("`{name}` takes the id for its path, and `{id}` is none");
                found.push(
                    Diagnostic::new(&MALFORMED_VALUE, state.span, message)
                        .help(format!("add `- {}: /…`, or make the path the id", primary.name)),
                );
            }
        }
    }
}

/// The parameter that says which path of the machine a function is about, and may be the id.
fn path_of<'r>(registry: &'r Registry, name: &FunctionName) -> Option<&'r Param> {
    let known = MODULES.contains(&name.module.as_str());
    let signature = registry.get(FunctionKind::State, &name.module, &name.function).filter(|_| known)?;
    signature.primary().filter(|primary| primary.ty == Type::Path)
}

/// Whether a name can be no name of a function: it takes absolute paths, and this is none.
pub(super) fn cannot_be_named(registry: &Registry, function: &FunctionDecl, name: &str) -> bool {
    is_relative(name)
        && function.name.as_ref().is_none_or(|f| f.module != "mount")
        && function.name.as_ref().is_some_and(|f| path_of(registry, f).is_some())
}

/// Reports arguments of a function that are relative paths.
fn arguments(module: &str, function: &FunctionDecl, found: &mut Vec<Diagnostic>) {
    for argument in &function.arguments {
        if PARAMETERS.contains(&(module, argument.name.as_str())) {
            values(&argument.name, &argument.values, found);
        }
    }
}

fn values(parameter: &str, values: &[(Pattern, Span)], found: &mut Vec<Diagnostic>) {
    for (path, span) in values {
        if let Some(path) = path.text().filter(|path| is_relative(path)) {
            let message = format!("`{parameter}`: expected an absolute path, found `{path}`");
            found.push(
                Diagnostic::new(&MALFORMED_VALUE, *span, message)
                    .help("a path of the machine begins with `/`"),
            );
        }
    }
}

/// Whether a text is certainly no absolute path: `~` is somebody's home, and a drive is not for this machine to judge.
fn is_relative(path: &str) -> bool {
    let is_drive = path.as_bytes().get(1) == Some(&b':') || path.contains('\\');
    !path.is_empty() && !path.starts_with(['/', '~']) && !is_drive && !path.contains("://")
}
