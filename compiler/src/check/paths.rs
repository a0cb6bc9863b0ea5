//! Paths of the machine that begin nowhere: functions that write files take absolute ones only, and so does Salt.

use super::view::View;
use crate::{
    diagnostic::Diagnostic,
    types::{FunctionKind, Type, decode::MALFORMED_VALUE},
};

/// Modules whose primary parameter, where it is a path, is one of the machine's.
const MODULES: [&str; 3] = ["archive", "file", "ini"];

/// Reports ids and names that are taken for a path and are none.
pub fn relative(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    for state in &view.unit().summary.states {
        for function in state.functions.iter().filter(|function| !function.open) {
            let Some(name) = function.name.as_ref().filter(|n| MODULES.contains(&n.module.as_str())) else {
                continue;
            };
            let signature = view.registry().get(FunctionKind::State, &name.module, &name.function);
            let Some(primary) = signature.and_then(|s| s.primary()).filter(|p| p.ty == Type::Path) else {
                continue;
            };
            for (path, span) in &function.names {
                if let Some(path) = path.text().filter(|path| is_relative(path)) {
                    found.push(
                        Diagnostic::new(
                            &MALFORMED_VALUE,
                            *span,
                            format!("`{}`: expected an absolute path, found `{path}`", primary.name),
                        )
                        .help("a path of the machine begins with `/`"),
                    );
                }
            }
            let id = state.id.text().filter(|id| function.names.is_empty() && is_relative(id));
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

/// Whether a text is certainly no absolute path: `~` is somebody's home, and a drive is not for this machine to judge.
fn is_relative(path: &str) -> bool {
    let is_drive = path.as_bytes().get(1) == Some(&b':') || path.contains('\\');
    !path.is_empty() && !path.starts_with(['/', '~']) && !is_drive && !path.contains("://")
}
