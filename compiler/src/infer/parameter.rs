//! Values that an expression gives to a parameter of a state: are they of its type?

use super::{Engine, arguments::misfit, secret};
use crate::{
    check::workspace::UnitKind,
    diagnostic::Diagnostic,
    lower::document::{Function, StateFile},
    syntax::{Node, NodeKind, ScalarStyle},
    types::{FunctionKind, Signature, decode::WRONG_TYPE},
};

/// Checks the arguments of all states of a file.
pub(super) fn check(engine: &Engine<'_, '_>, found: &mut Vec<Diagnostic>) {
    let unit = engine.unit;
    if unit.kind != UnitKind::States
        || unit.tree.opaque.is_some()
        || engine.roots.values().all(|ty| ty.is_any() && !ty.is_secret())
    {
        return;
    }
    let roots = unit.tree.root.iter().chain(unit.tree.bodies.iter().filter_map(|b| b.root.as_ref()));
    for root in roots {
        let file = StateFile::read(root, &unit.tree.template);
        for state in file.states.iter().chain(&file.extends) {
            secret::check_id(engine, state, found);
        }
        for function in file.states.iter().chain(&file.extends).flat_map(|s| &s.functions) {
            let Some(name) = &function.name else { continue };
            let registry = engine.world.around.registry();
            if let Some(signature) = registry.get(FunctionKind::State, &name.module, &name.function) {
                of_function(engine, function, signature, found);
                secret::check_function(engine, function, signature, found);
            }
        }
    }
}

fn of_function(
    engine: &Engine<'_, '_>,
    function: &Function<'_>,
    signature: &Signature,
    found: &mut Vec<Diagnostic>,
) {
    for argument in &function.arguments {
        let Some(key) = argument.key.text() else { continue };
        let Some(param) =
            signature.param(&key).or_else(|| (key == "name").then(|| signature.primary()).flatten())
        else {
            continue;
        };
        let Some(ty) = of_scalar(engine, argument.value) else { continue };
        if let Some(expected) = misfit(&ty, &param.ty) {
            let message = format!("`{key}` is {expected}, and this expression gives {}", ty.describe());
            found.push(
                Diagnostic::new(&WRONG_TYPE, argument.value.span, message)
                    .help(format!("`{key}` takes a value of the type `{}`", param.ty)),
            );
        }
    }
}

fn of_scalar(engine: &Engine<'_, '_>, node: &Node) -> Option<super::Ty> {
    let NodeKind::Scalar(scalar) = &node.kind else { return None };
    let expr = scalar.only_expr()?;
    if scalar.style != ScalarStyle::Plain {
        return None;
    }
    engine.roots.get(&expr.span.start).cloned()
}
