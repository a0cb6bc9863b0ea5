//! How well a word fits to what is written around it already: a function to its body, a parameter to its value.

use zester_compiler::{
    query::{self, Body, Shape, generic_key},
    types::{Constraint, FunctionKind, Registry, Signature, Type},
};

/// What it costs a function's rank to have no such parameter.
const STRANGE: u32 = 100_000;
/// What it costs to lack a parameter that must be given.
const LACKING: u32 = 30_000;
/// What it costs to have none of the parameters that nearly every use has.
const UNTYPICAL: u32 = 6_000;
/// What it costs a parameter's rank that its values are others.
const OTHER: u32 = 40_000;

/// What is added to a function's rank for the body it would have.
pub(super) fn of_body(signature: &Signature, body: &Body) -> u32 {
    if !body.written {
        return 0;
    }
    let is_there = |name: &str| body.arguments.iter().any(|a| a == name);
    let strange = body
        .arguments
        .iter()
        .filter(|name| name.as_str() != "name" && generic_key(name).is_none())
        .filter(|name| signature.param(name).is_none_or(|p| p.inert.is_some()))
        .count() as u32;
    // What takes anything is meant less often than what knows the parameters by name.
    let strange = if signature.open { u32::from(strange > 0) } else { strange.min(50) };
    let lacking = signature
        .params
        .iter()
        .filter(|p| p.required && !p.primary)
        .filter(|p| !is_there(&p.name) && !p.aliases.iter().any(|a| is_there(a)))
        .count() as u32;
    let lacking = lacking
        + signature
            .constraints
            .iter()
            .filter(|rule| match rule {
                Constraint::AnyOf(names) | Constraint::ExactlyOneOf(names) => !names
                    .iter()
                    .any(|name| is_there(name) || signature.param(name).is_some_and(|p| p.primary)),
                _ => false,
            })
            .count() as u32;
    let untypical = u32::from(query::is_untypical(&signature.name(), &body.arguments));
    strange * STRANGE + lacking.min(50) * LACKING + untypical * UNTYPICAL
}

/// What is added to a parameter's rank for the value that it would have.
pub(super) fn of_value(ty: &Type, shape: &Shape) -> u32 {
    match degree(ty, shape) {
        0 => OTHER,
        1 => OTHER / 20,
        _ => 0,
    }
}

/// What the maps of a list are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Maps {
    /// Each names a state: `- pkg: nginx`.
    Targets,
    /// Each has a function to be asked: `- fun: test.true`.
    Guards,
    /// Others, or none.
    Other,
}

/// What a list of maps is, by its keys.
pub(super) fn of_maps(registry: &Registry, shape: &Shape) -> Maps {
    let Shape::Maps(keys) = shape else { return Maps::Other };
    let names_state = |key: &str| {
        let module = key.split('.').next().unwrap_or(key);
        matches!(key, "id" | "sls") || registry.signatures(FunctionKind::State).any(|s| s.module == module)
    };
    match () {
        () if keys.is_empty() => Maps::Other,
        () if keys.iter().any(|(key, _)| key == "fun") => Maps::Guards,
        () if keys.iter().all(|(key, value)| value.is_some() && names_state(key)) => Maps::Targets,
        () => Maps::Other,
    }
}

/// What is added to the rank of a key that every state takes and that is no requisite.
pub(super) fn of_generic(name: &str, ty: Option<&Type>, shape: &Shape, maps: Maps) -> u32 {
    let guard = matches!(name, "onlyif" | "unless" | "check_cmd");
    match maps {
        // What names states is a requisite.
        Maps::Targets => OTHER,
        Maps::Guards if !guard => OTHER,
        _ => ty.map_or(0, |ty| of_value(ty, shape)),
    }
}

/// What is added to a requisite's rank for the value that it would have.
pub(super) fn of_requisite(shape: &Shape, maps: Maps) -> u32 {
    match shape {
        Shape::Maps(_) if maps == Maps::Guards => OTHER,
        Shape::Unknown | Shape::Maps(_) => 0,
        // `require: [nginx]`, by the id alone.
        Shape::List | Shape::Map | Shape::Text(_) => OTHER / 20,
        Shape::Bool | Shape::Number => OTHER,
    }
}

/// Whether a value of a shape is none of a type (0), can be one (1), or looks like one (2).
fn degree(ty: &Type, shape: &Shape) -> u32 {
    let inner = |ty: &Type| degree(ty, shape);
    match (ty, shape) {
        (_, Shape::Unknown) => 2,
        (Type::Any, _) => 1,
        (Type::Union(members), _) => members.iter().map(inner).max().unwrap_or(0),
        (Type::Secret(of), _) => inner(of),
        (Type::List(of), Shape::List) => {
            if matches!(**of, Type::Map(_) | Type::Record(_)) {
                0
            } else {
                2
            }
        }
        (Type::List(of), Shape::Maps(_)) => {
            if matches!(**of, Type::Map(_) | Type::Record(_) | Type::Union(_)) { 2 } else { 1 }
        }
        // One item stands for a list of it.
        (Type::List(of), _) => inner(of),
        (Type::Map(_) | Type::Record(_), Shape::Map) => 2,
        // Maps are often written as lists of one-key maps.
        (Type::Map(_) | Type::Record(_), Shape::Maps(_)) => 1,
        (_, Shape::List | Shape::Maps(_) | Shape::Map) => 0,
        (Type::Map(_) | Type::Record(_), _) => 0,
        (Type::Bool, Shape::Bool) => 2,
        (Type::Bool, _) | (_, Shape::Bool) => 0,
        (
            Type::Float | Type::Port | Type::Mode | Type::Size | Type::Duration | Type::Int { .. },
            Shape::Number,
        ) => 2,
        (_, Shape::Number) => 1,
        (Type::Float | Type::Int { .. } | Type::Port | Type::Null, Shape::Text(_)) => 0,
        (Type::Enum(words), Shape::Text(text)) => {
            if words.contains(text) {
                2
            } else {
                0
            }
        }
        (Type::Path, Shape::Text(text)) => {
            if text.starts_with('/') {
                2
            } else {
                0
            }
        }
        (Type::Mode, Shape::Text(text)) => {
            if text == "keep" || text.chars().all(|c| c.is_digit(8)) {
                2
            } else {
                0
            }
        }
        (Type::Source, Shape::Text(text)) => {
            if text.contains("://") {
                2
            } else {
                u32::from(text.starts_with('/'))
            }
        }
        (Type::Url, Shape::Text(text)) => {
            if text.contains("://") {
                2
            } else {
                0
            }
        }
        (Type::User | Type::Group | Type::Hostname | Type::Template, Shape::Text(text)) => {
            if text.contains(['/', ' ']) { 0 } else { 2 }
        }
        (_, Shape::Text(_)) => 2,
    }
}
