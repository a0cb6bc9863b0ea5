//! The calls that a `module.run` asks for, in both of Salt's shapes.

use crate::{Context, Failure};
use zester_compiler::{
    diagnostic::nearest,
    types::{FunctionKind, Map, Value},
};

/// One call.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Call {
    /// `module.function`
    pub(super) function: String,
    /// Positional arguments.
    pub(super) args: Vec<Value>,
    /// Named arguments.
    pub(super) kwargs: Map,
}

/// The calls of a state: keys with a dot are functions (`- service.restart: [{name: nginx}]`); without any,
/// `name` is the function and everything else an argument, where `m_name` stands for a `name` of its own.
pub(super) fn calls(name: &str, func: Option<&str>, args: &[Value], kwargs: &Map, rest: &Map) -> Vec<Call> {
    let mut calls: Vec<Call> =
        rest.iter().filter(|(key, _)| key.contains('.')).map(|(key, value)| of_value(key, value)).collect();
    if !calls.is_empty() {
        return calls;
    }
    let mut named = Map::new();
    for (key, value) in rest {
        named.insert(key.strip_prefix("m_").unwrap_or(key).to_owned(), value.clone());
    }
    named.extend(kwargs.clone());
    calls.push(Call { function: func.unwrap_or(name).to_owned(), args: args.to_vec(), kwargs: named });
    calls
}

fn of_value(function: &str, value: &Value) -> Call {
    let mut call = Call { function: function.to_owned(), args: Vec::new(), kwargs: Map::new() };
    match value {
        Value::Null => {}
        Value::Map(map) => call.kwargs.clone_from(map),
        Value::List(list) => {
            for item in list {
                match item {
                    Value::Map(map) => call.kwargs.extend(map.clone()),
                    other => call.args.push(other.clone()),
                }
            }
        }
        scalar => call.args.push(scalar.clone()),
    }
    call
}

impl Call {
    /// Fails where there is no such function, with the nearest name.
    pub(super) fn check(&self, cx: &Context) -> Result<(), Failure> {
        let registry = cx.library.registry();
        let known = self
            .function
            .split_once('.')
            .is_some_and(|(module, name)| registry.get(FunctionKind::Exec, module, name).is_some());
        if known {
            return Ok(());
        }
        if !self.function.contains('.') {
            return Err(Failure::new(format!(
                "`{}` is not a function; write `module.function` as `name`, or as a key with its arguments below",
                self.function
            )));
        }
        let names: Vec<String> = registry.signatures(FunctionKind::Exec).map(|s| s.name()).collect();
        let near = nearest(&self.function, names.iter().map(String::as_str));
        let near = near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
        Err(Failure::new(format!("There is no function `{}`{near}", self.function)))
    }

    /// Calls it. A result that holds a `retcode` other than 0 is a failure.
    pub(super) fn run(&self, cx: &Context) -> Result<Value, Failure> {
        let result = cx
            .library
            .call(&self.function, &self.args, &self.kwargs, cx)
            .map_err(|e| Failure::new(format!("`{}` failed: {e}", self.function)))?;
        match result.as_map().and_then(|m| m.get("retcode")).and_then(Value::as_int) {
            None | Some(0) => Ok(result),
            Some(code) => Err(Failure::new(format!("`{}` ended with {code}: {result}", self.function))),
        }
    }

    /// As an author would write it.
    pub(super) fn shown(&self) -> String {
        let args = self.args.iter().map(Value::to_string);
        let kwargs = self.kwargs.iter().map(|(k, v)| format!("{k}={v}"));
        format!("{}({})", self.function, args.chain(kwargs).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(json: &str) -> Map {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn both_shapes_give_the_same_call() {
        let new = calls("id", None, &[], &Map::new(), &map(r#"{"service.restart": [{"name": "nginx"}]}"#));
        let old = calls("service.restart", None, &[], &Map::new(), &map(r#"{"m_name": "nginx"}"#));
        assert_eq!(new, old);
        assert_eq!(new.first().unwrap().shown(), "service.restart(name=nginx)");
    }

    #[test]
    fn several_functions_and_positional_arguments() {
        let calls =
            calls("id", None, &[], &Map::new(), &map(r#"{"test.ping": null, "test.echo": ["a", {"b": 1}]}"#));
        assert_eq!(calls.iter().map(Call::shown).collect::<Vec<_>>(), ["test.ping()", "test.echo(a, b=1)"]);
    }
}
