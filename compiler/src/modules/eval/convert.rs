//! Between the values of a call and those of the language.

use super::{
    Run, fault,
    value::{Heap, Key, V},
};
use crate::types::{Map, Type, Value};
use indexmap::IndexMap;

/// How deep a value may be nested that comes from, or goes to, outside.
const MAX_NESTED: usize = 64;

/// A value from outside.
pub fn from_value(heap: &mut Heap, value: &Value, depth: usize) -> Run<V> {
    if depth > MAX_NESTED {
        return fault(format!("A value is nested more than {MAX_NESTED} deep"));
    }
    Ok(match value {
        Value::Null => V::None,
        Value::Bool(b) => V::Bool(*b),
        Value::Int(i) => V::Int(*i),
        Value::Float(f) => V::Float(*f),
        Value::Str(text) => heap.text(text.as_str())?,
        Value::List(items) => {
            let items =
                items.iter().map(|item| from_value(heap, item, depth + 1)).collect::<Run<Vec<V>>>()?;
            heap.list(items)?
        }
        Value::Map(map) => {
            let mut entries = IndexMap::with_capacity(map.len());
            for (key, value) in map {
                let key = heap.text(key.as_str())?;
                let value = from_value(heap, value, depth + 1)?;
                entries.insert(heap.key(&key)?, value);
            }
            heap.dict(entries)?
        }
    })
}

/// A value for outside, of at most so many bytes.
pub fn to_value(heap: &Heap, value: &V, depth: usize, budget: &mut usize) -> Run<Value> {
    if depth > MAX_NESTED {
        return fault(format!("A value is nested more than {MAX_NESTED} deep, or in a circle"));
    }
    let mut pay = |bytes: usize| match budget.checked_sub(bytes) {
        Some(left) => {
            *budget = left;
            Ok(())
        }
        None => fault("A value is too large to be given out"),
    };
    pay(32)?;
    Ok(match value {
        V::None => Value::Null,
        V::Bool(b) => Value::Bool(*b),
        V::Int(i) => Value::Int(*i),
        V::Float(f) => Value::Float(*f),
        V::Str(text) => {
            pay(text.len())?;
            Value::from(&**text)
        }
        V::List(list) => of_items(heap, &heap.lists[*list].items, depth, budget)?,
        V::Tuple(tuple) => of_items(heap, &heap.tuples[*tuple], depth, budget)?,
        V::Range(range) => {
            let count = super::operate::range_length(range);
            pay(count.saturating_mul(32))?;
            Value::List(
                (0..count).filter_map(|at| super::operate::range_at(range, at)).map(Value::Int).collect(),
            )
        }
        V::Dict(dict) => {
            let mut map = Map::new();
            for (key, value) in &heap.dicts[*dict].entries {
                let key = match key {
                    Key::Str(text) => text.to_string(),
                    Key::Int(number) => number.to_string(),
                    Key::Bool(b) => b.to_string(),
                    Key::None | Key::Tuple(_) => {
                        return fault("The keys of a map that is given out are text");
                    }
                };
                let value = to_value(heap, value, depth + 1, budget)?;
                map.insert(key, value);
            }
            Value::Map(map)
        }
        V::Function(_) | V::Builtin(_) | V::Namespace(..) => {
            return fault(format!("A {} cannot be given out", value.kind()));
        }
    })
}

fn of_items(heap: &Heap, items: &[V], depth: usize, budget: &mut usize) -> Run<Value> {
    items.iter().map(|item| to_value(heap, item, depth + 1, budget)).collect::<Run<_>>().map(Value::List)
}

/// Whether a value has a type.
pub fn fits(heap: &Heap, value: &V, ty: &Type, depth: usize) -> bool {
    if depth > MAX_NESTED {
        return true;
    }
    match (ty, value) {
        (Type::Any, _)
        | (Type::Null, V::None)
        | (Type::Bool, V::Bool(_))
        | (Type::Int { .. }, V::Int(_))
        | (Type::Float, V::Float(_) | V::Int(_))
        | (Type::Str, V::Str(_)) => true,
        (Type::List(inner), V::List(list)) => {
            **inner == Type::Any
                || heap.lists[*list].items.iter().all(|item| fits(heap, item, inner, depth + 1))
        }
        (Type::Map(inner), V::Dict(dict)) => {
            **inner == Type::Any
                || heap.dicts[*dict].entries.values().all(|item| fits(heap, item, inner, depth + 1))
        }
        (Type::Secret(inner), value) => fits(heap, value, inner, depth + 1),
        (Type::Union(members), value) => members.iter().any(|member| fits(heap, value, member, depth + 1)),
        _ => false,
    }
}

/// What a value is, for messages.
pub fn described(value: &V) -> &'static str {
    match value {
        V::None => "nothing",
        V::Bool(_) => "a boolean",
        V::Int(_) => "an integer",
        V::Float(_) => "a number",
        V::Str(_) => "text",
        V::List(_) => "a list",
        V::Dict(_) => "a map",
        V::Tuple(_) => "a tuple",
        V::Range(_) => "a range",
        V::Function(_) | V::Builtin(_) | V::Namespace(..) => "a function",
    }
}
