//! All functions by name: signatures for the compiler, code for the runner.

use crate::{Context, Failure, Plan, State};
use std::{collections::HashMap, sync::Arc};
use zester_compiler::{
    diagnostic::nearest,
    modules::CustomModules,
    types::{Arguments, FunctionKind, Map, Registry, Signature, Type, Value},
};

/// A state function bound to its arguments, without its type.
pub trait StateFunction: Send + Sync {
    /// See [`State::plan`].
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure>;

    /// See [`State::watched`].
    fn watched(&self, cx: &Context) -> Result<Option<Plan<'_>>, Failure>;

    /// See [`State::reacts_to_onchanges`].
    fn reacts_to_onchanges(&self) -> bool {
        false
    }
}

impl<T: State> StateFunction for T {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        State::plan(self, cx)
    }

    fn watched(&self, cx: &Context) -> Result<Option<Plan<'_>>, Failure> {
        State::watched(self, cx)
    }

    fn reacts_to_onchanges(&self) -> bool {
        State::reacts_to_onchanges(self)
    }
}

/// An exec function: arguments that can be called.
pub trait Exec: Arguments + Send + Sync {
    /// Does it. The error is a full sentence.
    fn call(&self, cx: &Context) -> Result<Value, String>;
}

/// The functions that run or show states. They need a whole tree, so whoever runs calls provides them, and not the library.
pub const STATE_FUNCTIONS: [&str; 12] = [
    "state.apply",
    "state.highstate",
    "state.show_highstate",
    "state.show_low_sls",
    "state.show_lowstate",
    "state.show_sls",
    "state.show_states",
    "state.show_top",
    "state.single",
    "state.sls",
    "state.sls_id",
    "state.test",
];

type BuildState = fn(&Map) -> Result<Box<dyn StateFunction>, String>;
type CallExec = fn(&Map, &Context) -> Result<Value, String>;

/// The functions of a process. Custom modules add theirs to a copy ([`Library::with_modules`]).
#[derive(Clone, Default)]
pub struct Library {
    pub(crate) registry: Registry,
    /// What a project brings itself.
    pub(crate) custom: CustomModules,
    states: HashMap<String, BuildState>,
    execs: HashMap<String, CallExec>,
}

impl Library {
    /// No functions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a state function.
    pub fn state<T: State + 'static>(&mut self) -> &mut Self {
        let signature = T::signature();
        self.states.insert(signature.name(), |args| Ok(Box::new(T::from_values(args)?)));
        self.registry.add(signature);
        self
    }

    /// Adds a state function under the names of several modules.
    pub fn state_of<T: State + 'static>(&mut self, modules: &[&'static str]) -> &mut Self {
        for module in modules {
            let signature = Signature { module: (*module).into(), ..T::signature() };
            self.states.insert(signature.name(), |args| Ok(Box::new(T::from_values(args)?)));
            self.registry.add(signature);
        }
        self
    }

    /// Adds an exec function.
    pub fn exec<T: Exec + 'static>(&mut self) -> &mut Self {
        let signature = T::signature();
        self.execs.insert(signature.name(), |args, cx| T::from_values(args)?.call(cx));
        self.registry.add(signature);
        self
    }

    /// The signatures.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The signatures, to be added to.
    pub fn registry_mut(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// Binds a state function to decoded arguments.
    pub fn build(&self, name: &str, args: &Map) -> Result<Box<dyn StateFunction>, String> {
        match self.states.get(name) {
            Some(build) => build(args),
            None => self.build_custom(name, args).ok_or_else(|| self.unknown("state ", name)),
        }
    }

    /// Whether an exec function, or one of those that run states, can be called like this; the error is a sentence
    /// with the nearest name.
    pub fn check_call(&self, name: &str, args: &[Value], kwargs: &Map) -> Result<(), String> {
        if STATE_FUNCTIONS.contains(&name) {
            return Ok(());
        }
        let Some((module, function)) = name.split_once('.') else {
            return Err(format!("`{name}` is no function; write module.function, as `test.ping`"));
        };
        let hint = |near: Option<&str>| near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
        let Some(signature) = self.registry.get(FunctionKind::Exec, module, function) else {
            let own = self.registry.signatures(FunctionKind::Exec).map(|s| s.name());
            let names: Vec<String> = own.chain(STATE_FUNCTIONS.map(str::to_owned)).collect();
            let near = nearest(name, names.iter().map(String::as_str));
            return Err(format!("there is no function `{name}`{}", hint(near)));
        };
        for key in kwargs.keys() {
            if signature.param(key).is_none() && !signature.open {
                let near = nearest(key, signature.params.iter().map(|p| &*p.name));
                return Err(format!("`{name}` has no argument `{key}`{}", hint(near)));
            }
        }
        let most = signature.params.len();
        let takes_list = signature.params.last().is_some_and(|p| matches!(p.ty, Type::List(_)));
        if args.len() > most && !takes_list {
            return Err(format!("`{name}` takes at most {most} arguments, {} are given", args.len()));
        }
        Ok(())
    }

    /// Calls an exec function with positional and named arguments, bound and converted by its signature.
    pub fn call(&self, name: &str, args: &[Value], kwargs: &Map, cx: &Context) -> Result<Value, String> {
        let (module, function) = name.split_once('.').unwrap_or((name, ""));
        let signature =
            self.registry.get(FunctionKind::Exec, module, function).ok_or_else(|| self.unknown("", name))?;
        let mut bound = Map::new();
        // A list at the end takes all further positional arguments (`file.join(a, b, c)`).
        let fixed = signature.params.len().saturating_sub(1);
        let variadic =
            signature.params.last().filter(|p| matches!(p.ty, Type::List(_)) && args.len() > fixed + 1);
        let args = match variadic {
            Some(param) => {
                bound.insert(
                    param.name.to_string(),
                    Value::List(args.get(fixed..).unwrap_or_default().to_vec()),
                );
                args.get(..fixed).unwrap_or_default()
            }
            None => args,
        };
        for (index, value) in args.iter().enumerate() {
            let param = signature.params.get(index).ok_or_else(|| {
                format!("`{name}` takes {} arguments, not {}", signature.params.len(), args.len())
            })?;
            bound.insert(param.name.to_string(), value.clone());
        }
        for (key, value) in kwargs {
            let name = match signature.param(key) {
                Some(param) => &*param.name,
                None if signature.open => key,
                None => return Err(format!("`{name}` has no argument `{key}`")),
            };
            if bound.insert(name.to_owned(), value.clone()).is_some() {
                return Err(format!("`{key}` is given twice"));
            }
        }
        match self.execs.get(name) {
            Some(call) => call(&bound, cx),
            None => self.call_custom(name, &bound, cx).unwrap_or_else(|| Err(self.unknown("", name))),
        }
    }
}

/// A library with a context is what templates call.
pub struct BoundLibrary {
    /// The functions.
    pub library: Arc<Library>,
    /// What they run on.
    pub context: Context,
}

impl zester_compiler::template::Functions for BoundLibrary {
    fn effect(&self, name: &str) -> Option<zester_compiler::types::Effect> {
        let (module, function) = name.split_once('.')?;
        self.library.registry.get(FunctionKind::Exec, module, function).map(|s| s.effect)
    }

    fn names(&self) -> Vec<String> {
        self.library.registry.signatures(FunctionKind::Exec).map(|s| s.name()).collect()
    }

    fn call(&self, name: &str, args: &[Value], kwargs: &Map) -> Result<Value, String> {
        self.library.call(name, args, kwargs, &self.context)
    }
}
