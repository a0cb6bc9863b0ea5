//! One expression: its type from those of its parts.

use super::{
    Ask, Engine, known, narrow,
    ty::{Field, Openness, Origin, Ty},
};
use crate::{
    check::scope::GLOBALS,
    source::Span,
    syntax::expression::{Expr, ExprKind},
    types::Value,
};
use indexmap::IndexMap;
use std::sync::Arc;

impl<'t> Engine<'_, 't> {
    /// The type of an expression; what is wrong with it is reported on the way.
    pub(super) fn eval(&mut self, expr: &'t Arc<Expr>, ask: Ask) -> Ty {
        let ty = self.deeper(|engine| engine.eval_here(expr, ask));
        self.note(expr.span, &ty);
        ty
    }

    fn eval_here(&mut self, expr: &'t Arc<Expr>, ask: Ask) -> Ty {
        match &expr.kind {
            ExprKind::Literal(value) => Ty::of_value(value),
            ExprKind::Name(name) => self.name(name, expr, ask),
            ExprKind::Attribute { object, name, name_span } => {
                if let Some(known) = self.known_path(expr) {
                    self.eval(object, Ask::Need);
                    return known;
                }
                let object = self.eval(object, Ask::Need);
                self.member(&object, name, *name_span, ask, known::Form::Attribute)
            }
            ExprKind::Index { object, index } => {
                if let Some(known) = self.known_path(expr) {
                    self.eval(object, Ask::Need);
                    return known;
                }
                let object_ty = self.eval(object, Ask::Need);
                if let ExprKind::Literal(Value::Str(key)) = &index.kind {
                    let span = self.within_quotes(index.span);
                    return self.member(&object_ty, key, span, ask, known::Form::Index);
                }
                let index_ty = self.eval(index, Ask::Need);
                indexed(&object_ty, &index_ty)
            }
            ExprKind::Slice { object, bounds } => {
                let object = self.eval(object, Ask::Need);
                for bound in bounds.iter().flatten() {
                    self.eval(bound, Ask::Need);
                }
                Ty::union(object.members().iter().map(|member| match member {
                    Ty::Str(_) | Ty::Word(_) => Ty::STR,
                    Ty::Tuple(items) => Ty::list(Ty::union(items.iter().cloned())),
                    Ty::List(_) | Ty::Secret(_) | Ty::Any(_) => member.clone(),
                    _ => Ty::GAP,
                }))
            }
            ExprKind::Call { callee, args } => self.call(expr, callee, args, ask),
            ExprKind::Filter { value, name, name_span, args } => {
                self.filter(expr, value.as_ref(), name, *name_span, args)
            }
            ExprKind::Test { value, name, args, .. } => {
                // Asking whether a value is there is what these are for.
                let may =
                    matches!(name.as_str(), "defined" | "undefined" | "none" | "true" | "false" | "boolean");
                self.eval(value, if may { Ask::May } else { Ask::Need });
                for arg in args {
                    self.eval(&arg.value, Ask::Need);
                }
                Ty::BOOL
            }
            ExprKind::Unary { operator, operand } => {
                let ty = self.eval(operand, Ask::Need);
                match (*operator, &ty) {
                    ("not", Ty::Bool(Some(b))) => Ty::Bool(Some(!b)),
                    ("not", _) => Ty::BOOL,
                    ("-", Ty::Int(Some(i))) => Ty::Int(i.checked_neg()),
                    _ => ty,
                }
            }
            ExprKind::Binary { operator, left, right } => self.binary(expr, operator, left, right),
            ExprKind::Conditional { condition, then, otherwise } => {
                self.eval(condition, Ask::Need);
                let mark = self.env.mark();
                narrow::assume(self, condition, true);
                let then = self.eval(then, ask);
                self.env.rollback(mark);
                let mark = self.env.mark();
                narrow::assume(self, condition, false);
                // Without `else` it prints as nothing.
                let otherwise = otherwise.as_ref().map_or(Ty::Null, |o| self.eval(o, ask));
                self.env.rollback(mark);
                then.or(otherwise)
            }
            ExprKind::List(items) => {
                let items: Vec<Ty> = items.iter().map(|i| self.eval(i, Ask::Need)).collect();
                Ty::list(Ty::union(items))
            }
            ExprKind::Tuple(items) => {
                let items: Vec<Ty> = items.iter().map(|i| self.eval(i, Ask::Need)).collect();
                Ty::Tuple(items.into())
            }
            ExprKind::Dict(entries) => self.dict(entries),
            ExprKind::Error => Ty::GAP,
        }
    }

    fn name(&mut self, name: &'t str, expr: &'t Arc<Expr>, ask: Ask) -> Ty {
        if let Some(known) = self.env.knows_anything().then(|| self.env.known(name)).flatten() {
            return known.clone();
        }
        if let Some(ty) = self.env.get(name) {
            return ty.clone();
        }
        let data = self.world.data;
        match name {
            "facts" => return data.facts.clone(),
            "grains" | "__grains__" => return data.grains.clone(),
            "settings" | "pillar" | "__pillar__" => return data.settings.clone(),
            "sls" | "sls_path" | "slspath" | "slsdotpath" | "slscolonpath" | "slsdir" | "tpldir"
            | "tpldot" | "tplfile" | "tplpath" | "saltenv" | "env" | "peel_id" | "id" => return Ty::STR,
            "true" | "True" => return Ty::Bool(Some(true)),
            "false" | "False" => return Ty::Bool(Some(false)),
            "none" | "None" => return Ty::Null,
            _ => {}
        }
        if self.bound.contains_key(name) && ask == Ask::Need && !GLOBALS.contains(&name) {
            self.unset(name, expr.span);
        }
        Ty::DYNAMIC
    }

    /// The place of a text without its quotes.
    pub(super) fn within_quotes(&self, span: Span) -> Span {
        let text = self.tree.text.get(span.range()).unwrap_or_default();
        if text.len() >= 2 && text.starts_with(['\'', '"']) && text.ends_with(['\'', '"']) {
            Span { start: span.start + 1, end: span.end - 1, ..span }
        } else {
            span
        }
    }

    /// What a condition said of the path that an expression is.
    fn known_path(&self, expr: &Arc<Expr>) -> Option<Ty> {
        if !self.env.knows_anything() {
            return None;
        }
        self.env.known(&narrow::path_of(expr)?).cloned()
    }

    fn dict(&mut self, entries: &'t [(Arc<Expr>, Arc<Expr>)]) -> Ty {
        let mut fields: IndexMap<Arc<str>, Field> = IndexMap::new();
        let mut others = Vec::new();
        for (key, value) in entries {
            let value_ty = self.eval(value, Ask::Need);
            match &key.kind {
                ExprKind::Literal(Value::Str(name)) => {
                    fields.insert(
                        name.as_str().into(),
                        Field { ty: value_ty, optional: false, span: Some(key.span) },
                    );
                }
                _ => {
                    self.eval(key, Ask::Need);
                    others.push(value_ty);
                }
            }
        }
        if !others.is_empty() && fields.is_empty() {
            return Ty::map(Ty::union(others));
        }
        let openness = if others.is_empty() { Openness::Closed } else { Openness::Open };
        Ty::record(fields, openness, Origin::Value)
    }
}

/// `object[index]` with an index that is no text of the author's own.
fn indexed(object: &Ty, index: &Ty) -> Ty {
    let mut found = Vec::new();
    for member in object.members() {
        found.push(match member {
            Ty::Secret(inner) => indexed(inner, index).secret(),
            Ty::List(item) => (**item).clone(),
            Ty::Tuple(items) => match index {
                Ty::Int(Some(at)) => usize::try_from(*at)
                    .ok()
                    .and_then(|at| items.get(at))
                    .cloned()
                    .unwrap_or_else(|| Ty::union(items.iter().cloned())),
                _ => Ty::union(items.iter().cloned()),
            },
            Ty::Map(value) => (**value).clone(),
            Ty::Str(_) | Ty::Word(_) => Ty::STR,
            // Which key it is, the data decides.
            Ty::Record(record) if record.openness == Openness::Closed && !record.fields.is_empty() => {
                Ty::union(record.fields.values().map(|f| f.ty.clone()))
            }
            _ => Ty::DYNAMIC,
        });
    }
    match Ty::union(found) {
        Ty::Never => Ty::GAP,
        // A key that is computed may be one that is not there.
        ty => ty.defined(),
    }
}
