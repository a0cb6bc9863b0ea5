//! Methods of Python's values: which there are, and what they give.

use super::{
    Engine,
    known::{Form, each},
    ty::{Openness, Ty},
};
use crate::{
    diagnostic::{Applicability, Diagnostic, nearest},
    infer::Ask,
    rule,
    source::Span,
    syntax::expression::{Argument, ExprKind},
    types::Value,
};
use std::sync::Arc;

rule! {
    /// A value has no such method.
    ///
    /// Rendering stops there with an error.
    ///
    /// ```yaml
    /// {% set packages = [] %}
    /// {% do packages.apend('nginx') %}
    /// ```
    ///
    /// ```yaml
    /// {% set packages = [] %}
    /// {% do packages.append('nginx') %}
    /// ```
    pub UNKNOWN_METHOD = "Z0418", "unknown-method", Error;
}

const TEXT: &[&str] = &[
    "capitalize",
    "casefold",
    "center",
    "count",
    "decode",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "maketrans",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "upper",
    "zfill",
];

const LIST: &[&str] =
    &["append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort"];

const MAP: &[&str] = &[
    "clear",
    "copy",
    "fromkeys",
    "get",
    "has_key",
    "items",
    "iteritems",
    "iterkeys",
    "itervalues",
    "keys",
    "pop",
    "popitem",
    "setdefault",
    "update",
    "values",
    "viewitems",
    "viewkeys",
    "viewvalues",
];

/// Whether some value has a method of this name.
pub(super) fn is_method(name: &str) -> bool {
    TEXT.contains(&name) || LIST.contains(&name) || MAP.contains(&name)
}

/// The methods that a value may have; those of several kinds where it is not certain which it is.
pub fn methods_of(ty: &Ty) -> Vec<&'static str> {
    let mut found = Vec::new();
    for member in ty.members() {
        let methods = match member.shown() {
            Ty::Str(_) | Ty::Word(_) => TEXT,
            Ty::List(_) => LIST,
            Ty::Record(_) | Ty::Map(_) => MAP,
            _ => continue,
        };
        found.extend(methods.iter().filter(|name| !found.contains(*name)).collect::<Vec<_>>());
    }
    found
}

impl<'t> Engine<'_, 't> {
    /// `object.name(args)`, where the object has no key of that name.
    pub(super) fn method(
        &mut self,
        object: &Ty,
        name: &str,
        span: Span,
        args: &'t [Argument],
        given: &[Ty],
        ask: Ask,
    ) -> Ty {
        let mut found = Vec::new();
        let mut wrong: Option<(&Ty, &[&str])> = None;
        for member in object.members() {
            let methods = match member.shown() {
                Ty::Str(_) | Ty::Word(_) => TEXT,
                Ty::List(_) => LIST,
                Ty::Record(_) | Ty::Map(_) => MAP,
                Ty::Null | Ty::Undefined => continue,
                Ty::Int(_) | Ty::Float | Ty::Bool(_) => {
                    wrong = Some((member, &[]));
                    continue;
                }
                _ => {
                    found.push(Ty::GAP);
                    continue;
                }
            };
            if methods.contains(&name) {
                let ty = self.result(member.shown(), name, args, given, ask);
                found.push(if matches!(member, Ty::Secret(_)) { ty.secret() } else { ty });
            } else {
                // A map of unknown keys may hold a macro of that name.
                let open = match member.shown() {
                    Ty::Record(record) => {
                        record.openness != Openness::Closed && nearest(name, MAP.iter().copied()).is_none()
                    }
                    Ty::Map(_) => nearest(name, MAP.iter().copied()).is_none(),
                    _ => false,
                };
                if open {
                    found.push(Ty::GAP);
                } else {
                    wrong = Some((member, methods));
                }
            }
        }
        if found.is_empty()
            && let Some((member, methods)) = wrong
            && !name.is_empty()
        {
            let message = format!("There is no method `{name}` of {}", member.widened().describe());
            let diagnostic = Diagnostic::new(&UNKNOWN_METHOD, span, message);
            let elsewhere = [("text", TEXT), ("a list", LIST), ("a map", MAP)];
            self.push(match nearest(name, methods.iter().copied()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(
                    format!("rename to `{near}`"),
                    Applicability::Unsafe,
                    span,
                    near,
                ),
                None => match elsewhere.iter().find(|(_, all)| all.contains(&name)) {
                    Some((what, _)) => diagnostic.help(format!("it is a method of {what}")),
                    None if crate::check::FILTERS.contains(&name) => {
                        diagnostic.help(format!("`{name}` is a filter: write `| {name}`"))
                    }
                    None => diagnostic,
                },
            });
        }
        match Ty::union(found) {
            Ty::Never => Ty::GAP,
            ty => ty,
        }
    }

    fn result(&mut self, object: &Ty, name: &str, args: &'t [Argument], given: &[Ty], ask: Ask) -> Ty {
        match name {
            "get" | "pop" | "setdefault" => {
                let default = given.get(1).cloned();
                let key = args.first().map(|a| &a.value);
                let value = match (object, key.map(|k| &k.kind)) {
                    (Ty::List(item), _) => return (**item).clone(),
                    (_, Some(ExprKind::Literal(Value::Str(text)))) => {
                        let span = key.map_or(Span::at(self.tree.file, 0), |k| self.within_quotes(k.span));
                        let known =
                            matches!(object, Ty::Record(record) if record.fields.contains_key(text.as_str()));
                        let ty = self.member(object, text, span, Ask::May, Form::Get);
                        if known && self.always_there(object, text) {
                            return ty;
                        }
                        ty
                    }
                    (Ty::Map(value), _) => (**value).clone(),
                    (Ty::Record(record), _) if record.openness == Openness::Closed => {
                        Ty::union(record.fields.values().map(|f| f.ty.clone()))
                    }
                    _ => Ty::DYNAMIC,
                };
                let _ = ask;
                value.or(default.unwrap_or(Ty::Null))
            }
            "items" | "iteritems" | "viewitems" => {
                let (keys, values) = entries(object);
                Ty::list(Ty::Tuple([keys, values].into()))
            }
            "popitem" => {
                let (keys, values) = entries(object);
                Ty::Tuple([keys, values].into())
            }
            "keys" | "iterkeys" | "viewkeys" => Ty::list(each(object)),
            "values" | "itervalues" | "viewvalues" => Ty::list(entries(object).1),
            "has_key" => Ty::BOOL,
            "copy" => object.clone(),
            "split" | "rsplit" | "splitlines" => Ty::list(Ty::STR),
            "partition" | "rpartition" => Ty::Tuple([Ty::STR, Ty::STR, Ty::STR].into()),
            "count" | "find" | "rfind" | "index" | "rindex" => Ty::INT,
            "startswith" | "endswith" => Ty::BOOL,
            name if name.starts_with("is") => Ty::BOOL,
            "append" | "extend" | "insert" | "remove" | "clear" | "update" | "sort" | "reverse" => Ty::Null,
            _ => Ty::STR,
        }
    }

    /// Whether a key of a map is there for certain: of settings, another peel may have none.
    fn always_there(&self, object: &Ty, key: &str) -> bool {
        matches!(object, Ty::Record(record)
            if record.fields.get(key).is_some_and(|f| !f.optional)
                && record.origin == super::ty::Origin::Value)
    }
}

/// Keys and values of a map.
fn entries(object: &Ty) -> (Ty, Ty) {
    match object {
        Ty::Record(record) => {
            let values = record.fields.values().map(|f| f.ty.clone());
            let values = if record.openness == Openness::Closed {
                Ty::union(values)
            } else {
                // Keys that are not known have values that are not known.
                Ty::union(values.chain([Ty::DYNAMIC]))
            };
            let keys = if record.openness == Openness::Closed && record.fields.len() <= 8 {
                Ty::union(record.fields.keys().map(|k: &Arc<str>| Ty::Str(Some(k.clone()))))
            } else {
                Ty::STR
            };
            let (keys, values) = (if keys == Ty::Never { Ty::STR } else { keys }, values);
            (keys, if values == Ty::Never { Ty::DYNAMIC } else { values })
        }
        Ty::Map(value) => (Ty::STR, (**value).clone()),
        _ => (Ty::GAP, Ty::GAP),
    }
}
