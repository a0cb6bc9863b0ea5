//! Filters of lists and dicts, and defaults.

use super::{failure, flag};
use crate::template::{environment::plain_text, mutable, python};
use minijinja::{
    Environment, Error, ErrorKind, State, Value,
    value::{Kwargs, Rest, ValueKind},
};

fn unique(items: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let mut seen = std::collections::HashSet::new();
    items.into_iter().filter(|item| seen.insert(item.clone())).collect()
}

fn both(a: &Value, b: &Value) -> Result<(Vec<Value>, Vec<Value>), Error> {
    Ok((python::items(a)?, python::items(b)?))
}

pub(super) fn register(env: &mut Environment<'static>) {
    for name in ["default", "d"] {
        env.add_filter(
            name,
            |v: &Value,
             other: Option<Value>,
             boolean: Option<Value>,
             named: Kwargs|
             -> Result<Value, Error> {
                let other = other
                    .or(named.get("default_value")?)
                    .or(named.get("default")?)
                    .unwrap_or_else(|| Value::from(""));
                let boolean = flag(boolean.or(named.get("boolean")?), false);
                named.assert_all_used()?;
                Ok(if v.is_undefined() || (boolean && !v.is_true()) { other } else { v.clone() })
            },
        );
    }
    env.add_filter("list", |v: &Value| -> Result<Value, Error> {
        Ok(match v.as_str() {
            Some(text) => mutable::list(text.chars().map(|c| Value::from(c.to_string())).collect()),
            None => mutable::list(python::items(v)?),
        })
    });
    for name in [
        "unique",
        "sort",
        "map",
        "select",
        "reject",
        "selectattr",
        "rejectattr",
        "reverse",
        "batch",
        "slice",
        "zip",
    ] {
        // minijinja's own, with a result that can be changed.
        wrap(env, name);
    }
    env.add_filter("dictsort", |v: &Value, named: Kwargs| -> Result<Value, Error> {
        let by: Option<String> = named.get("by")?;
        let reverse = flag(named.get("reverse")?, false);
        let sensitive = flag(named.get("case_sensitive")?, false);
        named.assert_all_used()?;
        let by_value = by.as_deref() == Some("value");
        let mut entries = python::entries(v)?;
        let fold = |v: &Value| {
            v.as_str().filter(|_| !sensitive).map_or_else(|| v.clone(), |s| Value::from(s.to_lowercase()))
        };
        entries
            .sort_by(|a, b| if by_value { fold(&a.1).cmp(&fold(&b.1)) } else { fold(&a.0).cmp(&fold(&b.0)) });
        if reverse {
            entries.reverse();
        }
        Ok(mutable::list(
            entries
                .into_iter()
                .map(|(k, v)| Value::from(minijinja::value::Tuple::from(vec![k, v])))
                .collect(),
        ))
    });
    env.add_filter("items", |v: &Value| -> Result<Value, Error> {
        if v.is_undefined() {
            return Ok(mutable::list(Vec::new()));
        }
        let pairs = python::entries(v)?
            .into_iter()
            .map(|(k, v)| Value::from(minijinja::value::Tuple::from(vec![k, v])));
        Ok(mutable::list(pairs.collect()))
    });
    env.add_filter("keys", |v: &Value| -> Result<Value, Error> {
        Ok(mutable::list(python::entries(v)?.into_iter().map(|e| e.0).collect()))
    });
    env.add_filter("values", |v: &Value| -> Result<Value, Error> {
        Ok(mutable::list(python::entries(v)?.into_iter().map(|e| e.1).collect()))
    });
    env.add_filter(
        "join",
        |v: &Value,
         separator: Option<Value>,
         attribute: Option<String>,
         named: Kwargs|
         -> Result<String, Error> {
            let separator = separator.or(named.get("d")?).map_or(String::new(), |s| plain_text(&s));
            let attribute = attribute.or(named.get("attribute")?);
            let items: Vec<Value> = match v.as_str() {
                Some(text) => text.chars().map(|c| Value::from(c.to_string())).collect(),
                None => python::items(v)?,
            };
            let mut texts = Vec::with_capacity(items.len());
            for item in items {
                let item = match &attribute {
                    Some(name) => item.get_attr(name)?,
                    None => item,
                };
                if item.is_undefined() {
                    return Err(Error::new(ErrorKind::UndefinedError, "an item to be joined is undefined"));
                }
                texts.push(python::text(&item));
            }
            Ok(texts.join(&separator))
        },
    );
    env.add_filter("traverse", |v: &Value, path: &str, default: Option<Value>, delimiter: Option<String>| {
        let delimiter = delimiter.unwrap_or_else(|| ":".to_owned());
        let mut at = v.clone();
        for key in path.split(delimiter.as_str()) {
            let next = match key.parse::<usize>() {
                Ok(index) if at.kind() == ValueKind::Seq => at.get_item_by_index(index),
                _ => at.get_attr(key),
            };
            match next {
                Ok(found) if !found.is_undefined() => at = found,
                _ => return default.unwrap_or_else(|| mutable::dict([])),
            }
        }
        at
    });
    env.add_filter("sequence", |v: &Value| match v.kind() {
        ValueKind::Seq | ValueKind::Iterable => v.clone(),
        _ => mutable::list(vec![v.clone()]),
    });
    env.add_filter("union", |a: &Value, b: &Value| {
        both(a, b).map(|(a, b)| mutable::list(unique(a.into_iter().chain(b))))
    });
    env.add_filter("intersect", |a: &Value, b: &Value| {
        both(a, b).map(|(a, b)| mutable::list(unique(a.into_iter().filter(|i| b.contains(i)))))
    });
    env.add_filter("difference", |a: &Value, b: &Value| {
        both(a, b).map(|(a, b)| mutable::list(unique(a.into_iter().filter(|i| !b.contains(i)))))
    });
    env.add_filter("symmetric_difference", |a: &Value, b: &Value| {
        both(a, b).map(|(a, b)| {
            let left: Vec<Value> = a.iter().filter(|i| !b.contains(i)).cloned().collect();
            mutable::list(unique(left.into_iter().chain(b.iter().filter(|i| !a.contains(i)).cloned())))
        })
    });
    env.add_filter("flatten", |v: &Value, levels: Option<usize>| -> Result<Value, Error> {
        let mut out = Vec::new();
        flatten(v, levels.unwrap_or(32), &mut out)?;
        Ok(mutable::list(out))
    });
    for name in ["combine", "merge"] {
        env.add_filter(name, |v: &Value, others: Rest<Value>, named: Kwargs| -> Result<Value, Error> {
            let recursive = flag(named.get("recursive")?, false);
            let mut entries = python::entries(v)?;
            for other in others.iter() {
                merge(&mut entries, python::entries(other)?, recursive, 0)?;
            }
            Ok(mutable::dict(entries))
        });
    }
    env.add_filter("avg", |v: &Value| -> Result<f64, Error> {
        let numbers: Vec<f64> = python::items(v)?
            .into_iter()
            .map(|n| f64::try_from(n).map_err(|_| failure("`avg` takes numbers")))
            .collect::<Result<_, _>>()?;
        Ok(numbers.iter().sum::<f64>() / numbers.len().max(1) as f64)
    });
    env.add_filter("exactly_n_true", |v: &Value, n: usize| -> Result<bool, Error> {
        Ok(python::items(v)?.iter().filter(|i| i.is_true()).count() == n)
    });
    env.add_filter("exactly_one_true", |v: &Value| -> Result<bool, Error> {
        Ok(python::items(v)?.iter().filter(|i| i.is_true()).count() == 1)
    });
    env.add_filter("is_list", |v: &Value| v.kind() == ValueKind::Seq);
    env.add_filter("is_iter", |v: &Value| {
        matches!(v.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::Map)
    });
    env.add_filter("is_sorted", |v: &Value| -> Result<bool, Error> { Ok(python::items(v)?.is_sorted()) });
    env.add_filter("sorted_ignorecase", |v: &Value| -> Result<Value, Error> {
        let mut items = python::items(v)?;
        items.sort_by_key(|i| plain_text(i).to_lowercase());
        Ok(mutable::list(items))
    });
    env.add_filter("substring_in_list", |v: &Value, list: &Value| -> Result<bool, Error> {
        let text = plain_text(v);
        Ok(python::items(list)?.iter().any(|i| plain_text(i).contains(&text)))
    });
    env.add_filter(
        "check_whitelist_blacklist",
        |v: &Value, whitelist: Option<Value>, blacklist: Option<Value>| {
            let text = plain_text(v);
            let any = |list: &Option<Value>| {
                list.as_ref().filter(|l| l.is_true()).map(|l| {
                    let patterns = if l.kind() == ValueKind::Seq {
                        python::items(l).unwrap_or_default()
                    } else {
                        vec![l.clone()]
                    };
                    patterns.iter().any(|p| crate::target::Glob::lenient(&plain_text(p)).matches(&text))
                })
            };
            !any(&blacklist).unwrap_or(false) && any(&whitelist).unwrap_or(true)
        },
    );
    env.add_filter("compare_lists", |a: &Value, b: &Value| {
        both(a, b).map(|(a, b)| {
            let mut changes = Vec::new();
            for (index, (old, new)) in a.iter().zip(&b).enumerate() {
                if old != new {
                    changes.push((
                        Value::from(index as i64),
                        mutable::dict([("old".into(), old.clone()), ("new".into(), new.clone())]),
                    ));
                }
            }
            mutable::dict(changes)
        })
    });
    env.add_filter("to_entries", |v: &Value| -> Result<Value, Error> {
        let entries = python::entries(v)?;
        Ok(mutable::list(
            entries
                .into_iter()
                .map(|(k, v)| mutable::dict([("key".into(), k), ("value".into(), v)]))
                .collect(),
        ))
    });
    env.add_filter("method_call", |state: &mut State<'_, '_>, v: &Value, name: &str, args: Rest<Value>| {
        v.call_method(state, name, &args)
    });
    env.add_test("sameas", |a: &Value, b: &Value| a.kind() == b.kind() && a == b);
    env.add_test("list", |v: &Value| v.kind() == ValueKind::Seq && !v.is_tuple());
    env.add_test("string", |v: &Value| v.kind() == ValueKind::String);
    env.add_test("mapping", |v: &Value| v.kind() == ValueKind::Map);
    env.add_test("callable", |v: &Value| {
        matches!(v.kind(), ValueKind::Plain) || v.to_string().contains("macro")
    });
    env.add_test("contains", |v: &Value, item: &Value| {
        python::items(v).is_ok_and(|items| items.contains(item))
    });
    env.add_test("iterable", |v: &Value| {
        matches!(v.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::Map | ValueKind::String)
    });
    env.add_test("sequence", |v: &Value| {
        matches!(v.kind(), ValueKind::Seq | ValueKind::Map | ValueKind::String)
    });
}

/// Replaces a built-in filter by one whose list can be changed.
fn wrap(env: &mut Environment<'static>, name: &'static str) {
    env.add_filter(
        name,
        move |state: &mut State<'_, '_>, args: Rest<Value>, named: Kwargs| -> Result<Value, Error> {
            let mut args = args.0;
            if named.args().next().is_some() {
                args.push(Value::from(named));
            }
            // `map('upper')` names filters and tests of the whole environment, so the built-in runs in this state.
            let result = state.apply_filter(&format!("__{name}"), &args)?;
            let result = match result.kind() {
                ValueKind::Iterable | ValueKind::Seq => mutable::list(python::items(&result)?),
                _ => result,
            };
            Ok(result)
        },
    );
    match name {
        "unique" => env.add_filter("__unique", |v: &Value| python::items(v).map(|i| Value::from(unique(i)))),
        "sort" => env.add_filter("__sort", minijinja::filters::sort),
        "map" => env.add_filter("__map", minijinja::filters::map),
        "select" => env.add_filter("__select", minijinja::filters::select),
        "reject" => env.add_filter("__reject", minijinja::filters::reject),
        "selectattr" => env.add_filter("__selectattr", minijinja::filters::selectattr),
        "rejectattr" => env.add_filter("__rejectattr", minijinja::filters::rejectattr),
        "reverse" => env.add_filter("__reverse", minijinja::filters::reverse),
        "batch" => env.add_filter("__batch", minijinja::filters::batch),
        "slice" => env.add_filter("__slice", minijinja::filters::slice),
        _ => env.add_filter("__zip", minijinja::filters::zip),
    }
}

fn flatten(value: &Value, levels: usize, out: &mut Vec<Value>) -> Result<(), Error> {
    for item in python::items(value)? {
        if item.kind() == ValueKind::Seq && levels > 0 {
            flatten(&item, levels - 1, out)?;
        } else if !item.is_none() {
            out.push(item);
        }
    }
    Ok(())
}

fn merge(
    under: &mut Vec<(Value, Value)>,
    over: Vec<(Value, Value)>,
    recursive: bool,
    depth: usize,
) -> Result<(), Error> {
    for (key, value) in over {
        match under.iter_mut().find(|(k, _)| *k == key) {
            Some((_, own))
                if recursive
                    && depth < 64
                    && own.kind() == ValueKind::Map
                    && value.kind() == ValueKind::Map =>
            {
                let mut inner = python::entries(own)?;
                merge(&mut inner, python::entries(&value)?, true, depth + 1)?;
                *own = mutable::dict(inner);
            }
            Some((_, own)) => *own = value,
            None => under.push((key, value)),
        }
    }
    Ok(())
}
