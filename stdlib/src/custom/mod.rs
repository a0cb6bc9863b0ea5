//! Functions of custom modules: bound to their arguments, run, and their results read.

mod host;
mod result;
#[cfg(test)]
mod tests;

use crate::{Context, Failure, Library, Outcome, Plan, StateFunction};
use host::Machine;
use result::Said;
use std::sync::Arc;
use zester_compiler::{
    modules::{
        CustomModules, Registered, coerce,
        eval::{self, Limits},
    },
    types::{Effect, FunctionKind, Map, Value},
};

impl Library {
    /// These functions, and those of a project's custom modules. Functions of earlier modules are gone.
    pub fn with_modules(self: &Arc<Self>, modules: &CustomModules) -> Arc<Self> {
        if modules.modules().is_empty() && self.custom.modules().is_empty() {
            return self.clone();
        }
        let mut library = Self::clone(self);
        library.registry = modules.add_to(&self.registry).into_owned();
        library.custom = modules.clone();
        Arc::new(library)
    }

    /// A function that a custom module gave.
    fn registered(&self, kind: FunctionKind, name: &str) -> Option<usize> {
        let (module, function) = name.split_once('.')?;
        if !self.registry.is_custom(kind, module, function) {
            return None;
        }
        self.custom.registered().iter().position(|registered| {
            let signature = &registered.signature;
            signature.kind == kind && signature.module == module && signature.function == function
        })
    }

    /// Binds a custom state to decoded arguments.
    pub(crate) fn build_custom(&self, name: &str, args: &Map) -> Option<Box<dyn StateFunction>> {
        let number = self.registered(FunctionKind::State, name)?;
        Some(Box::new(CustomState { modules: self.custom.clone(), number, args: args.clone() }))
    }

    /// Why a function that its module ought to have is not there: what is wrong with the module.
    pub(crate) fn unknown(&self, what: &str, name: &str) -> String {
        let module = name.split_once('.').map_or(name, |(module, _)| module);
        let mut wrong =
            self.custom.modules().iter().filter(|m| m.name == module && self.custom.contains(module));
        match wrong.find_map(|m| m.module.diagnostics.first()) {
            Some(found) => {
                let (path, at) = self.custom.files().locate(found.span);
                format!(
                    "the module of `{name}` is not valid, {path}:{}:{}: {}",
                    at.line, at.column, found.message
                )
            }
            None => format!("there is no {what}function `{name}`"),
        }
    }

    /// Calls a custom exec function with bound arguments.
    pub(crate) fn call_custom(&self, name: &str, args: &Map, cx: &Context) -> Option<Result<Value, String>> {
        let number = self.registered(FunctionKind::Exec, name)?;
        let registered = &self.custom.registered()[number];
        let may_change = registered.signature.effect == Effect::Mutating;
        let converted = converted(registered, args);
        Some(converted.and_then(|args| {
            let (result, _) = run(&self.custom, registered, &registered.function.name, &args, cx, may_change);
            result
        }))
    }
}

/// The arguments of a call as the function's types want them.
fn converted(registered: &Registered, args: &Map) -> Result<Map, String> {
    let mut converted = Map::new();
    for (name, value) in args {
        let ty = registered.function.params.iter().find(|p| p.name == *name).map(|p| &p.ty);
        let value = match ty {
            Some(ty) => coerce(value, ty).map_err(|e| format!("`{name}`: {e}"))?,
            None => value.clone(),
        };
        converted.insert(name.clone(), value);
    }
    let missing =
        registered.function.params.iter().find(|p| p.is_required() && !converted.contains_key(&p.name));
    match missing {
        Some(param) => Err(format!("`{}` is missing", param.name)),
        None => Ok(converted),
    }
}

/// Runs a function, and gives what it logged beside its result. The error names the module's line.
fn run(
    modules: &CustomModules,
    registered: &Registered,
    function: &str,
    args: &Map,
    cx: &Context,
    may_change: bool,
) -> (Result<Value, String>, Vec<String>) {
    let host = Machine::new(cx, function, may_change);
    let result = eval::call(modules, registered.module, function, args, &host, Limits::default());
    let result = result.map_err(|fault| {
        let name = format!("{}.{function}", registered.signature.module);
        match fault.span {
            Some(span) => {
                let (path, at) = modules.files().locate(span);
                format!("`{name}` failed at {path}:{}:{}: {}", at.line, at.column, fault.message)
            }
            None => format!("`{name}` failed: {}", fault.message),
        }
    });
    (result, host.into_log())
}

/// A custom state with its arguments.
struct CustomState {
    modules: CustomModules,
    number: usize,
    args: Map,
}

impl CustomState {
    fn registered(&self) -> &Registered {
        &self.modules.registered()[self.number]
    }

    /// Runs a function of the module and reads what it says.
    fn ask(&self, function: &str, cx: &Context, may_change: bool) -> Result<Said, Failure> {
        let registered = self.registered();
        let (result, log) = run(&self.modules, registered, function, &self.args, cx, may_change);
        let name = format!("{}.{function}", registered.signature.module);
        let said = result.and_then(|value| Said::read(&name, value));
        match said {
            Ok(mut said) => {
                said.add_log(&log);
                if said.failed {
                    Err(Failure::new(said.comment).with_changes(said.changes))
                } else {
                    Ok(said)
                }
            }
            Err(message) => Err(Failure::new(result::with_log(message, &log))),
        }
    }
}

impl StateFunction for CustomState {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let registered = self.registered();
        let name = registered.signature.name();
        let apply = move |cx: &Context| {
            let said = self.ask(&self.registered().function.name, cx, true)?;
            let unchanged = said.changes.is_empty();
            let comment = said.comment_or(if unchanged { "Nothing had to change" } else { "Changed" });
            Ok(Outcome { changes: said.changes, comment: Some(comment), unchanged })
        };
        let Some(companion) = &registered.companion else {
            let comment = format!(
                "`{name}` would run; the module has no `{}_check` that tells what it changes",
                registered.function.name
            );
            return Ok(Plan::change(Map::new(), comment, apply));
        };
        let said = self.ask(companion, cx, false)?;
        if said.changes.is_empty() && !said.pending {
            return Ok(Plan::unchanged(said.comment_or("Nothing has to change")));
        }
        let comment = said.comment_or("Changes are needed");
        Ok(Plan::change(said.changes, comment, apply))
    }

    fn watched(&self, _cx: &Context) -> Result<Option<Plan<'_>>, Failure> {
        Ok(None)
    }
}
