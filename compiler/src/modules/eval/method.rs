//! Methods of text, lists and maps.

use super::{
    Run, fault,
    operate::position,
    run::{Arguments, Interpreter},
    value::{Text, V},
};
use crate::diagnostic::nearest;

const OF_TEXT: &[&str] = &[
    "capitalize",
    "count",
    "endswith",
    "find",
    "format",
    "index",
    "isalnum",
    "isalpha",
    "isdigit",
    "islower",
    "isspace",
    "isupper",
    "join",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "title",
    "upper",
];
const OF_LIST: &[&str] = &["append", "clear", "extend", "index", "insert", "pop", "remove"];
const OF_MAP: &[&str] = &["clear", "get", "items", "keys", "pop", "setdefault", "update", "values"];

impl Interpreter<'_> {
    pub fn method(&mut self, object: &V, method: &str, arguments: Arguments) -> Run<V> {
        self.work(1)?;
        let known = match object {
            V::Str(_) => OF_TEXT,
            V::List(_) => OF_LIST,
            V::Dict(_) => OF_MAP,
            _ => &[],
        };
        if !known.contains(&method) {
            let near = nearest(method, known.iter().copied());
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return fault(format!("A {} has no method `{method}`{near}", object.kind()));
        }
        match object {
            V::Str(text) => self.of_text(&text.clone(), method, arguments),
            V::List(list) => self.of_list(*list, method, arguments),
            V::Dict(dict) => self.of_map(*dict, method, arguments),
            _ => fault("There is no such method"),
        }
    }

    fn of_text(&mut self, text: &Text, method: &str, arguments: Arguments) -> Run<V> {
        self.work(text.len() / 8)?;
        if method == "format" {
            return self.filled(text, &arguments.positional, &arguments.named);
        }
        let is = |all: fn(char) -> bool| V::Bool(!text.is_empty() && text.chars().all(all));
        match method {
            "join" => {
                let [items] = self.bound(method, arguments, ["items"], 1)?;
                let items = self.items(&items.unwrap_or(V::None))?;
                let mut out = String::new();
                for (at, item) in items.iter().enumerate() {
                    let V::Str(item) = item else {
                        return fault(format!("`join` puts text together, and finds a {}", item.kind()));
                    };
                    self.work(item.len() / 16 + 1)?;
                    self.heap.afford(out.len() + item.len() + text.len())?;
                    out.push_str(if at == 0 { "" } else { text });
                    out.push_str(item);
                }
                self.heap.text(out)
            }
            "lower" => self.no_more(method, arguments, |this| this.heap.text(text.to_lowercase())),
            "upper" => self.no_more(method, arguments, |this| this.heap.text(text.to_uppercase())),
            "capitalize" => self.no_more(method, arguments, |this| {
                let mut letters = text.chars();
                let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
                this.heap.text(first + &letters.as_str().to_lowercase())
            }),
            "title" => self.no_more(method, arguments, |this| {
                let mut inside = false;
                let mut out = String::new();
                for letter in text.chars() {
                    if inside {
                        out.extend(letter.to_lowercase());
                    } else {
                        out.extend(letter.to_uppercase());
                    }
                    inside = letter.is_alphabetic();
                }
                this.heap.text(out)
            }),
            "isalnum" => self.no_more(method, arguments, |_| Ok(is(char::is_alphanumeric))),
            "isalpha" => self.no_more(method, arguments, |_| Ok(is(char::is_alphabetic))),
            "isdigit" => self.no_more(method, arguments, |_| Ok(is(char::is_numeric))),
            "isspace" => self.no_more(method, arguments, |_| Ok(is(char::is_whitespace))),
            "islower" => self.no_more(method, arguments, |_| {
                Ok(V::Bool(text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase)))
            }),
            "isupper" => self.no_more(method, arguments, |_| {
                Ok(V::Bool(text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase)))
            }),
            "splitlines" => {
                let [keep] = self.bound(method, arguments, ["keepends"], 0)?;
                let keep = keep.is_some_and(|keep| self.truth(&keep));
                let lines = text.split_inclusive('\n').map(|line| {
                    if keep {
                        line
                    } else {
                        line.strip_suffix('\n').map_or(line, |l| l.strip_suffix('\r').unwrap_or(l))
                    }
                });
                self.texts(lines)
            }
            "strip" | "lstrip" | "rstrip" => {
                let [letters] = self.bound(method, arguments, ["chars"], 0)?;
                let letters = self.optional_text(method, letters)?;
                let out = |letter: char| match &letters {
                    Some(letters) => letters.contains(letter),
                    None => letter.is_whitespace(),
                };
                self.work(letters.as_ref().map_or(0, |l| text.len().saturating_mul(l.len()) / 64))?;
                let cut = match method {
                    "strip" => text.trim_matches(out),
                    "lstrip" => text.trim_start_matches(out),
                    _ => text.trim_end_matches(out),
                };
                self.heap.text(cut)
            }
            "split" | "rsplit" => self.split(text, method, arguments),
            "replace" => {
                let [old, new, count] = self.bound(method, arguments, ["old", "new", "count"], 2)?;
                let (old, new) = (self.wanted_text(method, old)?, self.wanted_text(method, new)?);
                let most = match count {
                    Some(V::Int(count)) if count >= 0 => usize::try_from(count).unwrap_or(usize::MAX),
                    _ => usize::MAX,
                };
                let found = text.matches(&*old).take(most).count();
                self.heap.afford(text.len().saturating_add(found.saturating_mul(new.len())))?;
                self.work(found)?;
                self.heap.text(text.replacen(&*old, &new, most))
            }
            "partition" | "rpartition" => {
                let [separator] = self.bound(method, arguments, ["sep"], 1)?;
                let separator = self.wanted_text(method, separator)?;
                let parts = if method == "partition" {
                    text.split_once(&*separator).map_or((&**text, "", ""), |(a, b)| (a, &*separator, b))
                } else {
                    text.rsplit_once(&*separator).map_or(("", "", &**text), |(a, b)| (a, &*separator, b))
                };
                let parts = [parts.0, parts.1, parts.2].map(|part| self.heap.text(part));
                let parts = parts.into_iter().collect::<Run<_>>()?;
                self.heap.tuple(parts)
            }
            "removeprefix" | "removesuffix" => {
                let [part] = self.bound(method, arguments, ["part"], 1)?;
                let part = self.wanted_text(method, part)?;
                let cut = if method == "removeprefix" {
                    text.strip_prefix(&*part)
                } else {
                    text.strip_suffix(&*part)
                };
                self.heap.text(cut.unwrap_or(text))
            }
            "startswith" | "endswith" => {
                let [part] = self.bound(method, arguments, ["part"], 1)?;
                let parts = match part {
                    Some(part @ V::Tuple(_)) => self.items(&part)?,
                    part => part.into_iter().collect(),
                };
                for part in parts {
                    let part = self.wanted_text(method, Some(part))?;
                    let has = if method == "startswith" {
                        text.starts_with(&*part)
                    } else {
                        text.ends_with(&*part)
                    };
                    if has {
                        return Ok(V::Bool(true));
                    }
                }
                Ok(V::Bool(false))
            }
            _ => self.search(text, method, arguments),
        }
    }

    /// `count`, `find`, `index`, `rfind`
    fn search(&mut self, text: &Text, method: &str, arguments: Arguments) -> Run<V> {
        let [part] = self.bound(method, arguments, ["part"], 1)?;
        let part = self.wanted_text(method, part)?;
        if method == "count" {
            return Ok(V::Int(text.matches(&*part).count() as i64));
        }
        let found = if method == "rfind" { text.rfind(&*part) } else { text.find(&*part) };
        // Places count letters.
        match found.and_then(|at| text.get(..at)) {
            Some(before) => Ok(V::Int(before.chars().count() as i64)),
            None if method == "index" => fault("The text does not have what `index` looks for"),
            None => Ok(V::Int(-1)),
        }
    }

    fn split(&mut self, text: &Text, method: &str, arguments: Arguments) -> Run<V> {
        let [separator, most] = self.bound(method, arguments, ["sep", "maxsplit"], 0)?;
        let most = match most {
            Some(V::Int(most)) if most >= 0 => usize::try_from(most).unwrap_or(usize::MAX),
            _ => usize::MAX,
        };
        let Some(separator) = self.optional_text(method, separator)? else {
            if most == usize::MAX {
                return self.texts(text.split_whitespace());
            }
            // The rest is one piece, blanks within it kept.
            let mut pieces = Vec::new();
            let mut rest = text.trim();
            while pieces.len() < most {
                let cut = if method == "split" {
                    rest.split_once(char::is_whitespace).map(|(a, b)| (a, b.trim_start()))
                } else {
                    rest.rsplit_once(char::is_whitespace).map(|(a, b)| (b, a.trim_end()))
                };
                let Some((piece, left)) = cut else { break };
                pieces.push(piece);
                rest = left;
            }
            if !rest.is_empty() {
                pieces.push(rest);
            }
            if method == "rsplit" {
                pieces.reverse();
            }
            return self.texts(pieces.into_iter());
        };
        if separator.is_empty() {
            return fault(format!("`{method}` wants a separator that is not empty"));
        }
        let limit = most.saturating_add(1);
        if method == "split" {
            self.texts(text.splitn(limit, &*separator))
        } else {
            let mut pieces: Vec<&str> = text.rsplitn(limit, &*separator).collect();
            pieces.reverse();
            self.texts(pieces.into_iter())
        }
    }

    fn texts<'t>(&mut self, pieces: impl Iterator<Item = &'t str>) -> Run<V> {
        let mut items = Vec::new();
        for piece in pieces {
            self.work(1)?;
            items.push(self.heap.text(piece)?);
        }
        self.heap.list(items)
    }

    fn of_list(&mut self, list: usize, method: &str, arguments: Arguments) -> Run<V> {
        match method {
            "append" => {
                let [item] = self.bound(method, arguments, ["item"], 1)?;
                self.heap.pay_items(1)?;
                self.heap.changing_list(list)?.extend(item);
                Ok(V::None)
            }
            "extend" => {
                let [items] = self.bound(method, arguments, ["items"], 1)?;
                let items = self.items(&items.unwrap_or(V::None))?;
                self.heap.pay_items(items.len())?;
                self.heap.changing_list(list)?.extend(items);
                Ok(V::None)
            }
            "clear" => self.no_more(method, arguments, |this| {
                this.heap.changing_list(list)?.clear();
                Ok(V::None)
            }),
            "insert" => {
                let [at, item] = self.bound(method, arguments, ["index", "item"], 2)?;
                let (Some(V::Int(at)), Some(item)) = (at, item) else {
                    return fault("`insert` wants a number and an item");
                };
                self.heap.pay_items(1)?;
                let count = self.heap.lists[list].items.len();
                self.work(count / 16)?;
                let items = self.heap.changing_list(list)?;
                let place = position(at, count).unwrap_or(if at < 0 { 0 } else { count });
                items.insert(place, item);
                Ok(V::None)
            }
            "pop" => {
                let [at] = self.bound(method, arguments, ["index"], 0)?;
                let at = match at {
                    None => -1,
                    Some(V::Int(at)) => at,
                    Some(other) => return fault(format!("`pop` wants a number, not a {}", other.kind())),
                };
                let count = self.heap.lists[list].items.len();
                self.work(count / 16)?;
                let items = self.heap.changing_list(list)?;
                match position(at, count) {
                    Some(place) => Ok(items.remove(place)),
                    None => fault(format!("There is no element {at} among {count}")),
                }
            }
            _ => {
                let [wanted] = self.bound(method, arguments, ["item"], 1)?;
                let wanted = wanted.unwrap_or(V::None);
                let items = self.items(&V::List(list))?;
                for (at, item) in items.iter().enumerate() {
                    if self.equal(item, &wanted)? {
                        if method == "index" {
                            return Ok(V::Int(at as i64));
                        }
                        self.heap.changing_list(list)?.remove(at);
                        return Ok(V::None);
                    }
                }
                let shown = self.repr(&wanted)?;
                fault(format!("The list has no {shown}"))
            }
        }
    }

    fn of_map(&mut self, dict: usize, method: &str, arguments: Arguments) -> Run<V> {
        match method {
            "get" | "pop" | "setdefault" => {
                let [key, default] = self.bound(method, arguments, ["key", "default"], 1)?;
                let shown = key.clone().unwrap_or(V::None);
                let key = self.heap.key(&shown)?;
                if let Some(value) = self.heap.dicts[dict].entries.get(&key).cloned() {
                    if method == "pop" {
                        self.work(self.heap.dicts[dict].entries.len() / 16)?;
                        self.heap.changing_dict(dict)?.shift_remove(&key);
                    }
                    return Ok(value);
                }
                match (method, default) {
                    ("setdefault", default) => {
                        let value = default.unwrap_or(V::None);
                        self.heap.insert(dict, key, value.clone())?;
                        Ok(value)
                    }
                    (_, Some(default)) => Ok(default),
                    ("get", None) => Ok(V::None),
                    (_, None) => {
                        let shown = self.repr(&shown)?;
                        fault(format!("The map has no key {shown}"))
                    }
                }
            }
            "update" => {
                let mut named = arguments.named;
                let first = arguments.positional.into_iter().next();
                if let Some(other) = first {
                    self.update(dict, &other)?;
                }
                for (key, value) in named.drain(..) {
                    let key = self.heap.text(key)?;
                    let key = self.heap.key(&key)?;
                    self.heap.insert(dict, key, value)?;
                }
                Ok(V::None)
            }
            "clear" => self.no_more(method, arguments, |this| {
                this.heap.changing_dict(dict)?.clear();
                Ok(V::None)
            }),
            "keys" => self.no_more(method, arguments, |this| {
                let items = this.items(&V::Dict(dict))?;
                this.heap.list(items)
            }),
            "values" => self.no_more(method, arguments, |this| {
                let values: Vec<V> = this.heap.dicts[dict].entries.values().cloned().collect();
                this.work(values.len() / 8)?;
                this.heap.list(values)
            }),
            _ => self.no_more(method, arguments, |this| {
                let entries = this.pairs(dict)?;
                this.heap.list(entries)
            }),
        }
    }

    /// The entries of a map as tuples.
    fn pairs(&mut self, dict: usize) -> Run<Vec<V>> {
        let keys = self.items(&V::Dict(dict))?;
        let values: Vec<V> = self.heap.dicts[dict].entries.values().cloned().collect();
        self.work(values.len())?;
        keys.into_iter().zip(values).map(|(key, value)| self.heap.tuple(vec![key, value])).collect()
    }

    /// Puts into a map what another map, or a list of pairs, has.
    pub fn update(&mut self, dict: usize, other: &V) -> Run<()> {
        let entries = match other {
            V::Dict(other) => self.pairs(*other)?,
            other => self.items(other)?,
        };
        for entry in entries {
            let pair = self.items(&entry)?;
            let [key, value] = &pair[..] else { return fault("A map is made of pairs: a key and a value") };
            let key = self.heap.key(key)?;
            self.heap.insert(dict, key, value.clone())?;
        }
        Ok(())
    }

    fn no_more(
        &mut self,
        method: &str,
        arguments: Arguments,
        work: impl FnOnce(&mut Self) -> Run<V>,
    ) -> Run<V> {
        let [] = self.bound(method, arguments, [], 0)?;
        work(self)
    }

    pub fn wanted_text(&mut self, method: &str, value: Option<V>) -> Run<Text> {
        match value {
            Some(V::Str(text)) => Ok(text),
            other => {
                let found = other.map_or("nothing", |value| value.kind());
                fault(format!("`{method}` wants text, and is given {found}"))
            }
        }
    }

    fn optional_text(&mut self, method: &str, value: Option<V>) -> Run<Option<Text>> {
        match value {
            None | Some(V::None) => Ok(None),
            value => self.wanted_text(method, value).map(Some),
        }
    }
}
