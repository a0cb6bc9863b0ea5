//! Lists, maps and records.

use super::{DecodeError, Decoder, UNKNOWN_VALUE, WRONG_TYPE, found};
use crate::{
    diagnostic::nearest,
    syntax::{Mapping, Node, NodeKind, Sequence},
    types::{Map, Type, Value},
};

impl Decoder<'_> {
    pub(super) fn sequence(
        &mut self,
        ty: &Type,
        node: &Node,
        sequence: &Sequence,
        depth: usize,
    ) -> Result<Option<Value>, DecodeError> {
        let known = sequence.splices.is_empty();
        let inner = match ty {
            Type::List(inner) => inner,
            Type::Any => &Type::Any,
            // Salt's repeated maps: `- env: [{A: 1}, {B: 2}]`.
            Type::Map(_) | Type::Record(_) if is_list_of_maps(sequence) => {
                return self.merged(ty, sequence, depth);
            }
            _ => {
                let error = DecodeError::wrong(ty, "a list", node.span);
                return Err(match sequence.items.as_slice() {
                    [_] if known => error.help("write the value itself, without `-`"),
                    _ => error,
                });
            }
        };
        let mut list = known.then(|| Vec::with_capacity(sequence.items.len()));
        for item in &sequence.items {
            match self.node(inner, item, depth + 1)? {
                Some(value) => list.iter_mut().for_each(|list| list.push(value.clone())),
                None => list = None,
            }
        }
        Ok(list.map(Value::List))
    }

    fn merged(&mut self, ty: &Type, sequence: &Sequence, depth: usize) -> Result<Option<Value>, DecodeError> {
        let mut whole = Mapping::default();
        for item in &sequence.items {
            if let Some(mapping) = item.as_mapping() {
                whole.entries.extend(mapping.entries.iter().cloned());
                whole.splices.extend(mapping.splices.iter().cloned());
            }
        }
        whole.splices.extend(sequence.splices.iter().cloned());
        let span = sequence.items.first().map(|i| i.span);
        let Some(span) = span else { return Ok(Some(Value::Map(Map::new()))) };
        let node = Node { span, kind: NodeKind::Mapping(whole), tag: None };
        self.node(ty, &node, depth + 1)
    }

    pub(super) fn mapping(
        &mut self,
        ty: &Type,
        node: &Node,
        mapping: &Mapping,
        depth: usize,
    ) -> Result<Option<Value>, DecodeError> {
        match ty {
            Type::Any => self.entries(&Type::Any, mapping, depth),
            Type::Map(inner) => self.entries(inner, mapping, depth),
            Type::Record(fields) => self.record(ty, fields, node, mapping, depth),
            Type::List(inner) => {
                let item = self.node(inner, node, depth + 1)?;
                Ok(item.map(|v| Value::List(vec![v])))
            }
            _ => {
                let error = DecodeError::wrong(ty, "a map", node.span);
                Err(match mapping.entries.first().and_then(|e| e.key.text()) {
                    Some(key) if mapping.entries.len() == 1 && !mapping.flow => {
                        error.help(format!("text with a colon in it, such as `{key}: …`, needs quotes"))
                    }
                    _ => error,
                })
            }
        }
    }

    fn entries(
        &mut self,
        inner: &Type,
        mapping: &Mapping,
        depth: usize,
    ) -> Result<Option<Value>, DecodeError> {
        let mut map = mapping.splices.is_empty().then(Map::new);
        let mut merged = Vec::new();
        for entry in &mapping.entries {
            let value = self.node(inner, &entry.value, depth + 1)?;
            match (entry.key.text(), value) {
                (Some(key), Some(value))
                    if key == "<<" && matches!(value, Value::Map(_) | Value::List(_)) =>
                {
                    merged.push(value);
                }
                (Some(key), Some(value)) => {
                    if let Some(map) = &mut map {
                        map.insert(key.into_owned(), value);
                    }
                }
                _ => map = None,
            }
        }
        if let Some(map) = &mut map {
            for value in merged {
                merge_key(map, value);
            }
        }
        Ok(map.map(Value::Map))
    }

    fn record(
        &mut self,
        ty: &Type,
        fields: &[(String, Type, bool)],
        node: &Node,
        mapping: &Mapping,
        depth: usize,
    ) -> Result<Option<Value>, DecodeError> {
        let mut map = Map::new();
        let mut known = mapping.splices.is_empty();
        for entry in &mapping.entries {
            let Some(key) = entry.key.text() else {
                known = false;
                continue;
            };
            let Some((name, inner, _)) = fields.iter().find(|(name, ..)| *name == key) else {
                let mut error = DecodeError::new(
                    &UNKNOWN_VALUE,
                    ty,
                    entry.key.span,
                    format!("there is no key `{key}` here"),
                );
                let names = fields.iter().map(|(name, ..)| name.as_str());
                error.replacement = nearest(&key, names.clone()).map(str::to_owned);
                error.help = Some(match nearest(&key, names.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => {
                        let names: Vec<String> = names.map(|n| format!("`{n}`")).collect();
                        format!("the keys are {}", names.join(", "))
                    }
                });
                return Err(error);
            };
            match self.node(inner, &entry.value, depth + 1)? {
                Some(value) => {
                    map.insert(name.clone(), value);
                }
                None => known = false,
            }
        }
        if !known {
            return Ok(None);
        }
        if let Some((name, ..)) =
            fields.iter().find(|(name, _, optional)| !optional && !map.contains_key(name))
        {
            let message = format!("expected the key `{name}`, found {}", found(node));
            return Err(DecodeError::new(&WRONG_TYPE, ty, node.span, message));
        }
        Ok(Some(Value::Map(map)))
    }
}

/// YAML's merge key: what is there already wins.
fn merge_key(map: &mut Map, value: Value) {
    match value {
        Value::Map(other) => {
            for (key, value) in other {
                map.entry(key).or_insert(value);
            }
        }
        Value::List(maps) => maps.into_iter().for_each(|m| merge_key(map, m)),
        _ => {}
    }
}

fn is_list_of_maps(sequence: &Sequence) -> bool {
    sequence.items.iter().all(|i| matches!(i.kind, NodeKind::Mapping(_)))
}
