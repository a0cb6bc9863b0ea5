//! Operators, comparison, indices.

use super::{Run, fault, run::Interpreter, value::V};
use starlark_syntax::syntax::ast::BinOp;
use std::cmp::Ordering;

/// How deep values are compared.
const MAX_NESTED: usize = 64;

/// A result that does not fit.
pub fn overflow<T>() -> Run<T> {
    fault("The number is too large: integers have 64 bits")
}

/// The element of a range.
pub fn range_at(range: &(i64, i64, i64), at: usize) -> Option<i64> {
    let value = i128::from(range.0) + i128::try_from(at).ok()? * i128::from(range.2);
    let inside = if range.2 > 0 { value < i128::from(range.1) } else { value > i128::from(range.1) };
    inside.then(|| i64::try_from(value).ok()).flatten()
}

/// How many elements a range has.
pub fn range_length(range: &(i64, i64, i64)) -> usize {
    let (from, to, step) = (i128::from(range.0), i128::from(range.1), i128::from(range.2));
    let count = if step > 0 { (to - from + step - 1) / step } else { (from - to - step - 1) / -step };
    usize::try_from(count.max(0)).unwrap_or(usize::MAX)
}

impl Interpreter<'_> {
    /// What a condition makes of a value.
    pub fn truth(&self, value: &V) -> bool {
        match value {
            V::None => false,
            V::Bool(b) => *b,
            V::Int(i) => *i != 0,
            V::Float(f) => *f != 0.0,
            V::Str(text) => !text.is_empty(),
            other => self.length(other) != Some(0),
        }
    }

    /// How many elements a value has; `None` where it has none.
    pub fn length(&self, value: &V) -> Option<usize> {
        Some(match value {
            V::Str(text) => text.chars().count(),
            V::List(list) => self.heap.lists[*list].items.len(),
            V::Dict(dict) => self.heap.dicts[*dict].entries.len(),
            V::Tuple(tuple) => self.heap.tuples[*tuple].len(),
            V::Range(range) => range_length(range),
            _ => return None,
        })
    }

    pub fn operate(&mut self, operator: BinOp, left: &V, right: &V) -> Run<V> {
        match operator {
            BinOp::Equal => return Ok(V::Bool(self.equal(left, right)?)),
            BinOp::NotEqual => return Ok(V::Bool(!self.equal(left, right)?)),
            BinOp::Less => return Ok(V::Bool(self.compare(left, right)? == Ordering::Less)),
            BinOp::Greater => return Ok(V::Bool(self.compare(left, right)? == Ordering::Greater)),
            BinOp::LessOrEqual => return Ok(V::Bool(self.compare(left, right)? != Ordering::Greater)),
            BinOp::GreaterOrEqual => return Ok(V::Bool(self.compare(left, right)? != Ordering::Less)),
            BinOp::In => return Ok(V::Bool(self.contains(right, left)?)),
            BinOp::NotIn => return Ok(V::Bool(!self.contains(right, left)?)),
            BinOp::And | BinOp::Or => return fault("`and` and `or` are no operations on values"),
            _ => {}
        }
        match (operator, left, right) {
            (_, V::Int(a), V::Int(b)) => integers(operator, *a, *b),
            (_, V::Float(a), V::Float(b)) => floats(operator, *a, *b),
            (_, V::Int(a), V::Float(b)) => floats(operator, *a as f64, *b),
            (_, V::Float(a), V::Int(b)) => floats(operator, *a, *b as f64),
            (BinOp::Add, V::Str(a), V::Str(b)) => {
                self.work((a.len() + b.len()) / 16)?;
                self.heap.afford(a.len() + b.len())?;
                self.heap.text(format!("{}{}", &**a, &**b))
            }
            (BinOp::Add, V::List(_), V::List(_)) => {
                let mut items = self.items(left)?;
                items.extend(self.items(right)?);
                self.heap.list(items)
            }
            (BinOp::Add, V::Tuple(_), V::Tuple(_)) => {
                let mut items = self.items(left)?;
                items.extend(self.items(right)?);
                self.heap.tuple(items)
            }
            (BinOp::Multiply, V::Str(text), V::Int(times))
            | (BinOp::Multiply, V::Int(times), V::Str(text)) => {
                let times = usize::try_from(*times).unwrap_or(0);
                let length = text.len().saturating_mul(times);
                self.heap.afford(length)?;
                self.work(length / 16)?;
                self.heap.text(text.repeat(times))
            }
            (BinOp::Multiply, value @ (V::List(_) | V::Tuple(_)), V::Int(times))
            | (BinOp::Multiply, V::Int(times), value @ (V::List(_) | V::Tuple(_))) => {
                let times = usize::try_from(*times).unwrap_or(0);
                let items = self.items(value)?;
                let length = items.len().saturating_mul(times);
                self.heap.afford(length.saturating_mul(32))?;
                self.work(length / 8)?;
                let mut all = Vec::with_capacity(length);
                (0..times).for_each(|_| all.extend(items.iter().cloned()));
                if matches!(value, V::List(_)) { self.heap.list(all) } else { self.heap.tuple(all) }
            }
            (BinOp::Percent, V::Str(format), value) => self.percent(&format.clone(), value),
            (BinOp::BitOr, V::Dict(a), V::Dict(b)) => {
                let (a, b) = (&self.heap.dicts[*a].entries, &self.heap.dicts[*b].entries);
                let count = a.len() + b.len();
                self.heap.afford(count.saturating_mul(96))?;
                let mut entries = a.clone();
                entries.extend(b.iter().map(|(key, value)| (key.clone(), value.clone())));
                self.work(count / 4)?;
                self.heap.dict(entries)
            }
            _ => fault(format!(
                "A {} and a {} have no `{}`",
                left.kind(),
                right.kind(),
                operator.to_string().trim()
            )),
        }
    }

    /// Whether two values are the same.
    pub fn equal(&mut self, a: &V, b: &V) -> Run<bool> {
        self.equal_at(a, b, 0)
    }

    fn equal_at(&mut self, a: &V, b: &V, depth: usize) -> Run<bool> {
        if depth > MAX_NESTED {
            return fault("The values are nested too deep to be compared");
        }
        self.work(1)?;
        Ok(match (a, b) {
            (V::None, V::None) => true,
            (V::Bool(a), V::Bool(b)) => a == b,
            (V::Int(a), V::Int(b)) => a == b,
            (V::Float(a), V::Float(b)) => a.partial_cmp(b) == Some(Ordering::Equal),
            (V::Int(a), V::Float(b)) | (V::Float(b), V::Int(a)) => {
                (*a as f64).partial_cmp(b) == Some(Ordering::Equal)
            }
            (V::Str(a), V::Str(b)) => {
                self.work(a.len().min(b.len()) / 64)?;
                **a == **b
            }
            (V::List(a), V::List(b)) if a == b => true,
            (V::Dict(a), V::Dict(b)) if a == b => true,
            (V::List(_), V::List(_)) | (V::Tuple(_), V::Tuple(_)) => {
                if self.length(a) != self.length(b) {
                    return Ok(false);
                }
                let pairs = self.items(a)?.into_iter().zip(self.items(b)?);
                for (a, b) in pairs {
                    if !self.equal_at(&a, &b, depth + 1)? {
                        return Ok(false);
                    }
                }
                true
            }
            (V::Dict(a), V::Dict(b)) => {
                let (left, right) = (&self.heap.dicts[*a].entries, &self.heap.dicts[*b].entries);
                if left.len() != right.len() {
                    return Ok(false);
                }
                let count = left.len();
                let pairs: Vec<(V, Option<V>)> =
                    left.iter().map(|(key, value)| (value.clone(), right.get(key).cloned())).collect();
                self.work(count / 4)?;
                for (mine, theirs) in pairs {
                    match theirs {
                        Some(theirs) if self.equal_at(&mine, &theirs, depth + 1)? => {}
                        _ => return Ok(false),
                    }
                }
                true
            }
            (V::Range(a), V::Range(b)) => a == b,
            (V::Function(a), V::Function(b)) => a == b,
            (V::Builtin(a), V::Builtin(b)) => a == b,
            _ => false,
        })
    }

    /// The order of two values of one kind.
    pub fn compare(&mut self, a: &V, b: &V) -> Run<Ordering> {
        self.compare_at(a, b, 0)
    }

    fn compare_at(&mut self, a: &V, b: &V, depth: usize) -> Run<Ordering> {
        if depth > MAX_NESTED {
            return fault("The values are nested too deep to be compared");
        }
        self.work(1)?;
        let number = |value: &V| match value {
            V::Int(i) => Some(*i as f64),
            V::Float(f) => Some(*f),
            _ => None,
        };
        match (a, b) {
            (V::Int(a), V::Int(b)) => Ok(a.cmp(b)),
            (V::Bool(a), V::Bool(b)) => Ok(a.cmp(b)),
            (V::Str(a), V::Str(b)) => {
                self.work(a.len().min(b.len()) / 64)?;
                Ok((**a).cmp(&**b))
            }
            (V::List(_), V::List(_)) | (V::Tuple(_), V::Tuple(_)) => {
                let (left, right) = (self.items(a)?, self.items(b)?);
                for (a, b) in left.iter().zip(&right) {
                    match self.compare_at(a, b, depth + 1)? {
                        Ordering::Equal => {}
                        other => return Ok(other),
                    }
                }
                Ok(left.len().cmp(&right.len()))
            }
            _ => match (number(a), number(b)) {
                (Some(x), Some(y)) => Ok(x.total_cmp(&y)),
                _ => fault(format!("A {} and a {} have no order", a.kind(), b.kind())),
            },
        }
    }

    /// Whether a collection has an element, or a text another one in it.
    pub fn contains(&mut self, collection: &V, item: &V) -> Run<bool> {
        match (collection, item) {
            (V::Str(text), V::Str(part)) => {
                self.work(text.len() / 16)?;
                Ok(text.contains(&**part))
            }
            (V::Dict(dict), _) => {
                let key = self.heap.key(item)?;
                Ok(self.heap.dicts[*dict].entries.contains_key(&key))
            }
            (V::Range(range), V::Int(number)) => {
                let (from, step) = (i128::from(range.0), i128::from(range.2));
                let away = i128::from(*number) - from;
                Ok(away % step == 0 && away / step >= 0 && (away / step) < range_length(range) as i128)
            }
            (V::List(_) | V::Tuple(_), _) => {
                for element in self.items(collection)? {
                    if self.equal(&element, item)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            _ => fault(format!("Nothing can be `in` a {}", collection.kind())),
        }
    }

    /// `object[index]`
    pub fn index(&mut self, object: &V, index: &V) -> Run<V> {
        match (object, index) {
            (V::Dict(dict), _) => {
                let key = self.heap.key(index)?;
                match self.heap.dicts[*dict].entries.get(&key) {
                    Some(value) => Ok(value.clone()),
                    None => {
                        let shown = self.repr(index)?;
                        fault(format!("The map has no key {shown}"))
                    }
                }
            }
            (V::Str(text), V::Int(at)) => {
                self.work(text.len() / 16)?;
                let found = position(*at, text.chars().count()).and_then(|at| text.chars().nth(at));
                match found {
                    Some(letter) => self.heap.text(letter.to_string()),
                    None => fault(format!("The text has no letter {at}")),
                }
            }
            (V::List(_) | V::Tuple(_) | V::Range(_), V::Int(at)) => {
                let length = self.length(object).unwrap_or(0);
                let found = position(*at, length).and_then(|at| match object {
                    V::List(list) => self.heap.lists[*list].items.get(at).cloned(),
                    V::Tuple(tuple) => self.heap.tuples[*tuple].get(at).cloned(),
                    V::Range(range) => range_at(range, at).map(V::Int),
                    _ => None,
                });
                match found {
                    Some(value) => Ok(value),
                    None => fault(format!("There is no element {at} among {length}")),
                }
            }
            _ => fault(format!("A {} has no element at a {}", object.kind(), index.kind())),
        }
    }

    /// `object[index] = value`
    pub fn set_index(&mut self, object: &V, index: &V, value: V) -> Run<()> {
        match (object, index) {
            (V::Dict(dict), _) => {
                let key = self.heap.key(index)?;
                self.heap.insert(*dict, key, value)
            }
            (V::List(list), V::Int(at)) => {
                let items = self.heap.changing_list(*list)?;
                let length = items.len();
                match position(*at, length).and_then(|at| items.get_mut(at)) {
                    Some(item) => {
                        *item = value;
                        Ok(())
                    }
                    None => fault(format!("There is no element {at} among {length}")),
                }
            }
            _ => fault(format!("Elements of a {} cannot be set", object.kind())),
        }
    }

    /// `object[from:to:step]`
    pub fn slice(&mut self, object: &V, from: &V, to: &V, step: &V) -> Run<V> {
        let number = |bound: &V, what: &str| match bound {
            V::None => Ok(None),
            V::Int(number) => Ok(Some(*number)),
            other => fault(format!("The {what} of a slice is a number, not a {}", other.kind())),
        };
        let step = number(step, "step")?.unwrap_or(1);
        if step == 0 {
            return fault("A slice cannot go by steps of 0");
        }
        let Some(length) = self.length(object).filter(|_| !matches!(object, V::Dict(_))) else {
            return fault(format!("A {} has no slices", object.kind()));
        };
        self.work(length / 8)?;
        let (from, to) = (number(from, "beginning")?, number(to, "end")?);
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        let clamp = |bound: i64| {
            let bound = if bound < 0 { bound.saturating_add(length) } else { bound };
            if step > 0 { bound.clamp(0, length) } else { bound.clamp(-1, length - 1) }
        };
        let from = from.map_or(if step > 0 { 0 } else { length - 1 }, clamp);
        let to = to.map_or(if step > 0 { length } else { -1 }, clamp);
        let chosen = (from, to, step);
        let count = range_length(&chosen);
        let places = (0..count).filter_map(|at| usize::try_from(range_at(&chosen, at)?).ok());
        match object {
            V::Str(text) => {
                let letters: Vec<char> = text.chars().collect();
                let cut: String = places.filter_map(|at| letters.get(at)).collect();
                self.heap.text(cut)
            }
            V::Tuple(_) => {
                let items = self.items(object)?;
                let cut = places.filter_map(|at| items.get(at).cloned()).collect();
                self.heap.tuple(cut)
            }
            _ => {
                let items = self.items(object)?;
                let cut = places.filter_map(|at| items.get(at).cloned()).collect();
                self.heap.list(cut)
            }
        }
    }
}

/// A place counted from the beginning, or from the end where it is negative.
pub fn position(at: i64, length: usize) -> Option<usize> {
    let at = if at < 0 { at.checked_add(i64::try_from(length).ok()?)? } else { at };
    usize::try_from(at).ok().filter(|at| *at < length)
}

fn integers(operator: BinOp, a: i64, b: i64) -> Run<V> {
    let number = match operator {
        BinOp::Add => a.checked_add(b),
        BinOp::Subtract => a.checked_sub(b),
        BinOp::Multiply => a.checked_mul(b),
        BinOp::Divide | BinOp::FloorDivide | BinOp::Percent if b == 0 => {
            return fault("A number is divided by 0");
        }
        BinOp::Divide => return Ok(V::Float(a as f64 / b as f64)),
        // Towards minus infinity, as in Python.
        BinOp::FloorDivide => {
            a.checked_div(b).map(|q| if a % b != 0 && (a < 0) != (b < 0) { q - 1 } else { q })
        }
        BinOp::Percent => a.checked_rem(b).map(|r| if r != 0 && (r < 0) != (b < 0) { r + b } else { r }),
        BinOp::BitAnd => Some(a & b),
        BinOp::BitOr => Some(a | b),
        BinOp::BitXor => Some(a ^ b),
        BinOp::LeftShift => u32::try_from(b).ok().filter(|b| *b < 63).and_then(|b| a.checked_mul(1_i64 << b)),
        BinOp::RightShift => u32::try_from(b).ok().map(|b| a >> b.min(63)),
        _ => return fault("These numbers have no such operation"),
    };
    number.map_or_else(overflow, |number| Ok(V::Int(number)))
}

fn floats(operator: BinOp, a: f64, b: f64) -> Run<V> {
    Ok(V::Float(match operator {
        BinOp::Add => a + b,
        BinOp::Subtract => a - b,
        BinOp::Multiply => a * b,
        BinOp::Divide | BinOp::FloorDivide | BinOp::Percent if b == 0.0 => {
            return fault("A number is divided by 0");
        }
        BinOp::Divide => a / b,
        BinOp::FloorDivide => (a / b).floor(),
        BinOp::Percent => a - b * (a / b).floor(),
        _ => return fault(format!("Numbers with fractions have no `{}`", operator.to_string().trim())),
    }))
}
