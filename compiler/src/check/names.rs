//! Ids that stand for a function's primary parameter: a run decodes them as its value, so they must be one.

use super::view::View;
use crate::{
    diagnostic::Diagnostic,
    types::{FunctionKind, Type, Value, decode::decode_value},
};

/// Reports ids that are no value of the parameter they stand for. Paths have a rule of their own.
pub fn check_ids(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    for state in &view.unit().summary.states {
        let Some(id) = state.id.text() else { continue };
        for function in state.functions.iter().filter(|function| !function.open) {
            let named = function.arguments.iter().any(|a| matches!(a.name.as_str(), "name" | "names"));
            let Some(name) = function.name.as_ref().filter(|_| !named && function.names.is_empty()) else {
                continue;
            };
            let signature = view.registry().get(FunctionKind::State, &name.module, &name.function);
            let Some(primary) = signature.and_then(|s| s.primary()) else { continue };
            if matches!(primary.ty, Type::Str | Type::Any | Type::Path)
                || function.arguments.iter().any(|a| *a.name == *primary.name)
            {
                continue;
            }
            // An `extend` elsewhere may give the name.
            if let Err(error) = decode_value(&primary.ty, &Value::from(id), state.span)
                && !view.is_extended(state, function)
            {
                let mut finding = error.into_diagnostic(&primary.name);
                // Requisites name the id too.
                finding.fixes.clear();
                found.push(finding);
            }
        }
    }
}
