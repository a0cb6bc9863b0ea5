//! Names every template sees: the peel's data, `salt[…]`, Salt's variables of a file, a few functions.

use super::{
    data::{DATA, Session},
    environment::{join, plain_text},
    mutable, python,
    render::RenderInput,
};
use crate::{
    syntax::{
        expression::{Expr, ExprKind},
        load_yaml,
    },
    types::{Map, Value as Data},
};
use minijinja::{
    Environment, Error, ErrorKind, State, Value,
    value::{Kwargs, Object, ObjectRepr, Rest, from_args},
};
use std::{
    cell::RefCell,
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, OnceLock},
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
pub fn is_method(name: &str) -> bool {
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

pub(super) fn failure(message: impl Into<String>) -> Error {
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
    register_import(env);
    env.add_function("__open", |inner: Value, added: usize| Value::from_object(OpenMacro { inner, added }));
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

/// A macro that uses `varargs` or `kwargs`.
struct OpenMacro {
    inner: Value,
    /// How many of its last parameters are these, and not the author's.
    added: usize,
}

impl fmt::Debug for OpenMacro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.inner)
    }
}

impl Object for OpenMacro {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.inner.get_item(key).ok().filter(|value| !value.is_undefined())
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let (positional, named): (Rest<Value>, Kwargs) = from_args(args)?;
        let mut params: Vec<String> =
            self.inner.get_attr("arguments")?.try_iter()?.map(|p| plain_text(&p)).collect();
        let rest = params.split_off(params.len().saturating_sub(self.added));
        let takes = |name: &str| rest.iter().any(|r| r == name);
        let mut inner: Vec<Value> = positional.iter().take(params.len()).cloned().collect();
        let further = positional.get(params.len()..).unwrap_or_default();
        let mut known = Vec::new();
        if takes("varargs") {
            known.push(("varargs".to_owned(), Value::from(further.to_vec())));
        } else {
            inner.extend_from_slice(further);
        }
        let mut others = Vec::new();
        for name in named.args() {
            let value: Value = named.get(name)?;
            if takes("kwargs") && name != "caller" && !params.iter().any(|p| p == name) {
                others.push((Value::from(name), value));
            } else {
                known.push((name.to_owned(), value));
            }
        }
        if takes("kwargs") {
            known.push(("kwargs".to_owned(), mutable::dict(others)));
        }
        inner.push(Kwargs::from_iter(known).into());
        self.inner.call(state, &inner)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inner)
    }
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

/// Functions that ask the render they are called in.
fn register_import(env: &mut Environment<'static>) {
    env.add_function("__import", |state: &State<'_, '_>, format: &str, path: &Value| {
        let session = state.lookup(SESSION);
        let Some(Render(session)) = session.as_ref().and_then(Value::downcast_object_ref::<Render>) else {
            return Err(failure("files are imported while a file is rendered"));
        };
        let path = join(&plain_text(path), state.name());
        let tree = session.files.tree(&session.env, &path).ok_or_else(|| session.missing(&path))?;
        load(format, &tree.text)
    });
}

/// The name under which a render's session is found; no template can write it.
const SESSION: &str = "__session!";

/// A render's session as a value.
#[derive(Debug)]
struct Render(Arc<Session>);

impl Object for Render {}

/// What a render sees beside the names that all renders have: Salt's variables of its file, the caller's own, and the peel's data. The data
/// becomes template values when it is asked for, once for a render: each may change its own.
struct Context {
    session: Arc<Session>,
    entries: HashMap<String, Value>,
    facts: OnceLock<Value>,
    grains: OnceLock<Value>,
    settings: OnceLock<Value>,
    opts: OnceLock<Value>,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the peel's data")
    }
}

impl Object for Context {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        if let Some(own) = self.entries.get(name) {
            return Some(own.clone());
        }
        let session = &self.session;
        let text = |text: &str| Some(Value::from(text));
        match name {
            "facts" => {
                let made = || python::to_template(&Data::Map(session.facts.values.clone()));
                Some(self.facts.get_or_init(made).clone())
            }
            "grains" => {
                let made = || python::to_template(&Data::Map(session.facts.grains.clone()));
                Some(self.grains.get_or_init(made).clone())
            }
            "settings" | "pillar" => {
                Some(self.settings.get_or_init(|| python::to_template(&session.settings)).clone())
            }
            "salt" | "zester" => Some(Value::from_object(Salt { session: session.clone(), module: None })),
            "basket" => {
                Some(Value::from_object(Function { session: session.clone(), name: "basket".to_owned() }))
            }
            "opts" => Some(self.opts.get_or_init(|| opts(session)).clone()),
            "peel_id" => text(&session.facts.id),
            "saltenv" | "env" => text(&session.env),
            SESSION => Some(Value::from_object(Render(session.clone()))),
            _ => None,
        }
    }
}

/// The context of a render.
pub fn context(input: &RenderInput<'_>, session: Arc<Session>) -> Value {
    let directory = input.path.rsplit_once('/').map_or("", |(dir, _)| dir);
    let is_init = input.path.rsplit('/').next().is_some_and(|f| f.starts_with("init."));
    // Salt's `slspath` of `web/init.sls` is `web`, of `web/config.sls` too.
    let slspath = if is_init { input.sls.replace('.', "/") } else { directory.to_owned() };
    let tpldir = if directory.is_empty() { "." } else { directory };
    let mut entries: HashMap<String, Value> = [
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
    .map(|(k, v)| (k.to_owned(), Value::from(v)))
    .collect();
    entries.extend(input.extra.iter().map(|(k, v)| (k.clone(), python::to_template(v))));
    let (facts, grains, settings, opts) = Default::default();
    Value::from_object(Context { session, entries, facts, grains, settings, opts })
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
