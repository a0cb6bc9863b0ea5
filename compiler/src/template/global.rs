//! Names every template sees: the peel's data, `salt[…]`, Salt's variables of a file, a few functions.

use super::{
    Functions,
    environment::{TemplateFiles, join, plain_text},
    mutable, python,
    render::RenderInput,
};
use crate::{
    diagnostic::nearest,
    source::{FileId, Span},
    syntax::{
        expression::{Expr, ExprKind},
        load_yaml,
    },
    target::{Form, Subject, Target},
    types::{Effect, Facts, Map, Value as Data},
};
use minijinja::{
    Environment, Error, ErrorKind, State, Value,
    value::{Kwargs, Object, ObjectRepr, Rest, from_args},
};
use std::{
    cell::RefCell,
    fmt,
    sync::{Arc, Mutex},
};

const GLOBALS: [&str; 36] = [
    "salt",
    "zester",
    "facts",
    "grains",
    "settings",
    "pillar",
    "opts",
    "peel_id",
    "id",
    "env",
    "saltenv",
    "sls",
    "slspath",
    "slsdotpath",
    "sls_path",
    "slscolonpath",
    "tpldir",
    "tplfile",
    "tplpath",
    "tpldot",
    "basket",
    "raise",
    "range",
    "dict",
    "odict",
    "namespace",
    "cycler",
    "joiner",
    "lipsum",
    "loop",
    "self",
    "varargs",
    "kwargs",
    "caller",
    "debug",
    "proxy",
];

/// Names that every template may use without defining them.
pub fn known_globals() -> &'static [&'static str] {
    &GLOBALS
}

const METHODS: [&str; 40] = [
    "get",
    "items",
    "keys",
    "values",
    "append",
    "update",
    "pop",
    "extend",
    "format",
    "split",
    "join",
    "replace",
    "strip",
    "lstrip",
    "rstrip",
    "lower",
    "upper",
    "startswith",
    "endswith",
    "splitlines",
    "title",
    "capitalize",
    "count",
    "index",
    "insert",
    "remove",
    "setdefault",
    "copy",
    "iteritems",
    "itervalues",
    "iterkeys",
    "has_key",
    "isdigit",
    "isalpha",
    "isalnum",
    "find",
    "rsplit",
    "encode",
    "decode",
    "zfill",
];

/// Whether a name is a method of Python's values rather than a macro of a module.
pub(super) fn is_method(name: &str) -> bool {
    METHODS.contains(&name)
}

thread_local! {
    /// Marks of the macro calls that the render on this thread is in: what an error's way there is read from.
    static CALLS: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Takes the calls a render was in when it ended, outermost first; none when it ended well.
pub(super) fn take_calls() -> Vec<usize> {
    CALLS.take()
}

/// Whether an expression calls a macro: a name, or a name of a module, that is no global and no method.
pub(super) fn calls_macro(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Filter { value: Some(value), .. } => calls_macro(value),
        ExprKind::Call { callee, .. } => match &callee.kind {
            ExprKind::Name(name) => !GLOBALS.contains(&name.as_str()),
            ExprKind::Attribute { object, name, .. } => {
                matches!(&object.kind, ExprKind::Name(n) if !GLOBALS.contains(&n.as_str()))
                    && !is_method(name)
            }
            _ => false,
        },
        _ => false,
    }
}

/// One peel's data during a render.
pub struct Session {
    pub facts: Arc<Facts>,
    pub settings: Arc<Data>,
    pub functions: Arc<dyn Functions>,
    pub files: Arc<dyn TemplateFiles>,
    pub env: String,
    pub test: bool,
    /// Commands that were run while rendering.
    pub commands: Mutex<Vec<String>>,
}

fn failure(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

/// Functions that know nothing of a peel.
pub fn register(env: &mut Environment<'static>) {
    env.add_function("raise", |message: &Value| -> Result<Value, Error> {
        Err(failure(plain_text(message)))
    });
    env.add_function("__list", |value: Value| {
        mutable::list(value.try_iter().into_iter().flatten().collect())
    });
    env.add_function("__dict", |value: &Value| python::entries(value).map(mutable::dict));
    env.add_function("__percent", |left: &Value, right: &Value| match left.as_str() {
        Some(format) => python::percent(format, right).map(Value::from),
        None => remainder(left, right),
    });
    env.add_function("__load", |format: &str, text: &Value| load(format, &plain_text(text)));
    env.add_function("dict", make_dict);
    env.add_function("odict", make_dict);
    env.add_function("joiner", |separator: Option<String>| {
        Value::from_object(Joiner {
            separator: separator.unwrap_or_else(|| ", ".into()),
            used: Mutex::new(false),
        })
    });
    env.add_function("cycler", |items: Rest<Value>| {
        Value::from_object(Cycler { items: items.0, at: Mutex::new(0) })
    });
    env.add_function("__enter", |mark: usize| {
        CALLS.with_borrow_mut(|calls| calls.push(mark));
        Value::from("")
    });
    env.add_function("__leave", || {
        CALLS.with_borrow_mut(|calls| calls.pop());
        Value::from("")
    });
}

fn remainder(left: &Value, right: &Value) -> Result<Value, Error> {
    if let (Some(a), Some(b)) = (left.as_i64(), right.as_i64())
        && left.is_integer()
        && right.is_integer()
    {
        return a.checked_rem_euclid(b).map(Value::from).ok_or_else(|| failure("division by zero"));
    }
    let number = |v: &Value| {
        f64::try_from(v.clone()).map_err(|_| failure("`%` needs two numbers, or a text on its left"))
    };
    Ok(Value::from(number(left)?.rem_euclid(number(right)?)))
}

fn make_dict(others: Rest<Value>, named: Kwargs) -> Result<Value, Error> {
    let mut entries = Vec::new();
    for other in others.iter() {
        entries.extend(python::entries(other)?);
    }
    for name in named.args() {
        entries.push((Value::from(name), named.get(name)?));
    }
    Ok(mutable::dict(entries))
}

/// Reads text that a template loads or imports.
pub fn load(format: &str, text: &str) -> Result<Value, Error> {
    match format {
        "text" => Ok(Value::from(text)),
        "json" => serde_json::from_str::<Data>(text)
            .map(|v| python::to_template(&v))
            .map_err(|e| failure(format!("this is not JSON: {e}"))),
        _ => load_yaml(text).map(|v| python::to_template(&v)).map_err(|e| {
            let line = text[..e.range.start.min(text.len())].matches('\n').count() + 1;
            failure(format!("this is not YAML: {} (line {line} of the text)", e.message))
        }),
    }
}

/// `str.format`
pub fn format(text: &str, args: &[Value]) -> Result<Value, Error> {
    let (positional, named): (Rest<Value>, Kwargs) = from_args(args)?;
    let mut out = String::new();
    let mut next = 0;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '{' if chars.next_if_eq(&'{').is_some() => out.push('{'),
            '}' if chars.next_if_eq(&'}').is_some() => out.push('}'),
            '{' => {
                let field: String = chars.by_ref().take_while(|c| *c != '}').collect();
                let (name, spec) = field.split_once(':').unwrap_or((field.as_str(), ""));
                let (name, _) = name.split_once('!').unwrap_or((name, ""));
                let mut path = name.split(['.', '[']);
                let head = path.next().unwrap_or("");
                let mut value = if head.is_empty() {
                    next += 1;
                    positional.get(next - 1).cloned()
                } else if let Ok(index) = head.parse::<usize>() {
                    positional.get(index).cloned()
                } else {
                    named.get(head).ok()
                }
                .ok_or_else(|| failure(format!("the format has no value for `{{{field}}}`")))?;
                for key in path {
                    let key = key.trim_end_matches(']');
                    value = match key.parse::<usize>() {
                        Ok(index) => value.get_item_by_index(index)?,
                        Err(_) => value.get_attr(key)?,
                    };
                }
                let piece = if spec.is_empty() {
                    python::text(&value)
                } else {
                    let kind = if spec.ends_with(|c: char| c.is_ascii_alphabetic()) { "" } else { "s" };
                    let spec = spec.trim_start_matches('>').replace('<', "-");
                    python::percent(&format!("%{spec}{kind}"), &value)?
                };
                out.push_str(&piece);
            }
            other => out.push(other),
        }
    }
    Ok(Value::from(out))
}

struct Joiner {
    separator: String,
    used: Mutex<bool>,
}

impl fmt::Debug for Joiner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("joiner")
    }
}

impl Object for Joiner {
    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, _: &[Value]) -> Result<Value, Error> {
        let mut used = self.used.lock().unwrap_or_else(|e| e.into_inner());
        let text = if std::mem::replace(&mut used, true) { self.separator.as_str() } else { "" };
        Ok(Value::from(text))
    }
}

struct Cycler {
    items: Vec<Value>,
    at: Mutex<usize>,
}

impl fmt::Debug for Cycler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cycler")
    }
}

impl Object for Cycler {
    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        _: &[Value],
    ) -> Result<Value, Error> {
        let mut at = self.at.lock().unwrap_or_else(|e| e.into_inner());
        match method {
            "next" if !self.items.is_empty() => {
                let item = self.items[*at % self.items.len()].clone();
                *at += 1;
                Ok(item)
            }
            "reset" => {
                *at = 0;
                Ok(Value::from(()))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// Names that hold for a peel.
pub fn bind(env: &mut Environment<'static>, session: &Arc<Session>) {
    env.add_global("facts", python::to_template(&Data::Map(session.facts.values.clone())));
    env.add_global("grains", python::to_template(&Data::Map(session.facts.grains.clone())));
    let settings = python::to_template(&session.settings);
    env.add_global("settings", settings.clone());
    env.add_global("pillar", settings);
    let salt = Value::from_object(Salt { session: session.clone(), module: None });
    env.add_global("salt", salt.clone());
    env.add_global("zester", salt);
    env.add_global("peel_id", session.facts.id.as_str());
    env.add_global("opts", opts(session));
    env.add_global("saltenv", session.env.as_str());
    env.add_global("env", session.env.as_str());
    let here = session.clone();
    env.add_function("basket", move |args: Rest<Value>, named: Kwargs| here.call("basket", &args, &named));
    let here = session.clone();
    env.add_function("__import", move |state: &State<'_, '_>, format: &str, path: &Value| {
        let path = join(&plain_text(path), state.name());
        let tree = here.files.tree(&here.env, &path).ok_or_else(|| here.missing(&path))?;
        load(format, &tree.text)
    });
}

/// Salt's variables of the file that is rendered, and the caller's own.
pub fn context(input: &RenderInput<'_>) -> Value {
    let directory = input.path.rsplit_once('/').map_or("", |(dir, _)| dir);
    let is_init = input.path.rsplit('/').next().is_some_and(|f| f.starts_with("init."));
    // Salt's `slspath` of `web/init.sls` is `web`, of `web/config.sls` too.
    let slspath = if is_init { input.sls.replace('.', "/") } else { directory.to_owned() };
    let tpldir = if directory.is_empty() { "." } else { directory };
    let mut entries: Vec<(Value, Value)> = [
        ("sls", input.sls.to_owned()),
        ("slspath", slspath.clone()),
        ("slsdotpath", slspath.replace('/', ".")),
        ("slscolonpath", slspath.replace('/', ":")),
        ("sls_path", slspath.replace('/', "_")),
        ("tpldir", tpldir.to_owned()),
        ("tpldot", directory.replace('/', ".")),
        ("tplfile", input.path.to_owned()),
        ("tplpath", input.path.to_owned()),
    ]
    .into_iter()
    .map(|(k, v)| (Value::from(k), Value::from(v)))
    .collect();
    entries.extend(input.extra.iter().map(|(k, v)| (Value::from(k.as_str()), python::to_template(v))));
    mutable::dict(entries)
}

fn opts(session: &Session) -> Value {
    let text = |s: &str| Data::Str(s.to_owned());
    let opts = Map::from_iter([
        ("id".to_owned(), text(&session.facts.id)),
        ("test".to_owned(), Data::Bool(session.test)),
        ("saltenv".to_owned(), text(&session.env)),
        ("environment".to_owned(), text(&session.env)),
        ("pillarenv".to_owned(), text(&session.env)),
        ("file_client".to_owned(), text("local")),
        ("cachedir".to_owned(), text("/var/cache/zester")),
        ("grains".to_owned(), Data::Map(session.facts.grains.clone())),
        ("pillar".to_owned(), (*session.settings).clone()),
        ("__role".to_owned(), text("minion")),
        ("providers".to_owned(), Data::Map(Map::new())),
    ]);
    python::to_template(&Data::Map(opts))
}

/// `salt[…]`, and `salt.module` on the way to a function.
struct Salt {
    session: Arc<Session>,
    module: Option<String>,
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("salt")
    }
}

impl Object for Salt {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        let name = match &self.module {
            Some(module) => format!("{module}.{key}"),
            None if key.contains('.') => key.to_owned(),
            None => {
                let module = Some(key.to_owned());
                return Some(Value::from_object(Salt { session: self.session.clone(), module }));
            }
        };
        Some(Value::from_object(Function { session: self.session.clone(), name }))
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let (positional, named): (Rest<Value>, Kwargs) = from_args(args)?;
        match &self.module {
            Some(module) => self.session.call(&format!("{module}.{method}"), &positional, &named),
            // `salt.get('x.y')` gives the function.
            None if method == "get" => {
                let name = positional.first().map(plain_text).unwrap_or_default();
                if self.session.functions.effect(&name).is_some() || DATA.contains(&name.as_str()) {
                    return Ok(Value::from_object(Function { session: self.session.clone(), name }));
                }
                Ok(positional.get(1).cloned().unwrap_or_else(|| Value::from(())))
            }
            None => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

struct Function {
    session: Arc<Session>,
    name: String,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Object for Function {
    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let (positional, named): (Rest<Value>, Kwargs) = from_args(args)?;
        self.session.call(&self.name, &positional, &named)
    }
}

/// Functions of data alone: the environment's own.
const DATA: [&str; 38] = [
    "pillar.get",
    "pillar.item",
    "pillar.items",
    "pillar.keys",
    "pillar.raw",
    "pillar.fetch",
    "settings.get",
    "settings.items",
    "settings.keys",
    "grains.get",
    "grains.fetch",
    "grains.item",
    "grains.items",
    "grains.has_value",
    "grains.filter_by",
    "grains.equals",
    "facts.get",
    "facts.items",
    "config.get",
    "config.option",
    "defaults.get",
    "defaults.merge",
    "defaults.deepcopy",
    "defaults.update",
    "slsutil.merge",
    "slsutil.merge_all",
    "slsutil.update",
    "slsutil.boolstr",
    "match.glob",
    "match.list",
    "match.compound",
    "match.grain",
    "match.pcre",
    "match.pillar",
    "match.ipcidr",
    "match.filter_by",
    "log.any",
    "cp.list_states",
];

/// Names of the functions that need only facts and settings.
pub fn data_functions() -> &'static [&'static str] {
    &DATA
}

impl Session {
    fn missing(&self, path: &str) -> Error {
        let paths = self.files.paths(&self.env);
        let near = nearest(path, paths.iter().map(String::as_str));
        let hint = near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
        Error::new(ErrorKind::TemplateNotFound, format!("there is no file `{path}`{hint}"))
    }

    fn call(&self, name: &str, args: &[Value], named: &Kwargs) -> Result<Value, Error> {
        let args: Vec<Data> = args.iter().map(python::from_template).collect();
        let mut kwargs = Map::new();
        for key in named.args() {
            kwargs.insert(key.to_owned(), python::from_template(&named.get::<Value>(key)?));
        }
        self.data(name, args, kwargs).map(|v| python::to_template(&v)).map_err(failure)
    }

    fn data(&self, name: &str, args: Vec<Data>, mut kwargs: Map) -> Result<Data, String> {
        let mut args = args.into_iter();
        // The n-th positional argument, or the one of that name.
        let mut next = |key: &str| args.next().or_else(|| kwargs.shift_remove(key));
        let text = |v: Option<Data>| v.map(|v| v.to_string()).unwrap_or_default();
        let settings = self.settings.as_map().cloned().unwrap_or_default();
        let (module, function) = name.split_once('.').unwrap_or((name, ""));
        match (module, function) {
            ("log", _) => Ok(Data::Bool(true)),
            ("pillar" | "settings", "get" | "fetch") => {
                let key = text(next("key"));
                let default = next("default");
                let merge = next("merge").is_some_and(|m| truthy(&m));
                let _ = next("merge_nested_lists");
                let delimiter = text(next("delimiter"));
                let delimiter = delimiter.chars().next().unwrap_or(':');
                Ok(look_up(&settings, &key, delimiter, default, merge))
            }
            ("pillar" | "settings", "items" | "raw") => Ok(Data::Map(settings)),
            ("pillar" | "settings", "item") => {
                let keys: Vec<Data> = std::iter::from_fn(|| next("key")).collect();
                Ok(Data::Map(
                    keys.iter()
                        .map(|k| (k.to_string(), look_up(&settings, &k.to_string(), ':', None, false)))
                        .collect(),
                ))
            }
            ("pillar" | "settings", "keys") => {
                let found = look_up(&settings, &text(next("key")), ':', None, false);
                Ok(found
                    .as_map()
                    .map_or(Data::Null, |m| Data::List(m.keys().map(|k| Data::from(k.as_str())).collect())))
            }
            ("grains", "get" | "fetch") | ("facts", "get") => {
                let key = text(next("key"));
                let default = next("default");
                Ok(self.fact(module, &key).unwrap_or_else(|| default.unwrap_or_else(|| Data::from(""))))
            }
            ("grains", "items") => Ok(Data::Map(self.facts.grains.clone())),
            ("facts", "items") => Ok(Data::Map(self.facts.values.clone())),
            ("grains", "item") => {
                let keys: Vec<Data> = std::iter::from_fn(|| next("key")).collect();
                Ok(Data::Map(
                    keys.iter()
                        .map(|k| {
                            (
                                k.to_string(),
                                self.fact(module, &k.to_string()).unwrap_or_else(|| Data::from("")),
                            )
                        })
                        .collect(),
                ))
            }
            ("grains", "has_value") => {
                let key = text(next("key"));
                Ok(Data::Bool(self.fact(module, &key).is_some_and(|v| truthy(&v))))
            }
            ("grains", "equals") => {
                let key = text(next("key"));
                let value = text(next("value"));
                Ok(Data::Bool(self.fact(module, &key).is_some_and(|v| v.to_string() == value)))
            }
            ("grains" | "match", "filter_by") => {
                let lookup = next("lookup_dict").or_else(|| next("lookup")).unwrap_or_default();
                let grain = next("grain").map_or_else(|| "os_family".to_owned(), |g| g.to_string());
                let merge = next("merge");
                let default = next("default").map_or_else(|| "default".to_owned(), |d| d.to_string());
                let base = next("base");
                self.filter_by(&lookup, &grain, merge, &default, base)
            }
            ("config", "get" | "option") => {
                let key = text(next("key"));
                let default = next("default");
                let found = match key.as_str() {
                    "id" => Some(Data::from(self.facts.id.as_str())),
                    "test" => Some(Data::Bool(self.test)),
                    "saltenv" | "environment" | "pillarenv" => Some(Data::from(self.env.as_str())),
                    _ => None,
                };
                let found = found
                    .or_else(|| self.fact("grains", &key))
                    .or_else(|| get(&settings, &key, ':').cloned());
                Ok(found.unwrap_or_else(|| default.unwrap_or_else(|| Data::from(""))))
            }
            ("defaults", "get") => {
                let key = text(next("key"));
                let default = next("default");
                let (formula, rest) = key.split_once(':').unwrap_or((&key, ""));
                let file = ["defaults.yaml", "defaults.json"]
                    .iter()
                    .find_map(|f| self.files.tree(&self.env, &format!("{formula}/{f}")));
                let mut data = match file {
                    Some(tree) => load_yaml(&tree.text).map_err(|e| e.message)?,
                    None => Data::Map(Map::new()),
                };
                if let Some(own) = get(&settings, formula, ':') {
                    merge(&mut data, own, false);
                }
                let found = if rest.is_empty() { Some(data) } else { data.lookup(rest, ':').cloned() };
                Ok(found.unwrap_or_else(|| default.unwrap_or_else(|| Data::from(""))))
            }
            ("defaults" | "slsutil", "merge" | "update") => {
                let mut first = next("dest").or_else(|| next("obj_a")).unwrap_or_default();
                let second =
                    next("upd").or_else(|| next("src")).or_else(|| next("obj_b")).unwrap_or_default();
                let lists = kwargs.get("merge_lists").is_some_and(truthy);
                merge(&mut first, &second, lists);
                Ok(first)
            }
            ("slsutil", "merge_all") => {
                let mut all = Data::Map(Map::new());
                if let Some(Data::List(items)) = next("lst") {
                    items.iter().for_each(|item| merge(&mut all, item, false));
                }
                Ok(all)
            }
            ("defaults", "deepcopy") => Ok(next("source").unwrap_or_default()),
            ("slsutil", "boolstr") => {
                let value = next("value").is_some_and(|v| truthy(&v));
                let (yes, no) = (next("true"), next("false"));
                Ok(if value {
                    yes.unwrap_or_else(|| Data::from("true"))
                } else {
                    no.unwrap_or_else(|| Data::from("false"))
                })
            }
            ("match", _) => {
                let tgt = text(next("tgt"));
                self.matches(function, &tgt).map(Data::Bool)
            }
            ("cp", "list_states") => {
                Ok(Data::List(self.files.paths(&self.env).into_iter().map(Data::Str).collect()))
            }
            _ => {
                drop(next);
                self.exec(name, &args.collect::<Vec<_>>(), &kwargs)
            }
        }
    }

    fn exec(&self, name: &str, args: &[Data], kwargs: &Map) -> Result<Data, String> {
        match self.functions.effect(name) {
            Some(Effect::Mutating) => Err(format!(
                "`{name}` changes the machine, and templates are rendered before anything is decided; use a state"
            )),
            Some(Effect::Command) => {
                self.commands.lock().unwrap_or_else(|e| e.into_inner()).push(name.to_owned());
                self.functions.call(name, args, kwargs)
            }
            Some(_) => self.functions.call(name, args, kwargs),
            None => {
                let names = self.functions.names();
                let near = nearest(name, names.iter().map(String::as_str).chain(DATA));
                let hint = near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
                Err(format!("there is no function `{name}`{hint}"))
            }
        }
    }

    fn fact(&self, module: &str, key: &str) -> Option<Data> {
        let (first, second) = match module {
            "facts" => (self.facts.fact(key), self.facts.grain(key)),
            _ => (self.facts.grain(key), self.facts.fact(key)),
        };
        first.or(second).cloned()
    }

    fn filter_by(
        &self,
        lookup: &Data,
        grain: &str,
        merge_in: Option<Data>,
        default: &str,
        base: Option<Data>,
    ) -> Result<Data, String> {
        let Data::Map(table) = lookup else {
            return Err(format!(
                "`grains.filter_by` needs a dict to choose from, found {}",
                lookup.describe()
            ));
        };
        let values = match self.fact("grains", grain) {
            Some(Data::List(items)) => items.iter().map(ToString::to_string).collect(),
            Some(value) => vec![value.to_string()],
            None => Vec::new(),
        };
        let chosen = values
            .iter()
            .find_map(|value| {
                table
                    .iter()
                    .find(|(key, _)| *key == value)
                    .or_else(|| table.iter().find(|(key, _)| glob(key, value)))
            })
            .map(|(_, v)| v.clone())
            .or_else(|| table.get(default).cloned());
        let mut result = chosen.unwrap_or_default();
        if let Some(base) = base.and_then(|b| table.get(&b.to_string()).cloned()) {
            let mut under = base;
            if !result.is_null() {
                merge(&mut under, &result, false);
            }
            result = under;
        }
        if let Some(over) = merge_in.filter(|m| !m.is_null()) {
            let Data::Map(over_map) = &over else {
                // Salt's pillar.get answers '' for what is missing, and formulas pass that on.
                return if over.as_str() == Some("") {
                    Ok(result)
                } else {
                    Err("`merge` must be a dict".to_owned())
                };
            };
            if !over_map.is_empty() {
                if result.is_null() {
                    result = Data::Map(Map::new());
                }
                merge(&mut result, &over, false);
            }
        }
        Ok(result)
    }

    fn matches(&self, function: &str, tgt: &str) -> Result<bool, String> {
        let span = Span::at(FileId(0), 0);
        let form = match function {
            "glob" => Form::Glob,
            "list" => Form::List,
            "grain" => Form::Fact,
            "pcre" => Form::Pcre,
            "pillar" => Form::Setting,
            "ipcidr" => Form::Subnet,
            _ => return self.compound(Target::parse(tgt, span)),
        };
        self.compound(Target::parse_as(form, tgt, span))
    }

    fn compound(
        &self,
        (target, problems): (Target, Vec<crate::diagnostic::Diagnostic>),
    ) -> Result<bool, String> {
        if let Some(problem) = problems.iter().find(|p| p.is_error()) {
            return Err(problem.message.clone());
        }
        let nodegroups = crate::target::Nodegroups::default();
        let subject = Subject {
            id: &self.facts.id,
            facts: &self.facts,
            settings: &self.settings,
            nodegroups: &nodegroups,
        };
        target.matches(&subject).map_err(|e| e.to_string())
    }
}

fn truthy(value: &Data) -> bool {
    match value {
        Data::Null => false,
        Data::Bool(b) => *b,
        Data::Int(i) => *i != 0,
        Data::Float(x) => *x != 0.0,
        Data::Str(s) => !s.is_empty(),
        Data::List(l) => !l.is_empty(),
        Data::Map(m) => !m.is_empty(),
    }
}

fn glob(pattern: &str, text: &str) -> bool {
    pattern.contains(['*', '?', '[']) && crate::target::Glob::lenient(pattern).matches(text)
}

fn get<'a>(map: &'a Map, key: &str, delimiter: char) -> Option<&'a Data> {
    if let Some(found) = map.get(key) {
        return Some(found);
    }
    let (first, rest) = key.split_once(delimiter)?;
    map.get(first)?.lookup(rest, delimiter)
}

fn look_up(map: &Map, key: &str, delimiter: char, default: Option<Data>, merge_in: bool) -> Data {
    match (get(map, key, delimiter), default) {
        (Some(found), Some(mut default)) if merge_in => {
            merge(&mut default, found, false);
            default
        }
        (Some(found), _) => found.clone(),
        (None, default) => default.unwrap_or_else(|| Data::from("")),
    }
}

/// Merges `over` into `under`: maps deeply, lists replaced, or appended when `lists`.
fn merge(under: &mut Data, over: &Data, lists: bool) {
    match (under, over) {
        (Data::Map(a), Data::Map(b)) => {
            for (key, value) in b {
                match a.get_mut(key) {
                    Some(own) => merge(own, value, lists),
                    None => {
                        a.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (Data::List(a), Data::List(b)) if lists => {
            for item in b {
                if !a.contains(item) {
                    a.push(item.clone());
                }
            }
        }
        (under, over) => *under = over.clone(),
    }
}
