//! Guards: `onlyif`, `unless`, `creates`.

use zester_compiler::{
    ir::{Guard, Node},
    types::Value,
};
use zester_stdlib::{Context, provider::Command};

/// Why a state need not run; `None` when all guards are met. An error means that a guard itself could not be asked.
pub fn unmet(node: &Node, cx: &Context) -> Result<Option<String>, String> {
    let attributes = &node.attributes;
    if !attributes.creates.is_empty() {
        let mut missing = false;
        for path in &attributes.creates {
            let found = cx
                .machine
                .files
                .stat(path, true)
                .map_err(|e| format!("`creates`: `{path}` cannot be read: {e}"))?;
            missing |= found.is_none();
        }
        if !missing {
            return Ok(Some(format!("`{}` exists", attributes.creates.join("`, `"))));
        }
    }
    for guard in &attributes.onlyif {
        if !holds(guard, node, cx)? {
            return Ok(Some(format!("onlyif is not met: {}", describe(guard))));
        }
    }
    if !attributes.unless.is_empty() {
        // Salt's rule: the state runs unless all of them hold.
        let mut all = true;
        for guard in &attributes.unless {
            if !holds(guard, node, cx)? {
                all = false;
                break;
            }
        }
        if all {
            let first = attributes.unless.first().map(describe).unwrap_or_default();
            return Ok(Some(format!("unless is met: {first}")));
        }
    }
    Ok(None)
}

fn describe(guard: &Guard) -> String {
    match guard {
        Guard::Command(line) => format!("`{line}`"),
        Guard::Call { function, .. } => format!("`{function}`"),
    }
}

fn holds(guard: &Guard, node: &Node, cx: &Context) -> Result<bool, String> {
    match guard {
        Guard::Command(line) => match line.trim() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => {
                // A command that cannot even start (its directory or user comes only later) does not hold, as in Salt.
                let Ok(output) = run(line, node, cx) else { return Ok(false) };
                if output.timed_out {
                    return Err(format!("the guard `{line}` took too long"));
                }
                Ok(output.success())
            }
        },
        Guard::Call { function, args, kwargs } => {
            let mut kwargs = kwargs.clone();
            let path = kwargs.shift_remove("get_return");
            let result = cx.library.call(function, args, &kwargs, cx)?;
            let result = match path {
                Some(path) => result.lookup(&path.to_string(), ':').cloned().unwrap_or_default(),
                None => result,
            };
            Ok(truthy(&result))
        }
    }
}

/// Runs a command line of the state, a guard or `check_cmd`, where and as the state runs its own commands.
pub fn run(line: &str, node: &Node, cx: &Context) -> Result<zester_stdlib::provider::Output, String> {
    let mut command = Command::shell(line);
    command.cwd = node.args.get("cwd").and_then(Value::as_str).map(str::to_owned);
    if let Some(env) = node.args.get("env") {
        command.env = zester_stdlib::environment(env).map_err(|e| e.message)?;
    }
    command.runas = cx.runas.as_deref().map(str::to_owned);
    command.timeout = cx.timeout;
    command.umask = cx.umask;
    zester_stdlib::run_variables(cx, &mut command.env);
    cx.machine.commands.run(&command, &cx.cancel).map_err(|e| format!("`{line}` could not be started: {e}"))
}

fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::Int(i) => *i != 0,
        Value::Float(x) => *x != 0.0,
        Value::Str(s) => !s.is_empty(),
        Value::List(l) => !l.is_empty(),
        Value::Map(m) => !m.is_empty(),
    }
}
