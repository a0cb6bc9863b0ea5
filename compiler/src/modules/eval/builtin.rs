//! Functions that every module has.

use super::{
    HOST_FUNCTIONS, Run, convert, fault,
    run::{Arguments, Interpreter},
    value::V,
};
use crate::types::{Map, Value};
use base64::{Engine, engine::general_purpose::STANDARD};
use indexmap::IndexMap;
use sha2::{Digest, Sha256};
use std::{cmp::Ordering, rc::Rc};

impl Interpreter<'_> {
    /// Arguments by the names of a function's parameters, the first `required` of which must be given.
    pub fn bound<const N: usize>(
        &mut self,
        function: &str,
        arguments: Arguments,
        names: [&str; N],
        required: usize,
    ) -> Run<[Option<V>; N]> {
        let mut bound = [const { None }; N];
        if arguments.positional.len() > N {
            return fault(format!(
                "`{function}` is given {} arguments, and takes {N}",
                arguments.positional.len()
            ));
        }
        for (slot, value) in bound.iter_mut().zip(arguments.positional) {
            *slot = Some(value);
        }
        for (name, value) in arguments.named {
            let Some(at) = names.iter().position(|known| *known == name) else {
                return fault(format!("`{function}` has no argument `{name}`"));
            };
            if bound[at].replace(value).is_some() {
                return fault(format!("`{function}` is given `{name}` twice"));
            }
        }
        match bound.iter().take(required).position(Option::is_none) {
            Some(missing) => fault(format!("`{function}` needs the argument `{}`", names[missing])),
            None => Ok(bound),
        }
    }

    fn one(&mut self, function: &str, arguments: Arguments) -> Run<V> {
        let [value] = self.bound(function, arguments, ["value"], 1)?;
        Ok(value.unwrap_or(V::None))
    }

    pub fn builtin(&mut self, name: &'static str, arguments: Arguments) -> Run<V> {
        match name {
            "len" => {
                let value = self.one(name, arguments)?;
                if let V::Str(text) = &value {
                    self.work(text.len() / 64)?;
                }
                match self.length(&value) {
                    Some(length) => Ok(V::Int(i64::try_from(length).unwrap_or(i64::MAX))),
                    None => fault(format!("A {} has no length", value.kind())),
                }
            }
            "str" => {
                let value = self.one(name, arguments)?;
                let text = self.display(&value)?;
                self.heap.text(text)
            }
            "repr" => {
                let value = self.one(name, arguments)?;
                let text = self.repr(&value)?;
                self.heap.text(text)
            }
            "type" => {
                let value = self.one(name, arguments)?;
                self.heap.text(value.kind())
            }
            "bool" => {
                let [value] = self.bound(name, arguments, ["value"], 0)?;
                Ok(V::Bool(value.is_some_and(|value| self.truth(&value))))
            }
            "int" | "float" | "abs" => self.number(name, arguments),
            "list" | "tuple" => {
                let [value] = self.bound(name, arguments, ["items"], 0)?;
                let items = match value {
                    Some(value) => self.items(&value)?,
                    None => Vec::new(),
                };
                if name == "list" { self.heap.list(items) } else { self.heap.tuple(items) }
            }
            "dict" => {
                let V::Dict(dict) = self.heap.dict(IndexMap::new())? else { return fault("a map is no map") };
                self.method(&V::Dict(dict), "update", arguments)?;
                Ok(V::Dict(dict))
            }
            "range" => self.range(arguments),
            "enumerate" => {
                let [items, start] = self.bound(name, arguments, ["items", "start"], 1)?;
                let start = match start {
                    Some(V::Int(start)) => start,
                    _ => 0,
                };
                let items = self.items(&items.unwrap_or(V::None))?;
                let pairs = items.into_iter().enumerate().map(|(at, item)| {
                    self.work(1)?;
                    self.heap.tuple(vec![V::Int(start.saturating_add(at as i64)), item])
                });
                let pairs = pairs.collect::<Run<_>>()?;
                self.heap.list(pairs)
            }
            "zip" => {
                let mut rows: Vec<Vec<V>> = Vec::new();
                for (at, over) in arguments.positional.iter().enumerate() {
                    let items = self.items(over)?;
                    if at == 0 {
                        rows = items.into_iter().map(|item| vec![item]).collect();
                    } else {
                        rows.truncate(items.len());
                        rows.iter_mut().zip(items).for_each(|(row, item)| row.push(item));
                    }
                }
                let rows = rows.into_iter().map(|row| self.heap.tuple(row)).collect::<Run<_>>()?;
                self.heap.list(rows)
            }
            "reversed" => {
                let value = self.one(name, arguments)?;
                let mut items = self.items(&value)?;
                items.reverse();
                self.heap.list(items)
            }
            "sorted" => self.sorted(arguments),
            "min" | "max" => self.extreme(name, arguments),
            "any" | "all" => {
                let value = self.one(name, arguments)?;
                let items = self.items(&value)?;
                let mut truths = items.iter().map(|item| self.truth(item));
                Ok(V::Bool(if name == "any" { truths.any(|t| t) } else { truths.all(|t| t) }))
            }
            "fail" => {
                let mut words = Vec::new();
                for value in &arguments.positional {
                    words.push(self.display(value)?);
                }
                fault(words.join(" "))
            }
            "print" => self.log("info", arguments),
            "hash_sha256" => {
                let value = self.one(name, arguments)?;
                let text = self.wanted_text(name, Some(value))?;
                self.work(text.len() / 8)?;
                let digest = Sha256::digest(text.as_bytes());
                self.heap.text(format!("{digest:x}"))
            }
            "base64_encode" => {
                let value = self.one(name, arguments)?;
                let text = self.wanted_text(name, Some(value))?;
                self.work(text.len() / 8)?;
                self.heap.afford(text.len().saturating_mul(2))?;
                self.heap.text(STANDARD.encode(text.as_bytes()))
            }
            "base64_decode" => {
                let value = self.one(name, arguments)?;
                let text = self.wanted_text(name, Some(value))?;
                self.work(text.len() / 8)?;
                match STANDARD.decode(text.trim()).map(String::from_utf8) {
                    Ok(Ok(decoded)) => self.heap.text(decoded),
                    Ok(Err(_)) => fault("What base64 gives is no text"),
                    Err(error) => fault(format!("The text is no base64: {error}")),
                }
            }
            _ => self.host_call(name, arguments),
        }
    }

    /// A function of a namespace.
    pub fn member(&mut self, namespace: &'static str, member: &'static str, arguments: Arguments) -> Run<V> {
        match (namespace, member) {
            ("log", level) => self.log(level, arguments),
            (_, "decode") => {
                let value = self.one("json.decode", arguments)?;
                let text = self.wanted_text("json.decode", Some(value))?;
                self.work(text.len() / 4)?;
                // What is read takes more room than its text.
                self.heap.afford(text.len().saturating_mul(16))?;
                match serde_json::from_str::<Value>(&text) {
                    Ok(value) => convert::from_value(&mut self.heap, &value, 0),
                    Err(error) => fault(format!("The text is no JSON: {error}")),
                }
            }
            _ => {
                let [value, indent] = self.bound("json.encode", arguments, ["value", "indent"], 1)?;
                let value = self.given_out(&value.unwrap_or(V::None))?;
                let pretty = indent.is_some_and(|indent| self.truth(&indent));
                let text =
                    if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
                match text {
                    Ok(text) => {
                        self.work(text.len() / 8)?;
                        self.heap.text(text)
                    }
                    Err(error) => fault(format!("The value cannot be written as JSON: {error}")),
                }
            }
        }
    }

    fn given_out(&mut self, value: &V) -> Run<Value> {
        let before = self.heap.left();
        let mut left = before;
        let value = convert::to_value(&self.heap, value, 0, &mut left)?;
        self.work((before - left) / 64)?;
        Ok(value)
    }

    fn log(&mut self, level: &'static str, arguments: Arguments) -> Run<V> {
        let mut words = Vec::new();
        for value in &arguments.positional {
            words.push(self.display(value)?);
        }
        self.host.log(level, words.join(" "));
        Ok(V::None)
    }

    fn host_call(&mut self, name: &'static str, arguments: Arguments) -> Run<V> {
        let Some(function) = HOST_FUNCTIONS.iter().find(|f| f.name == name) else {
            return fault(format!("There is no function `{name}`"));
        };
        if arguments.positional.len() > function.params.len() {
            let (given, most) = (arguments.positional.len(), function.params.len());
            return fault(format!("`{name}` is given {given} arguments, and takes {most}"));
        }
        let positional = function.params.iter().map(|p| (*p).to_owned()).zip(arguments.positional);
        let mut given = Map::new();
        for (key, value) in positional.chain(arguments.named) {
            if !function.params.contains(&&*key) {
                let near = crate::diagnostic::nearest(&key, function.params.iter().copied());
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                return fault(format!("`{name}` has no argument `{key}`{near}"));
            }
            let value = self.given_out(&value)?;
            if given.insert(key.clone(), value).is_some() {
                return fault(format!("`{name}` is given `{key}` twice"));
            }
        }
        if let Some(missing) =
            function.params.iter().take(function.required).find(|p| !given.contains_key(**p))
        {
            return fault(format!("`{name}` needs the argument `{missing}`"));
        }
        match self.host.call(name, &given) {
            Ok(value) => convert::from_value(&mut self.heap, &value, 0),
            Err(message) => fault(message),
        }
    }

    fn number(&mut self, name: &'static str, arguments: Arguments) -> Run<V> {
        let [value, base] = self.bound(name, arguments, ["value", "base"], 1)?;
        let value = value.unwrap_or(V::None);
        let base = match base {
            None => 10,
            Some(V::Int(base)) if name == "int" && (2..=36).contains(&base) => base as u32,
            Some(_) => return fault(format!("`{name}` takes no such base")),
        };
        match (name, &value) {
            ("abs", V::Int(number)) => {
                number.checked_abs().map_or_else(super::operate::overflow, |n| Ok(V::Int(n)))
            }
            ("abs", V::Float(number)) => Ok(V::Float(number.abs())),
            ("int", V::Int(number)) => Ok(V::Int(*number)),
            ("int", V::Bool(b)) => Ok(V::Int(i64::from(*b))),
            ("int", V::Float(number)) if number.is_finite() && number.abs() < 9.0e18 => {
                Ok(V::Int(number.trunc() as i64))
            }
            ("int", V::Str(text)) => {
                let digits = text.trim();
                let digits = match base {
                    16 => digits.trim_start_matches("0x"),
                    8 => digits.trim_start_matches("0o"),
                    _ => digits,
                };
                match i64::from_str_radix(digits, base) {
                    Ok(number) => Ok(V::Int(number)),
                    Err(_) => fault("The text is no number"),
                }
            }
            ("float", V::Float(number)) => Ok(V::Float(*number)),
            ("float", V::Int(number)) => Ok(V::Float(*number as f64)),
            ("float", V::Str(text)) => match text.trim().parse() {
                Ok(number) => Ok(V::Float(number)),
                Err(_) => fault("The text is no number"),
            },
            (_, other) => fault(format!("`{name}` makes nothing of a {}", other.kind())),
        }
    }

    fn range(&mut self, arguments: Arguments) -> Run<V> {
        let [a, b, step] = self.bound("range", arguments, ["start", "stop", "step"], 1)?;
        let number = |value: Option<V>| match value {
            None => Ok(None),
            Some(V::Int(number)) => Ok(Some(number)),
            Some(other) => fault(format!("`range` counts in integers, and is given a {}", other.kind())),
        };
        let (a, b, step) = (number(a)?.unwrap_or(0), number(b)?, number(step)?.unwrap_or(1));
        if step == 0 {
            return fault("`range` cannot go by steps of 0");
        }
        let (from, to) = b.map_or((0, a), |b| (a, b));
        Ok(V::Range(Rc::new((from, to, step))))
    }

    fn sorted(&mut self, arguments: Arguments) -> Run<V> {
        let [items, key, reverse] = self.bound("sorted", arguments, ["items", "key", "reverse"], 1)?;
        let items = self.items(&items.unwrap_or(V::None))?;
        let mut keyed: Vec<(V, V)> = Vec::with_capacity(items.len());
        for item in items {
            let by = match &key {
                None | Some(V::None) => item.clone(),
                Some(key) => {
                    let one = Arguments { positional: vec![item.clone()], named: Vec::new() };
                    self.deeper(|this| this.call(key, one))?
                }
            };
            keyed.push((by, item));
        }
        let reverse = reverse.is_some_and(|reverse| self.truth(&reverse));
        let sorted = self.merge_sorted(keyed, reverse)?;
        self.heap.list(sorted.into_iter().map(|(_, item)| item).collect())
    }

    /// Sorts by the first of each pair; what is equal keeps its order, reversed or not. The library's sort may panic
    /// where an order is none, and mixed numbers have none.
    fn merge_sorted(&mut self, mut items: Vec<(V, V)>, reverse: bool) -> Run<Vec<(V, V)>> {
        let mut width = 1;
        while width < items.len() {
            let mut merged = Vec::with_capacity(items.len());
            let mut rest = items.into_iter();
            loop {
                let left: Vec<_> = rest.by_ref().take(width).collect();
                if left.is_empty() {
                    break;
                }
                let right: Vec<_> = rest.by_ref().take(width).collect();
                let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
                while let (Some((a, _)), Some((b, _))) = (left.peek(), right.peek()) {
                    let order = self.compare(b, a)?;
                    let takes_right = order == if reverse { Ordering::Greater } else { Ordering::Less };
                    merged.extend(if takes_right { right.next() } else { left.next() });
                }
                merged.extend(left);
                merged.extend(right);
            }
            items = merged;
            width = width.saturating_mul(2);
        }
        Ok(items)
    }

    fn extreme(&mut self, name: &'static str, mut arguments: Arguments) -> Run<V> {
        let key =
            arguments.named.iter().position(|(name, _)| name == "key").map(|at| arguments.named.remove(at).1);
        if let Some((other, _)) = arguments.named.first() {
            return fault(format!("`{name}` has no argument `{other}`"));
        }
        let items = match &arguments.positional[..] {
            [one] => self.items(one)?,
            _ => arguments.positional,
        };
        let mut best: Option<(V, V)> = None;
        for item in items {
            let by = match &key {
                None => item.clone(),
                Some(key) => {
                    let one = Arguments { positional: vec![item.clone()], named: Vec::new() };
                    self.deeper(|this| this.call(key, one))?
                }
            };
            let better = match &best {
                None => true,
                Some((known, _)) => {
                    let order = self.compare(&by, known)?;
                    order == if name == "min" { Ordering::Less } else { Ordering::Greater }
                }
            };
            if better {
                best = Some((by, item));
            }
        }
        match best {
            Some((_, item)) => Ok(item),
            None => fault(format!("`{name}` of nothing")),
        }
    }
}
