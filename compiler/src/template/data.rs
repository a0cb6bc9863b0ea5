//! Functions of data alone (`pillar.get`, `grains.filter_by`, …), and the way to the exec functions.

use super::{Functions, environment::TemplateFiles, global::failure, python};
use crate::{
    diagnostic::nearest,
    source::{FileId, Span},
    syntax::load_yaml,
    target::{Form, Subject, Target},
    types::{Effect, Facts, Map, Value as Data},
};
use minijinja::{Error, ErrorKind, Value, value::Kwargs};
use std::{fmt, sync::Arc};

/// One peel's data during a render.
pub struct Session {
    pub facts: Arc<Facts>,
    pub settings: Arc<Data>,
    pub functions: Arc<dyn Functions>,
    pub files: Arc<dyn TemplateFiles>,
    pub env: String,
    pub test: bool,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its settings may hold secrets.
        write!(f, "a render for `{}`", self.facts.id)
    }
}

/// Functions of data alone: the environment's own.
pub(super) const DATA: [&str; 38] = [
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
    pub fn missing(&self, path: &str) -> Error {
        let paths = self.files.paths(&self.env);
        let near = nearest(path, paths.iter().map(String::as_str));
        let hint = near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
        Error::new(ErrorKind::TemplateNotFound, format!("there is no file `{path}`{hint}"))
    }

    pub fn call(&self, name: &str, args: &[Value], named: &Kwargs) -> Result<Value, Error> {
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
        let nothing = Map::new();
        let settings = self.settings.as_map().unwrap_or(&nothing);
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
                Ok(look_up(settings, &key, delimiter, default, merge))
            }
            ("pillar" | "settings", "items" | "raw") => Ok(Data::Map(settings.clone())),
            ("pillar" | "settings", "item") => {
                let keys: Vec<Data> = std::iter::from_fn(|| next("key")).collect();
                Ok(Data::Map(
                    keys.iter()
                        .map(|k| (k.to_string(), look_up(settings, &k.to_string(), ':', None, false)))
                        .collect(),
                ))
            }
            ("pillar" | "settings", "keys") => {
                let found = look_up(settings, &text(next("key")), ':', None, false);
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
                let found =
                    found.or_else(|| self.fact("grains", &key)).or_else(|| get(settings, &key, ':').cloned());
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
                if let Some(own) = get(settings, formula, ':') {
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
                    for item in &items {
                        merge(&mut all, item, false);
                    }
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
            ("basket", "") => self.exec("basket.get", &args.collect::<Vec<_>>(), &kwargs),
            _ => self.exec(name, &args.collect::<Vec<_>>(), &kwargs),
        }
    }

    fn exec(&self, name: &str, args: &[Data], kwargs: &Map) -> Result<Data, String> {
        match self.functions.effect(name) {
            Some(Effect::Mutating) => Err(format!(
                "`{name}` changes the machine, and templates are rendered before anything is decided; use a state"
            )),
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
