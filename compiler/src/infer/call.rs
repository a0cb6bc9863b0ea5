//! Calls: macros, methods, the functions every template sees, and those behind `salt[…]`.

use super::{
    Ask, Engine, Openness, Origin,
    ty::{Field, Ty},
};
use crate::{
    check::exec_name,
    syntax::expression::{Argument, Expr, ExprKind},
};
use std::sync::Arc;

impl<'t> Engine<'_, 't> {
    pub(super) fn call(
        &mut self,
        expr: &'t Arc<Expr>,
        callee: &'t Arc<Expr>,
        args: &'t [Argument],
        ask: Ask,
    ) -> Ty {
        if let Some((name, span)) = exec_name(callee) {
            let given = self.arguments(args);
            return self.exec(&name, span, args, &given);
        }
        match &callee.kind {
            ExprKind::Attribute { object, name, name_span } => {
                let object_ty = self.eval(object, Ask::Need);
                let given = self.arguments(args);
                if let Ty::Record(record) = &object_ty {
                    match record.fields.get(name.as_str()).map(|f| &f.ty) {
                        Some(Ty::Macro(makro)) => {
                            let makro = makro.clone();
                            self.note(callee.span, &Ty::Macro(makro.clone()));
                            self.macro_call(expr, &makro, args, &given);
                            return Ty::STR;
                        }
                        Some(_) => return Ty::GAP,
                        None => {}
                    }
                    if let Origin::Module(_) = record.origin {
                        if record.openness == Openness::Closed && !name.is_empty() {
                            self.unknown(record, name, *name_span, Ask::Need, super::known::Form::Attribute);
                        }
                        return Ty::GAP;
                    }
                    if record.origin == Origin::Loop {
                        self.member(&object_ty, name, *name_span, Ask::Need, super::known::Form::Attribute);
                        return Ty::GAP;
                    }
                }
                self.method(&object_ty, name, *name_span, args, &given, ask)
            }
            ExprKind::Name(name) => {
                let own = self.env.get(name).cloned();
                let given = self.arguments(args);
                match own {
                    Some(Ty::Macro(makro)) => {
                        self.note(callee.span, &Ty::Macro(makro.clone()));
                        self.macro_call(expr, &makro, args, &given);
                        Ty::STR
                    }
                    Some(_) => Ty::GAP,
                    None => self.global(name, callee, args, &given),
                }
            }
            _ => {
                self.eval(callee, Ask::Need);
                self.arguments(args);
                Ty::DYNAMIC
            }
        }
    }

    pub(super) fn arguments(&mut self, args: &'t [Argument]) -> Vec<Ty> {
        args.iter().map(|a| self.eval(&a.value, Ask::Need)).collect()
    }

    fn global(&mut self, name: &'t str, callee: &'t Arc<Expr>, args: &'t [Argument], given: &[Ty]) -> Ty {
        match name {
            "range" => Ty::list(Ty::INT),
            "dict" | "odict" => {
                let fields = args
                    .iter()
                    .zip(given)
                    .filter_map(|(a, ty)| {
                        let (name, span) = a.name.as_ref()?;
                        Some((
                            name.as_str().into(),
                            Field { ty: ty.clone(), optional: false, span: Some(*span) },
                        ))
                    })
                    .collect();
                let all_named = args.iter().all(|a| a.name.is_some() && !a.spread);
                Ty::record(fields, if all_named { Openness::Closed } else { Openness::Open }, Origin::Value)
            }
            "namespace" => {
                let fields = args
                    .iter()
                    .filter_map(|a| Some((a.name.as_ref()?.0.as_str().into(), Field::of(Ty::DYNAMIC))))
                    .collect();
                // What is set in it later is in it as well.
                Ty::record(fields, Openness::Open, Origin::Value)
            }
            "basket" => {
                self.target_argument(
                    crate::target::Form::Compound,
                    args.first().filter(|a| a.name.is_none()),
                );
                // By peel.
                Ty::map(Ty::DYNAMIC)
            }
            "lipsum" => Ty::STR,
            _ => {
                self.eval(callee, Ask::Need);
                Ty::DYNAMIC
            }
        }
    }
}
