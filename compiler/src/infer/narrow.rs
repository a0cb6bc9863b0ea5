//! What a condition says of the values it asks about, where it holds and where it does not.

use super::{
    Ask, Engine,
    ty::{Kind, Ty},
};
use crate::{
    syntax::expression::{Expr, ExprKind},
    types::Value,
};
use std::sync::Arc;

/// Notes what holds where `condition` is `holds`.
pub(super) fn assume<'t>(engine: &mut Engine<'_, 't>, condition: &'t Arc<Expr>, holds: bool) {
    engine.deeper(|engine| assume_here(engine, condition, holds));
}

fn assume_here<'t>(engine: &mut Engine<'_, 't>, condition: &'t Arc<Expr>, holds: bool) {
    match &condition.kind {
        ExprKind::Unary { operator: "not", operand } => assume(engine, operand, !holds),
        ExprKind::Binary { operator: "and", left, right } if holds => {
            assume(engine, left, true);
            assume(engine, right, true);
        }
        ExprKind::Binary { operator: "or", left, right } if !holds => {
            assume(engine, left, false);
            assume(engine, right, false);
        }
        ExprKind::Binary { operator: "or", left, right } => either(engine, left, right),
        ExprKind::Binary { operator: operator @ ("==" | "!="), left, right } => {
            let equal = (*operator == "==") == holds;
            compare(engine, left, right, equal);
            compare(engine, right, left, equal);
        }
        ExprKind::Binary { operator: operator @ ("in" | "not in"), left, right } => {
            let inside = (*operator == "in") == holds;
            contained(engine, left, right, inside);
        }
        ExprKind::Test { value, name, negated, .. } => test(engine, value, name, holds != *negated),
        // A value that holds is there, and is not nothing.
        _ if holds => keep(engine, condition, |ty| {
            !matches!(ty, Ty::Undefined | Ty::Null | Ty::Bool(Some(false)) | Ty::Int(Some(0)))
                && !matches!(ty, Ty::Str(Some(text)) if text.is_empty())
        }),
        _ => {}
    }
}

/// `a or b` holds: of a value that both ask about, one of the two is true.
fn either<'t>(engine: &mut Engine<'_, 't>, left: &'t Arc<Expr>, right: &'t Arc<Expr>) {
    // `x == 'a' or x == 'b'`, the only form that says something of one value.
    let (Some((path, expr, first)), Some((other, _, second))) = (equals(left), equals(right)) else { return };
    if path == other {
        let ty = first.or(second);
        set(engine, expr, ty);
    }
}

fn equals(expr: &Arc<Expr>) -> Option<(String, &Arc<Expr>, Ty)> {
    match &expr.kind {
        ExprKind::Binary { operator: "==", left, right } => match &right.kind {
            ExprKind::Literal(value) => Some((path_of(left)?, left, Ty::of_value(value))),
            _ => None,
        },
        ExprKind::Binary { operator: "or", left, right } => {
            let (path, expr, first) = equals(left)?;
            let (other, _, second) = equals(right)?;
            (path == other).then(|| (path, expr, first.or(second)))
        }
        _ => None,
    }
}

fn compare<'t>(engine: &mut Engine<'_, 't>, subject: &'t Arc<Expr>, other: &'t Arc<Expr>, equal: bool) {
    let ExprKind::Literal(value) = &other.kind else { return };
    let literal = Ty::of_value(value);
    let Some(current) = current(engine, subject) else { return };
    if equal {
        // Text is compared with text: the literal is what it is, whatever was known before.
        if matches!(literal, Ty::Str(_) | Ty::Int(_) | Ty::Bool(_) | Ty::Null) {
            set(engine, subject, literal);
        }
    } else {
        let left = current.filter(|m| *m != literal);
        if left != Ty::Never && left != current {
            set(engine, subject, left);
        }
    }
}

fn contained<'t>(engine: &mut Engine<'_, 't>, key: &'t Arc<Expr>, container: &'t Arc<Expr>, inside: bool) {
    if inside && let ExprKind::Literal(Value::Str(key)) = &key.kind {
        // The key is there now, whatever is known of the map.
        if let Some(path) = path_of(container) {
            let value = current(engine, container).and_then(|ty| match ty.shown() {
                Ty::Record(record) => record.fields.get(key.as_str()).map(|f| f.ty.clone()),
                _ => None,
            });
            engine.env.know(format!("{path}.{key}"), value.unwrap_or(Ty::DYNAMIC));
        }
        return;
    }
    // `x in ['a', 'b']`
    if let ExprKind::List(items) | ExprKind::Tuple(items) = &container.kind {
        let literals: Option<Vec<Ty>> = items
            .iter()
            .map(|i| match &i.kind {
                ExprKind::Literal(value) => Some(Ty::of_value(value)),
                _ => None,
            })
            .collect();
        let Some(literals) = literals.filter(|l| !l.is_empty()) else { return };
        if inside {
            if path_of(key).is_some() {
                set(engine, key, Ty::union(literals));
            }
        } else if let Some(current) = current(engine, key) {
            let left = current.filter(|m| !literals.contains(m));
            if left != Ty::Never && left != current {
                set(engine, key, left);
            }
        }
    }
}

fn test<'t>(engine: &mut Engine<'_, 't>, value: &'t Arc<Expr>, name: &str, holds: bool) {
    let kinds: &[Kind] = match name {
        "defined" if holds => {
            if let Some(path) = path_of(value) {
                let ty = current(engine, value).map(|ty| ty.defined()).filter(|ty| *ty != Ty::Never);
                engine.env.know(path, ty.unwrap_or(Ty::DYNAMIC));
            }
            return;
        }
        "undefined" if !holds => return test(engine, value, "defined", true),
        "string" => &[Kind::Text],
        "mapping" | "dict" => &[Kind::Map],
        "number" | "integer" | "float" => &[Kind::Number],
        "none" => &[Kind::Null],
        "iterable" => &[Kind::Text, Kind::List, Kind::Map],
        "sequence" => &[Kind::Text, Kind::List, Kind::Map],
        "list" => &[Kind::List],
        _ => return,
    };
    // A test of `iterable` is often one for lists alone: what it leaves out is certain, what it lets through is not.
    let Some(now) = current(engine, value) else { return };
    let fits = |ty: &Ty| kinds.contains(&ty.kind());
    let left = if holds {
        let known = now.filter(|m| fits(m));
        match (known, now.is_any()) {
            (Ty::Never, _) | (_, true) => match kinds {
                [Kind::Text] => Ty::STR,
                [Kind::Map] => Ty::map(Ty::DYNAMIC),
                [Kind::Null] => Ty::Null,
                [Kind::List] => Ty::list(Ty::DYNAMIC),
                _ => Ty::DYNAMIC,
            },
            (known, false) => known,
        }
    } else {
        match now.filter(|m| !fits(m)) {
            Ty::Never => Ty::DYNAMIC,
            left => left,
        }
    };
    set(engine, value, left);
}

/// Keeps the members of a value that a condition lets through.
fn keep<'t>(engine: &mut Engine<'_, 't>, expr: &'t Arc<Expr>, fits: impl Fn(&Ty) -> bool) {
    let Some(now) = current(engine, expr) else { return };
    let left = now.filter(fits);
    if left != now && left != Ty::Never {
        set(engine, expr, left);
    } else if let Some(path) = path_of(expr).filter(|p| p.contains('.')) {
        // It is there, so what lies below may be asked for.
        if now.is_any() {
            engine.env.know(path, now);
        }
    }
}

/// What is known now of something that conditions can speak of.
fn current<'t>(engine: &mut Engine<'_, 't>, expr: &'t Arc<Expr>) -> Option<Ty> {
    path_of(expr)?;
    engine.quiet += 1;
    let all = engine.all.take();
    let ty = engine.eval(expr, Ask::May);
    engine.all = all;
    engine.quiet -= 1;
    Some(ty)
}

fn set<'t>(engine: &mut Engine<'_, 't>, expr: &'t Arc<Expr>, ty: Ty) {
    let Some(path) = path_of(expr) else { return };
    // A value that is changed in place somewhere may be another one a line later.
    let base = path.split('.').next().unwrap_or_default();
    if !engine.mutated.contains(base) {
        engine.env.know(path, ty);
    }
}

/// The dotted path of a variable or of keys below it: `settings.nginx['port']` is `settings.nginx.port`.
pub(super) fn path_of(expr: &Arc<Expr>) -> Option<String> {
    match &expr.kind {
        ExprKind::Name(name) => Some(match name.as_str() {
            // Two names of one thing.
            "pillar" => "settings".to_owned(),
            name => name.to_owned(),
        }),
        ExprKind::Attribute { object, name, .. } if !name.is_empty() => {
            Some(format!("{}.{name}", path_of(object)?))
        }
        ExprKind::Index { object, index } => match &index.kind {
            ExprKind::Literal(Value::Str(key)) if !key.contains('.') => {
                Some(format!("{}.{key}", path_of(object)?))
            }
            _ => None,
        },
        _ => None,
    }
}
