//! Lists and dicts that templates can change in place, as Python's.

use super::{
    budget::{exceeded, spend},
    python,
};
use minijinja::{
    Error, ErrorKind, State, Value,
    value::{Enumerator, Kwargs, Object, ObjectRepr, Rest, ValueKind, from_args},
};
use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard},
};

/// A list. Shared by reference.
#[derive(Default)]
pub struct List(Mutex<Vec<Value>>, usize);

/// A dict in order of insertion. Shared by reference.
#[derive(Default)]
pub struct Dict(Mutex<indexmap::IndexMap<Value, Value>>, usize);

/// A list value.
pub fn list(items: Vec<Value>) -> Value {
    match nesting(items.iter()) {
        Some(depth) => Value::from_object(List(Mutex::new(items), depth)),
        None => Value::from_object(List::default()),
    }
}

/// A dict value.
pub fn dict(entries: impl IntoIterator<Item = (Value, Value)>) -> Value {
    let entries: indexmap::IndexMap<Value, Value> = entries.into_iter().collect();
    match nesting(entries.values()) {
        Some(depth) => Value::from_object(Dict(Mutex::new(entries), depth)),
        None => Value::from_object(Dict::default()),
    }
}

/// How deep what holds these values is nested when it is made. Nothing, and no more of the budget, where that is too deep: what drops or compares
/// it goes down as deep.
fn nesting<'v>(values: impl Iterator<Item = &'v Value>) -> Option<usize> {
    let of = |value: &Value| {
        let list = value.downcast_object_ref::<List>().map(|l| l.1);
        list.or_else(|| value.downcast_object_ref::<Dict>().map(|d| d.1)).unwrap_or(0)
    };
    let depth = values.map(of).max().unwrap_or(0) + 1;
    (depth <= MAX_NESTING || spend(usize::MAX)).then_some(depth)
}

fn tuple(items: Vec<Value>) -> Value {
    Value::from(minijinja::value::Tuple::from(items))
}

/// Containers that are looked into to see that nothing comes to lie within itself.
const MAX_LOOKED_INTO: usize = 100_000;
/// Deepest nesting of lists and dicts.
const MAX_NESTING: usize = 200;

/// Holds that a value can be put into the list or dict at `into`: it does not hold that already, or what prints, compares and drops it would
/// never come to an end.
fn can_hold(into: *const (), item: &Value) -> Result<(), Error> {
    let wrong = |why: &str| Err(Error::new(ErrorKind::InvalidOperation, why.to_owned()));
    let mut seen = HashSet::new();
    let mut pending: Vec<(Value, usize)> = vec![(item.clone(), 1)];
    while let Some((value, depth)) = pending.pop() {
        let inner: Vec<Value> = if let Some(list) = value.downcast_object::<List>() {
            if Arc::as_ptr(&list).cast() == into {
                return wrong("a list or dict cannot hold itself");
            }
            if !seen.insert(Arc::as_ptr(&list).cast::<()>()) {
                continue;
            }
            list.items().iter().filter(|v| is_container(v)).cloned().collect()
        } else if let Some(dict) = value.downcast_object::<Dict>() {
            if Arc::as_ptr(&dict).cast() == into {
                return wrong("a list or dict cannot hold itself");
            }
            if !seen.insert(Arc::as_ptr(&dict).cast::<()>()) {
                continue;
            }
            dict.entries().values().filter(|v| is_container(v)).cloned().collect()
        } else {
            continue;
        };
        if depth > MAX_NESTING {
            return wrong("lists and dicts are nested more than 200 deep");
        }
        if seen.len() > MAX_LOOKED_INTO || !spend(inner.len()) {
            return Err(exceeded());
        }
        pending.extend(inner.into_iter().map(|v| (v, depth + 1)));
    }
    Ok(())
}

fn is_container(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Map | ValueKind::Iterable)
}

impl List {
    fn holds_not(&self, item: &Value) -> Result<(), Error> {
        if !spend(1) {
            return Err(exceeded());
        }
        can_hold(std::ptr::from_ref(self).cast(), item)
    }

    /// The items, to be compared without a lock: one of them may be this list.
    fn copied(&self) -> Result<Vec<Value>, Error> {
        let items = self.items();
        if spend(items.len()) { Ok(items.clone()) } else { Err(exceeded()) }
    }

    fn items(&self) -> MutexGuard<'_, Vec<Value>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl Dict {
    fn holds_not(&self, item: &Value) -> Result<(), Error> {
        can_hold(std::ptr::from_ref(self).cast(), item)
    }

    fn entries(&self) -> MutexGuard<'_, indexmap::IndexMap<Value, Value>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.items().iter()).finish()
    }
}

impl fmt::Debug for Dict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.entries().iter()).finish()
    }
}

/// An index as Python takes it: negative ones count from the end.
fn position(length: usize, index: i64) -> Option<usize> {
    let at = if index < 0 { index + length as i64 } else { index };
    usize::try_from(at).ok().filter(|at| *at < length)
}

fn unknown() -> Error {
    Error::from(ErrorKind::UnknownMethod)
}

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let items = self.items();
        position(items.len(), key.as_i64()?).map(|at| items[at].clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let items = self.items();
        Enumerator::Values(if spend(items.len()) { items.clone() } else { Vec::new() })
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.items().len())
    }

    fn is_true(self: &Arc<Self>) -> bool {
        !self.items().is_empty()
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&python::repr(&Value::from_dyn_object(self.clone())))
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "append" => {
                let (item,): (Value,) = from_args(args)?;
                self.holds_not(&item)?;
                self.items().push(item);
            }
            "extend" => {
                let (more,): (Value,) = from_args(args)?;
                // Collected first: a list may be extended by itself.
                let more = python::items(&more)?;
                for item in &more {
                    self.holds_not(item)?;
                }
                self.items().extend(more);
            }
            "insert" => {
                let (index, item): (i64, Value) = from_args(args)?;
                self.holds_not(&item)?;
                let mut items = self.items();
                let length = items.len() as i64;
                let at = if index < 0 { (index + length).max(0) } else { index.min(length) };
                items.insert(at as usize, item);
            }
            "pop" => {
                let (index,): (Option<i64>,) = from_args(args)?;
                let mut items = self.items();
                let at = position(items.len(), index.unwrap_or(-1)).ok_or_else(|| {
                    Error::new(ErrorKind::InvalidOperation, "pop from an empty list, or index out of range")
                })?;
                return Ok(items.remove(at));
            }
            "remove" => {
                let (item,): (Value,) = from_args(args)?;
                let at = self.copied()?.iter().position(|i| *i == item);
                let at = at.ok_or_else(|| {
                    Error::new(ErrorKind::InvalidOperation, "the list has no such item to remove")
                })?;
                self.items().remove(at);
            }
            "index" => {
                let (item,): (Value,) = from_args(args)?;
                let at = self.copied()?.iter().position(|i| *i == item);
                return at
                    .map(|at| Value::from(at as i64))
                    .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "the list has no such item"));
            }
            "count" => {
                let (item,): (Value,) = from_args(args)?;
                return Ok(Value::from(self.copied()?.iter().filter(|i| **i == item).count() as i64));
            }
            "reverse" => self.items().reverse(),
            "sort" => {
                let (options,): (Kwargs,) = from_args(args)?;
                let reverse: Option<bool> = options.get("reverse")?;
                let mut items = self.copied()?;
                items.sort();
                if reverse == Some(true) {
                    items.reverse();
                }
                *self.items() = items;
            }
            "clear" => self.items().clear(),
            "copy" => return Ok(list(self.copied()?)),
            _ => return Err(unknown()),
        }
        Ok(Value::from(()))
    }
}

impl Object for Dict {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.entries().get(key).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let entries = self.entries();
        Enumerator::Values(if spend(entries.len()) { entries.keys().cloned().collect() } else { Vec::new() })
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.entries().len())
    }

    fn is_true(self: &Arc<Self>) -> bool {
        !self.entries().is_empty()
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&python::repr(&Value::from_dyn_object(self.clone())))
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "get" => {
                let (key, default): (Value, Option<Value>) = from_args(args)?;
                Ok(self.entries().get(&key).cloned().or(default).unwrap_or_else(|| Value::from(())))
            }
            "items" | "iteritems" => {
                let pairs = self.entries().iter().map(|(k, v)| tuple(vec![k.clone(), v.clone()])).collect();
                Ok(list(pairs))
            }
            "keys" | "iterkeys" => Ok(list(self.entries().keys().cloned().collect())),
            "values" | "itervalues" => Ok(list(self.entries().values().cloned().collect())),
            "update" => {
                let (others, named): (Rest<Value>, Kwargs) = from_args(args)?;
                let mut more = Vec::new();
                for other in others.iter() {
                    more.extend(python::entries(other)?);
                }
                for name in named.args() {
                    more.push((Value::from(name), named.get(name)?));
                }
                if !spend(more.len()) {
                    return Err(exceeded());
                }
                for (_, item) in &more {
                    self.holds_not(item)?;
                }
                self.entries().extend(more);
                Ok(Value::from(()))
            }
            "setdefault" => {
                let (key, default): (Value, Option<Value>) = from_args(args)?;
                if let Some(default) = &default {
                    self.holds_not(default)?;
                }
                let mut entries = self.entries();
                Ok(entries.entry(key).or_insert_with(|| default.unwrap_or_else(|| Value::from(()))).clone())
            }
            "pop" => {
                let (key, default): (Value, Option<Value>) = from_args(args)?;
                let found = self.entries().shift_remove(&key).or(default);
                found.ok_or_else(|| {
                    Error::new(
                        ErrorKind::InvalidOperation,
                        format!("the dict has no key {} to pop", python::repr(&key)),
                    )
                })
            }
            "popitem" => {
                let last = self.entries().pop();
                last.map(|(k, v)| tuple(vec![k, v]))
                    .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "the dict is empty"))
            }
            "clear" => {
                self.entries().clear();
                Ok(Value::from(()))
            }
            "has_key" => {
                let (key,): (Value,) = from_args(args)?;
                Ok(Value::from(self.entries().contains_key(&key)))
            }
            "copy" => Ok(dict(self.entries().clone())),
            _ => {
                // A function or macro kept in a dict is called like a method.
                let held = self.entries().get(&Value::from(method)).cloned();
                match held {
                    Some(callable) => callable.call(state, args),
                    None => Err(unknown()),
                }
            }
        }
    }
}

/// The same value with every list and dict made changeable; strings and the like as they are.
pub fn mutable(value: &Value) -> Value {
    if value.downcast_object_ref::<List>().is_some() || value.downcast_object_ref::<Dict>().is_some() {
        return value.clone();
    }
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter().map_or_else(|_| value.clone(), |items| list(items.collect()))
        }
        ValueKind::Map => match python::entries(value) {
            Ok(entries) => dict(entries),
            Err(_) => value.clone(),
        },
        _ => value.clone(),
    }
}
