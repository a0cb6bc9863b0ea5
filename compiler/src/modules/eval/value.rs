//! Values of a call, and the memory they are paid from.
//!
//! Lists, maps and tuples lie in tables that go away as a whole when the call ends: values may hold each other in
//! circles and be nested as deep as they like without anything being taken apart one inside the other.

use super::{Run, fault};
use indexmap::IndexMap;
use std::{
    cell::Cell,
    hash::{Hash, Hasher},
    rc::Rc,
};

/// A value. Lists, maps, tuples and functions are numbers in the call's tables.
#[derive(Clone)]
pub enum V {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Text),
    List(usize),
    Dict(usize),
    Tuple(usize),
    /// First, end, step.
    Range(Rc<(i64, i64, i64)>),
    Function(usize),
    Builtin(&'static str),
    /// A namespace and, for its function, the member.
    Namespace(&'static str, Option<&'static str>),
}

impl V {
    /// What `type` says.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "string",
            Self::List(_) => "list",
            Self::Dict(_) => "dict",
            Self::Tuple(_) => "tuple",
            Self::Range(_) => "range",
            Self::Function(_) | Self::Builtin(_) | Self::Namespace(_, Some(_)) => "function",
            Self::Namespace(_, None) => "namespace",
        }
    }
}

/// A text that is paid for while it lives.
#[derive(Clone)]
pub struct Text(Rc<Paid>);

struct Paid {
    text: Box<str>,
    used: Rc<Cell<usize>>,
}

impl Drop for Paid {
    fn drop(&mut self) {
        self.used.set(self.used.get().saturating_sub(self.text.len() + TEXT_BYTES));
    }
}

impl std::ops::Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0.text
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Text {}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

/// A key of a map.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Key {
    None,
    Bool(bool),
    Int(i64),
    Str(Text),
    Tuple(Vec<Key>),
}

/// A list, and how many loops go over it.
#[derive(Default)]
pub struct List {
    pub items: Vec<V>,
    pub busy: u32,
}

/// A map, and how many loops go over it.
#[derive(Default)]
pub struct Dict {
    pub entries: IndexMap<Key, V>,
    pub busy: u32,
}

/// What a text costs beside its bytes.
const TEXT_BYTES: usize = 48;

/// What an element of a list or a tuple costs.
const ITEM_BYTES: usize = 24;

/// What an entry of a map costs.
const ENTRY_BYTES: usize = 96;

/// The call's memory.
pub struct Heap {
    used: Rc<Cell<usize>>,
    limit: usize,
    pub lists: Vec<List>,
    pub dicts: Vec<Dict>,
    pub tuples: Vec<Vec<V>>,
    /// Lists and maps below these numbers were made when a module was loaded, and do not change any more.
    frozen: (usize, usize),
}

impl Heap {
    pub fn new(limit: usize) -> Self {
        Self {
            used: Rc::default(),
            limit,
            lists: Vec::new(),
            dicts: Vec::new(),
            tuples: Vec::new(),
            frozen: (0, 0),
        }
    }

    /// Pays for memory that is about to be taken.
    pub fn pay(&self, bytes: usize) -> Run<()> {
        let used = self.used.get().saturating_add(bytes);
        if used > self.limit {
            return fault(format!("The module needs more than {} MiB of memory", self.limit >> 20));
        }
        self.used.set(used);
        Ok(())
    }

    /// Pays for a number of elements that are about to be put somewhere.
    pub fn pay_items(&self, count: usize) -> Run<()> {
        self.pay(count.saturating_mul(ITEM_BYTES))
    }

    /// What may still be taken.
    pub fn left(&self) -> usize {
        self.limit.saturating_sub(self.used.get())
    }

    /// Takes back what was paid for something that is gone.
    pub fn give_back(&self, bytes: usize) {
        self.used.set(self.used.get().saturating_sub(bytes));
    }

    /// Fails where a text of this length would not be paid for; before it is put together.
    pub fn afford(&self, bytes: usize) -> Run<()> {
        let before = self.used.get();
        self.pay(bytes)?;
        self.used.set(before);
        Ok(())
    }

    pub fn text(&self, text: impl Into<Box<str>>) -> Run<V> {
        let text = text.into();
        self.pay(text.len() + TEXT_BYTES)?;
        Ok(V::Str(Text(Rc::new(Paid { text, used: self.used.clone() }))))
    }

    pub fn list(&mut self, items: Vec<V>) -> Run<V> {
        self.pay(items.len().saturating_mul(ITEM_BYTES) + 2 * TEXT_BYTES)?;
        self.lists.push(List { items, busy: 0 });
        Ok(V::List(self.lists.len() - 1))
    }

    pub fn tuple(&mut self, items: Vec<V>) -> Run<V> {
        self.pay(items.len().saturating_mul(ITEM_BYTES) + TEXT_BYTES)?;
        self.tuples.push(items);
        Ok(V::Tuple(self.tuples.len() - 1))
    }

    pub fn dict(&mut self, entries: IndexMap<Key, V>) -> Run<V> {
        self.pay(entries.len().saturating_mul(ENTRY_BYTES) + 2 * TEXT_BYTES)?;
        self.dicts.push(Dict { entries, busy: 0 });
        Ok(V::Dict(self.dicts.len() - 1))
    }

    /// Puts an entry into a map.
    pub fn insert(&mut self, dict: usize, key: Key, value: V) -> Run<()> {
        if !self.dicts[dict].entries.contains_key(&key) {
            self.pay(ENTRY_BYTES)?;
            // An entry more or less moves the others under a loop.
            self.changing_dict(dict)?;
        } else if dict < self.frozen.1 {
            return frozen();
        }
        self.dicts[dict].entries.insert(key, value);
        Ok(())
    }

    /// The items of a list that is about to change.
    pub fn changing_list(&mut self, list: usize) -> Run<&mut Vec<V>> {
        if list < self.frozen.0 {
            return frozen();
        }
        let list = &mut self.lists[list];
        if list.busy > 0 {
            return fault("A list cannot change while a loop goes over it");
        }
        Ok(&mut list.items)
    }

    /// The entries of a map that is about to change.
    pub fn changing_dict(&mut self, dict: usize) -> Run<&mut IndexMap<Key, V>> {
        if dict < self.frozen.1 {
            return frozen();
        }
        let dict = &mut self.dicts[dict];
        if dict.busy > 0 {
            return fault("A map cannot change while a loop goes over it");
        }
        Ok(&mut dict.entries)
    }

    /// From now on nothing that is there changes.
    pub fn freeze(&mut self) {
        self.frozen = (self.lists.len(), self.dicts.len());
    }

    /// A value as a key.
    pub fn key(&self, value: &V) -> Run<Key> {
        self.key_at(value, 0)
    }

    fn key_at(&self, value: &V, depth: usize) -> Run<Key> {
        match value {
            V::None => Ok(Key::None),
            V::Bool(b) => Ok(Key::Bool(*b)),
            V::Int(i) => Ok(Key::Int(*i)),
            V::Str(text) => Ok(Key::Str(text.clone())),
            V::Tuple(tuple) if depth < 8 => {
                let items = &self.tuples[*tuple];
                self.pay_items(items.len())?;
                items.iter().map(|item| self.key_at(item, depth + 1)).collect::<Run<_>>().map(Key::Tuple)
            }
            other => fault(format!("A {} cannot be a key", other.kind())),
        }
    }

    /// A key as a value.
    pub fn of_key(&mut self, key: &Key) -> Run<V> {
        Ok(match key {
            Key::None => V::None,
            Key::Bool(b) => V::Bool(*b),
            Key::Int(i) => V::Int(*i),
            Key::Str(text) => V::Str(text.clone()),
            Key::Tuple(keys) => {
                let items = keys.iter().map(|key| self.of_key(key)).collect::<Run<_>>()?;
                self.tuple(items)?
            }
        })
    }
}

fn frozen<T>() -> Run<T> {
    fault("What a module makes when it is loaded cannot change; make it in the function")
}
