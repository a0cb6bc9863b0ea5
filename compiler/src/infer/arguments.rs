//! Arguments of macros, of exec functions and of filters against what these take.

use super::{
    Engine,
    ty::{Kind, MacroTy, Ty},
};
use crate::{
    check::functions::list_of,
    diagnostic::{Applicability, Diagnostic, nearest},
    rule,
    source::Span,
    syntax::expression::{Argument, Expr},
    types::{Param, Signature, Type},
};
use std::sync::Arc;

rule! {
    /// A call does not fit the macro it calls.
    ///
    /// An argument that the macro does not take is an error while rendering; so is a parameter that it prints and nobody
    /// gave.
    ///
    /// ```yaml
    /// {% macro site(name, port=80) %}
    /// site {{ name }}:
    ///   test.nop:
    ///     - comment: {{ port }}
    /// {% endmacro %}
    /// {{ site('example.org', prot=8080) }}
    /// ```
    ///
    /// ```yaml
    /// {% macro site(name, port=80) %}
    /// site {{ name }}:
    ///   test.nop:
    ///     - comment: {{ port }}
    /// {% endmacro %}
    /// {{ site('example.org', port=8080) }}
    /// ```
    pub MACRO_ARGUMENTS = "Z0420", "macro-arguments", Error;

    /// A function that a template calls is given too many arguments, too few, one that it does not have, or one of a wrong type.
    ///
    /// ```yaml
    /// {% if salt['file.file_exists']() %}
    /// motd:
    ///   test.nop: []
    /// {% endif %}
    /// ```
    ///
    /// ```yaml
    /// {% if salt['file.file_exists']('/etc/motd') %}
    /// motd:
    ///   test.nop: []
    /// {% endif %}
    /// ```
    pub WRONG_ARGUMENT = "Z0421", "wrong-argument", Error;

    /// A filter is given arguments that it does not take, or not those it needs.
    ///
    /// ```yaml
    /// motd:
    ///   test.nop:
    ///     - comment: {{ 'a b' | replace(' ') }}
    /// ```
    ///
    /// ```yaml
    /// motd:
    ///   test.nop:
    ///     - comment: {{ 'a b' | replace(' ', '-') }}
    /// ```
    pub WRONG_FILTER_ARGUMENTS = "Z0409", "wrong-filter-arguments", Error;
}

impl<'t> Engine<'_, 't> {
    pub(super) fn macro_call(
        &mut self,
        expr: &'t Arc<Expr>,
        makro: &MacroTy,
        args: &'t [Argument],
        given: &[Ty],
    ) {
        self.note_given(makro, args, given);
        if makro.open || args.iter().any(|a| a.spread) {
            return;
        }
        let names: Vec<&str> = makro.params.iter().map(|p| p.name.as_str()).collect();
        let positional = args.iter().filter(|a| a.name.is_none()).count();
        for (word, span) in args.iter().filter_map(|a| a.name.as_ref()) {
            // A caller's own `caller`.
            if names.contains(&word.as_str()) || word == "caller" {
                continue;
            }
            let message = format!("The macro `{}` has no parameter `{word}`", makro.name);
            let diagnostic = Diagnostic::new(&MACRO_ARGUMENTS, *span, message)
                .label(makro.span, "the macro is defined here");
            self.push(match nearest(word, names.iter().copied()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(
                    format!("rename to `{near}`"),
                    Applicability::Unsafe,
                    *span,
                    near,
                ),
                None if names.is_empty() => diagnostic.help("it takes no arguments"),
                None => diagnostic.help(list_of("its parameters are", &names)),
            });
        }
        if positional > names.len() {
            let first = args.iter().filter(|a| a.name.is_none()).nth(names.len());
            let span = first.map_or(expr.span, |a| a.value.span);
            let message = format!(
                "The macro `{}` takes {}, and is given {positional}",
                makro.name,
                count(names.len(), "argument")
            );
            self.push(
                Diagnostic::new(&MACRO_ARGUMENTS, span, message)
                    .label(makro.span, "the macro is defined here")
                    .help("remove the argument, or add a parameter to the macro"),
            );
        }
        let missing: Vec<&str> = makro
            .params
            .iter()
            .enumerate()
            .filter(|(index, param)| {
                param.needed
                    && *index >= positional
                    && !args.iter().any(|a| a.name.as_ref().is_some_and(|(n, _)| *n == param.name))
            })
            .map(|(_, p)| p.name.as_str())
            .collect();
        if let Some(first) = missing.first() {
            let message =
                format!("The macro `{}` needs `{first}`, and this call does not give it", makro.name);
            self.push(
                Diagnostic::new(&MACRO_ARGUMENTS, expr.span, message)
                    .label(makro.span, "the macro is defined here")
                    .help(format!("add `{first}=…`, or give the parameter a default in the macro")),
            );
        }
    }

    /// Notes what a call gives for each parameter, where somebody wants it.
    fn note_given(&mut self, makro: &MacroTy, args: &'t [Argument], given: &[Ty]) {
        let Some(all) = &mut self.all else { return };
        let mut next = 0;
        for (arg, ty) in args.iter().zip(given) {
            let position = match &arg.name {
                // What a spread list gives is decided by its length.
                _ if arg.spread => return,
                Some((name, _)) => makro.params.iter().position(|p| p.name == *name),
                None => {
                    next += 1;
                    Some(next - 1)
                }
            };
            if let Some(position) = position {
                all.given.push((makro.span, position, ty.clone()));
            }
        }
    }

    /// Arguments of an exec function of the library. Names that it does not have are found elsewhere.
    pub(super) fn exec_arguments(
        &mut self,
        name: &str,
        place: Span,
        signature: &Signature,
        args: &'t [Argument],
        given: &[Ty],
    ) {
        if signature.open || args.iter().any(|a| a.spread) {
            return;
        }
        let params = &signature.params;
        let positional = args.iter().filter(|a| a.name.is_none()).count();
        let variadic = params.last().is_some_and(|p| matches!(p.ty, Type::List(_)));
        if positional > params.len() && !variadic {
            let first = args.iter().filter(|a| a.name.is_none()).nth(params.len());
            let span = first.map_or(place, |a| a.value.span);
            let message =
                format!("`{name}` takes {}, and is given {positional}", count(params.len(), "argument"));
            let names: Vec<&str> = params.iter().map(|p| &*p.name).collect();
            let diagnostic = Diagnostic::new(&WRONG_ARGUMENT, span, message);
            self.push(if names.is_empty() {
                diagnostic
            } else {
                diagnostic.help(list_of("its arguments are", &names))
            });
            return;
        }
        let is_given = |index: usize, param: &Param| {
            index < positional
                || args
                    .iter()
                    .filter_map(|a| a.name.as_ref())
                    .any(|(n, _)| *n == param.name || param.aliases.contains(&n.as_str()))
        };
        if let Some((_, param)) = params
            .iter()
            .enumerate()
            .find(|(index, p)| p.required && p.default.is_none() && !is_given(*index, p))
        {
            let message = format!("`{name}` needs the argument `{}`", param.name);
            let span = self.within_quotes(place);
            self.push(Diagnostic::new(&WRONG_ARGUMENT, span, message).help(format!(
                "its arguments are {}",
                params.iter().map(|p| format!("`{}`", p.name)).collect::<Vec<_>>().join(", ")
            )));
            return;
        }
        let mut index = 0;
        for (arg, ty) in args.iter().zip(given) {
            let param = match &arg.name {
                Some((word, _)) => signature.param(word),
                None => {
                    index += 1;
                    params.get(index - 1)
                }
            };
            let Some(param) = param else { continue };
            if let Some(expected) = misfit(ty, &param.ty) {
                let message =
                    format!("`{}` of `{name}` is {expected}, and this is {}", param.name, ty.describe());
                let diagnostic = Diagnostic::new(&WRONG_ARGUMENT, arg.value.span, message);
                self.push(diagnostic.help(format!("its type is `{}`", param.ty)));
            }
        }
    }
}

/// What a type expects, in words, where a value can certainly not be it.
pub(crate) fn misfit(ty: &Ty, expected: &Type) -> Option<&'static str> {
    let kinds: Vec<Kind> = ty.members().iter().map(Ty::kind).collect();
    let only = |all: &[Kind]| !kinds.is_empty() && kinds.iter().all(|k| all.contains(k));
    match expected {
        Type::Any | Type::Null => None,
        // One value is taken as a list of one.
        Type::List(item) => {
            if only(&[Kind::List]) {
                let items = Ty::union(ty.members().iter().map(super::known::each));
                return misfit(&items, item).map(|_| "a list of other values");
            }
            if only(&[Kind::Map]) { misfit(ty, item).map(|_| "a list") } else { None }
        }
        Type::Map(_) | Type::Record(_) => only(&[Kind::Text, Kind::Number, Kind::List])
            .then_some("a map")
            // Salt takes a list of maps, and an empty text, for a map.
            .filter(|_| {
                only(&[Kind::Number])
                    || ty.members().iter().all(|m| matches!(m, Ty::Str(Some(t)) if !t.is_empty()))
            }),
        Type::Union(members) => {
            let all: Vec<_> = members.iter().map(|m| misfit(ty, m)).collect();
            all.iter().all(Option::is_some).then(|| all.first().copied().flatten()).flatten()
        }
        Type::Secret(inner) => misfit(ty, inner),
        Type::Bool => {
            let words = |m: &Ty| matches!(m, Ty::Str(Some(t)) if !is_truth_word(t));
            (only(&[Kind::List, Kind::Map]) || (!kinds.is_empty() && ty.members().iter().all(words)))
                .then_some("true or false")
        }
        Type::Int { .. } | Type::Float | Type::Port => {
            let words =
                |m: &Ty| matches!(m, Ty::Str(Some(t)) if t.trim().parse::<f64>().is_err() && !t.is_empty());
            (only(&[Kind::List, Kind::Map]) || (!kinds.is_empty() && ty.members().iter().all(words)))
                .then_some("a number")
        }
        Type::Enum(words) => {
            let other = |m: &Ty| matches!(m, Ty::Str(Some(t)) if !words.iter().any(|w| w == &**t));
            (only(&[Kind::List, Kind::Map]) || (!kinds.is_empty() && ty.members().iter().all(other)))
                .then_some("one of a few words")
        }
        _ => only(&[Kind::List, Kind::Map]).then_some("text"),
    }
}

fn is_truth_word(text: &str) -> bool {
    ["true", "false", "yes", "no", "on", "off", "1", "0", ""].iter().any(|w| text.eq_ignore_ascii_case(w))
}

/// `3 arguments`
pub(super) fn count(n: usize, what: &str) -> String {
    match n {
        0 => format!("no {what}s"),
        1 => format!("one {what}"),
        n => format!("{n} {what}s"),
    }
}
