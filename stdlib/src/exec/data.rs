//! `pillar.*`, `settings.*`, `grains.*`, `facts.*`, `config.get`, `mine.get` and `basket.get`: data of this peel, for the command
//! line, guards and `module.run`. Templates have their own.

use crate::{Context, Library};
use zester_compiler::types::{Map, Value};

fn settings(cx: &Context, key: &str, separator: &str) -> Option<Value> {
    lookup(&cx.settings, key, separator)
}

fn lookup(value: &Value, key: &str, separator: &str) -> Option<Value> {
    if let Some(found) = value.as_map().and_then(|m| m.get(key)) {
        return Some(found.clone());
    }
    let mut at = value;
    for part in key.split(separator) {
        at = match at {
            Value::Map(map) => map.get(part)?,
            Value::List(list) => list.get(part.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(at.clone())
}

fn grain(cx: &Context, key: &str, separator: &str) -> Option<Value> {
    lookup(&Value::Map(cx.facts.grains.clone()), key, separator).or_else(|| cx.facts.get(key).cloned())
}

fn several(keys: &[String], get: impl Fn(&str) -> Option<Value>) -> Value {
    Value::Map(keys.iter().map(|k| (k.clone(), get(k).unwrap_or_default())).collect())
}

macro_rules! data {
    ($($get:literal $items:literal $item:literal $keys:literal $has:literal
       ($Get:ident $Items:ident $Item:ident $Keys:ident $Has:ident) $lookup:ident $all:expr;)+) => {$(
        exec! {
            /// One value by its key.
            $get pure $Get {
                /// Its key; `a:b` means `b` inside `a`.
                key: String,
                /// What to give when it is not there.
                #[arg(default = "")]
                default: Value,
                /// What separates the keys.
                #[arg(default = ":")]
                delimiter: String,
                /// Whether a default map is merged with what is there.
                #[arg(inert = "merging is the template's `salt['pillar.get']`")]
                merge: Option<Value>,
            } |it, cx| Ok($lookup(cx, &it.key, &it.delimiter).unwrap_or_else(|| it.default.clone()))
        }

        exec! {
            /// All of them.
            $items pure $Items {} |_, cx| {
                let all: fn(&Context) -> Value = $all;
                Ok(all(cx))
            }
        }

        exec! {
            /// Several values by their keys.
            $item pure $Item {
                /// The keys.
                keys: Vec<String>,
            } |it, cx| Ok(several(&it.keys, |key| $lookup(cx, key, ":")))
        }

        exec! {
            /// The keys of the first level.
            $keys pure $Keys {} |_, cx| {
                let all: fn(&Context) -> Value = $all;
                let keys = all(cx).as_map().map(|m| m.keys().cloned().collect::<Vec<_>>());
                Ok(keys.unwrap_or_default().into())
            }
        }

        exec! {
            /// Whether this key has a value.
            $has pure $Has {
                /// Its key.
                key: String,
            } |it, cx| Ok(Value::Bool(!matches!(
                $lookup(cx, &it.key, ":"),
                None | Some(Value::Null | Value::Bool(false))
            )))
        }
    )+};
}

data! {
    "pillar.get" "pillar.items" "pillar.item" "pillar.keys" "pillar.has_value"
        (PillarGet PillarItems PillarItem PillarKeys PillarHas) settings |cx| (*cx.settings).clone();
    "settings.get" "settings.items" "settings.item" "settings.keys" "settings.has_value"
        (SettingsGet SettingsItems SettingsItem SettingsKeys SettingsHas) settings |cx| (*cx.settings).clone();
    "grains.get" "grains.items" "grains.item" "grains.ls" "grains.has_value"
        (GrainsGet GrainsItems GrainsItem GrainsLs GrainsHas) grain |cx| Value::Map(cx.facts.grains.clone());
    "facts.get" "facts.items" "facts.item" "facts.keys" "facts.has_value"
        (FactsGet FactsItems FactsItem FactsKeys FactsHas) fact |cx| Value::Map(cx.facts.values.clone());
}

fn fact(cx: &Context, key: &str, separator: &str) -> Option<Value> {
    cx.facts.get(key).cloned().or_else(|| lookup(&Value::Map(cx.facts.values.clone()), key, separator))
}

exec! {
    /// All settings.
    "pillar.raw" pure PillarRaw {} |_, cx| Ok((*cx.settings).clone())
}

exec! {
    /// A value: of the facts, else of the settings.
    "config.get" pure ConfigGet {
        /// Its key; `a:b` means `b` inside `a`.
        key: String,
        /// What to give when it is not there.
        #[arg(default = "")]
        default: Value,
        /// What separates the keys.
        #[arg(default = ":")]
        delimiter: String,
    } |it, cx| Ok(grain(cx, &it.key, &it.delimiter)
        .or_else(|| settings(cx, &it.key, &it.delimiter))
        .unwrap_or_else(|| it.default.clone()))
}

exec! {
    /// What other peels publish, by peel; by function and peel where several are asked for. Empty where there is no fleet.
    "mine.get" probe MineGet {
        /// Which peels.
        tgt: String,
        /// What they publish.
        fun: Value,
        /// Kind of target.
        #[arg(default = "glob")]
        tgt_type: String,
        /// Whether minions are left out that hide it.
        exclude_minion: Option<bool>,
    } |it, cx| {
        let _ = it.exclude_minion;
        published(cx, &it.tgt, &it.tgt_type, &it.fun)
    }
}

exec! {
    /// What other peels publish, by peel: `basket('G@role:web', 'network.ip_addrs')` in templates.
    "basket.get" probe BasketGet {
        /// Which peels, in the target language.
        target: String,
        /// What they publish: a name of their `basket_functions` or `mine_functions`, or several.
        name: Value,
        /// Kind of target where it is not in the target language: `glob`, `list`, `grain`, `pcre`, `nodegroup`, `ipcidr`.
        #[arg(default = "")]
        kind: String,
    } |it, cx| published(cx, &it.target, &it.kind, &it.name)
}

fn published(cx: &Context, target: &str, kind: &str, names: &Value) -> Result<Value, String> {
    match names {
        Value::Str(name) => cx.peers.shared(target, kind, name).map(Value::Map),
        Value::List(names) => {
            let mut all = Map::new();
            for name in names {
                let name = name.as_str().ok_or("names of what peels publish are texts")?;
                all.insert(name.to_owned(), Value::Map(cx.peers.shared(target, kind, name)?));
            }
            Ok(Value::Map(all))
        }
        other => Err(format!("{} is no name of what peels publish", other.describe())),
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library
        .exec::<PillarGet>()
        .exec::<PillarItems>()
        .exec::<PillarItem>()
        .exec::<PillarKeys>()
        .exec::<PillarHas>()
        .exec::<PillarRaw>()
        .exec::<SettingsGet>()
        .exec::<SettingsItems>()
        .exec::<SettingsItem>()
        .exec::<SettingsKeys>()
        .exec::<SettingsHas>()
        .exec::<GrainsGet>()
        .exec::<GrainsItems>()
        .exec::<GrainsItem>()
        .exec::<GrainsLs>()
        .exec::<GrainsHas>()
        .exec::<FactsGet>()
        .exec::<FactsItems>()
        .exec::<FactsItem>()
        .exec::<FactsKeys>()
        .exec::<FactsHas>()
        .exec::<ConfigGet>()
        .exec::<MineGet>()
        .exec::<BasketGet>();
}
