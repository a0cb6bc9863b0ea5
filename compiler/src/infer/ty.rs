//! What a template expression can be.
//!
//! Gradual: what cannot be known is [`Ty::Any`], of which nothing is ever reported. The types of parameters are
//! [`crate::types::Type`]; those here know literals, the keys of maps, and what may be missing.

use crate::{
    source::Span,
    types::{Type, Value},
};
use indexmap::IndexMap;
use std::{fmt, sync::Arc};

/// Literals a union keeps apart; with more of them it is any text, any integer.
const MAX_LITERALS: usize = 24;
/// How deep maps and lists of values are looked into.
const MAX_DEPTH: usize = 16;

/// Why a type is not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unknown {
    /// Decided elsewhere: by the machine, by whoever calls, by what is not in the tree.
    Dynamic,
    /// It could be known, and is not yet.
    Gap,
}

/// The type of an expression.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ty {
    /// Anything.
    Any(Unknown),
    /// Nothing at all: no value reaches here.
    Never,
    /// A value that is not there.
    Undefined,
    /// `none`
    Null,
    /// A truth value; one of the two where it is known.
    Bool(Option<bool>),
    /// An integer.
    Int(Option<i64>),
    /// A number.
    Float,
    /// Text.
    Str(Option<Arc<str>>),
    /// Text that is nearly always one of these words: `os_family`, what the settings files write.
    Word(Arc<[Arc<str>]>),
    /// A list of one type.
    List(Arc<Ty>),
    /// A tuple, or a list literal that nothing changes.
    Tuple(Arc<[Ty]>),
    /// A map of unknown keys to one type.
    Map(Arc<Ty>),
    /// A map of known keys.
    Record(Arc<Record>),
    /// A macro.
    Macro(Arc<MacroTy>),
    /// A value that must not be shown.
    Secret(Arc<Ty>),
    /// One of these; flat, without repetition, at most one record.
    Union(Arc<[Ty]>),
}

/// How much is known of a map's keys.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Openness {
    /// All of them are known: another one is a mistake.
    Closed,
    /// Others may come from elsewhere; one that is nearly a known one is probably a mistake.
    Soft,
    /// Others are there.
    Open,
}

/// Whose keys a record has: decides what an unknown one is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Facts below this dotted path; empty for `facts` itself.
    Facts(String),
    /// Salt's flat names of facts.
    Grains,
    /// Settings below these keys; none for `settings` itself.
    Settings(Vec<Arc<str>>),
    /// The variable `loop`.
    Loop,
    /// Names of an imported file.
    Module(String),
    /// Any other map.
    Value,
}

/// A map with known keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// The keys in the order they were met.
    pub fields: IndexMap<Arc<str>, Field>,
    /// Whether there may be others.
    pub openness: Openness,
    /// Whose they are.
    pub origin: Origin,
}

/// A known key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// What its value can be.
    pub ty: Ty,
    /// Whether it may be missing.
    pub optional: bool,
    /// Where it is defined.
    pub span: Option<Span>,
}

/// A macro as its callers see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MacroTy {
    /// Its name.
    pub name: String,
    /// Where it is defined.
    pub span: Span,
    /// Its parameters.
    pub params: Vec<MacroParam>,
    /// It uses `varargs`, `kwargs` or `caller`, so any argument may make sense.
    pub open: bool,
}

/// A parameter of a macro.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MacroParam {
    /// Its name.
    pub name: String,
    /// Whether it has a default.
    pub default: bool,
    /// Whether every call needs it: it has no default and is printed on every path.
    pub needed: bool,
}

impl Field {
    /// A key that is always there.
    pub fn of(ty: Ty) -> Self {
        Self { ty, optional: false, span: None }
    }
}

impl Ty {
    /// Anything, decided elsewhere.
    pub const DYNAMIC: Ty = Ty::Any(Unknown::Dynamic);
    /// Anything, because nothing here knows better.
    pub const GAP: Ty = Ty::Any(Unknown::Gap);
    /// Any text.
    pub const STR: Ty = Ty::Str(None);
    /// Any integer.
    pub const INT: Ty = Ty::Int(None);
    /// Either truth value.
    pub const BOOL: Ty = Ty::Bool(None);

    /// This text.
    pub fn text(text: &str) -> Self {
        Ty::Str(Some(text.into()))
    }

    /// Text that is nearly always one of these words.
    pub fn word<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        Ty::Word(words.into_iter().map(Arc::from).collect())
    }

    /// A list.
    pub fn list(item: Ty) -> Self {
        Ty::List(Arc::new(item))
    }

    /// A map of unknown keys.
    pub fn map(value: Ty) -> Self {
        Ty::Map(Arc::new(value))
    }

    /// A map of these keys.
    pub fn record(fields: IndexMap<Arc<str>, Field>, openness: Openness, origin: Origin) -> Self {
        Ty::Record(Arc::new(Record { fields, openness, origin }))
    }

    /// Marks it as one that must not be shown.
    pub fn secret(self) -> Self {
        match self {
            Ty::Secret(_) => self,
            ty => Ty::Secret(Arc::new(ty)),
        }
    }

    /// The type of a value.
    pub fn of_value(value: &Value) -> Self {
        Self::of_value_at(value, 0)
    }

    fn of_value_at(value: &Value, depth: usize) -> Self {
        match value {
            Value::Null => Ty::Null,
            Value::Bool(b) => Ty::Bool(Some(*b)),
            Value::Int(i) => Ty::Int(Some(*i)),
            Value::Float(_) => Ty::Float,
            Value::Str(s) => Ty::text(s),
            Value::List(_) | Value::Map(_) if depth > MAX_DEPTH => Ty::GAP,
            Value::List(items) => Ty::list(Ty::union(items.iter().map(|i| Self::of_value_at(i, depth + 1)))),
            Value::Map(map) => Ty::record(
                map.iter()
                    .map(|(k, v)| (k.as_str().into(), Field::of(Self::of_value_at(v, depth + 1))))
                    .collect(),
                Openness::Closed,
                Origin::Value,
            ),
        }
    }

    /// What a parameter's or fact's type is for a template.
    pub fn of_type(ty: &Type) -> Self {
        match ty {
            Type::Any => Ty::DYNAMIC,
            Type::Null => Ty::Null,
            Type::Bool => Ty::BOOL,
            Type::Int { .. } | Type::Port => Ty::INT,
            Type::Float => Ty::Float,
            Type::Enum(words) => Ty::union(words.iter().map(|w| Ty::text(w))),
            Type::List(item) => Ty::list(Self::of_type(item)),
            Type::Map(value) => Ty::map(Self::of_type(value)),
            Type::Record(fields) => Ty::record(
                fields
                    .iter()
                    .map(|(name, ty, optional)| {
                        let field = Field { ty: Self::of_type(ty), optional: *optional, span: None };
                        (name.as_str().into(), field)
                    })
                    .collect(),
                Openness::Closed,
                Origin::Value,
            ),
            Type::Union(members) => Ty::union(members.iter().map(Self::of_type)),
            Type::Secret(inner) => Self::of_type(inner).secret(),
            // A mode, a duration or a size may be written as a number or as text.
            Type::Mode | Type::Duration | Type::Size | Type::Version => {
                Ty::union([Ty::STR, Ty::INT, Ty::Float])
            }
            _ => Ty::STR,
        }
    }

    /// One of several.
    pub fn union(types: impl IntoIterator<Item = Ty>) -> Self {
        let mut all = Members::default();
        for ty in types {
            all.add(ty);
        }
        all.finish()
    }

    /// Either.
    pub fn or(self, other: Ty) -> Self {
        if self == other { self } else { Self::union([self, other]) }
    }

    /// What it is one of: itself, or the members of the union.
    pub fn members(&self) -> &[Ty] {
        match self {
            Ty::Union(members) => members,
            Ty::Never => &[],
            one => std::slice::from_ref(one),
        }
    }

    /// Whether nothing is known of some of what it may be.
    pub fn is_any(&self) -> bool {
        self.members().iter().any(|m| match m {
            Ty::Any(_) => true,
            Ty::Secret(inner) => inner.is_any(),
            _ => false,
        })
    }

    /// Whether it may be secret.
    pub fn is_secret(&self) -> bool {
        self.members().iter().any(|m| matches!(m, Ty::Secret(_)))
    }

    /// Whether it may be missing.
    pub fn may_be_undefined(&self) -> bool {
        self.members().contains(&Ty::Undefined)
    }

    /// The members that a condition leaves.
    pub fn filter(&self, keep: impl Fn(&Ty) -> bool) -> Ty {
        match self {
            Ty::Union(members) => Ty::union(members.iter().filter(|m| keep(m)).cloned()),
            Ty::Never => Ty::Never,
            one if keep(one) => one.clone(),
            _ => Ty::Never,
        }
    }

    /// Without what is not there.
    pub fn defined(&self) -> Ty {
        if self.may_be_undefined() { self.filter(|m| *m != Ty::Undefined) } else { self.clone() }
    }

    /// The value behind a secret.
    pub fn shown(&self) -> &Ty {
        match self {
            Ty::Secret(inner) => inner,
            other => other,
        }
    }

    /// Without literals: what a variable that may be changed holds.
    pub fn widened(&self) -> Ty {
        match self {
            Ty::Bool(_) => Ty::BOOL,
            Ty::Int(_) => Ty::INT,
            Ty::Str(_) | Ty::Word(_) => Ty::STR,
            Ty::Union(members) => Ty::union(members.iter().map(Ty::widened)),
            other => other.clone(),
        }
    }

    /// What a value holds that is changed in place somewhere: keys and items may be others.
    pub fn loosened(&self) -> Ty {
        match self {
            Ty::List(_) | Ty::Tuple(_) => Ty::list(Ty::DYNAMIC),
            Ty::Map(_) => Ty::map(Ty::DYNAMIC),
            Ty::Record(record) => Ty::record(
                record
                    .fields
                    .iter()
                    .map(|(k, f)| (k.clone(), Field { ty: Ty::DYNAMIC, ..f.clone() }))
                    .collect(),
                Openness::Open,
                record.origin.clone(),
            ),
            Ty::Secret(inner) => inner.loosened().secret(),
            Ty::Union(members) => Ty::union(members.iter().map(Ty::loosened)),
            other => other.widened(),
        }
    }

    /// In a few words, for messages: "text", "a list", "a map".
    pub fn describe(&self) -> String {
        let word = match self {
            Ty::Any(_) => "anything",
            Ty::Never => "nothing",
            Ty::Undefined => "undefined",
            Ty::Null => "none",
            Ty::Bool(_) => "a truth value",
            Ty::Int(Some(i)) => return format!("the number {i}"),
            Ty::Int(None) => "an integer",
            Ty::Float => "a number",
            Ty::Str(Some(text)) => return format!("the text `{text}`"),
            Ty::Str(None) | Ty::Word(_) => "text",
            Ty::List(_) | Ty::Tuple(_) => "a list",
            Ty::Map(_) | Ty::Record(_) => "a map",
            Ty::Macro(_) => "a macro",
            Ty::Secret(inner) => return format!("secret: {}", inner.describe()),
            Ty::Union(members) => {
                let mut words: Vec<String> = Vec::new();
                for member in members.iter().map(|m| m.widened().describe()) {
                    if !words.contains(&member) {
                        words.push(member);
                    }
                }
                return words.join(" or ");
            }
        };
        word.to_owned()
    }

    /// The kind of value, for asking whether two can ever be equal.
    pub fn kind(&self) -> Kind {
        match self {
            Ty::Any(_) | Ty::Union(_) | Ty::Never => Kind::Any,
            Ty::Undefined => Kind::Undefined,
            Ty::Null => Kind::Null,
            Ty::Bool(_) | Ty::Int(_) | Ty::Float => Kind::Number,
            Ty::Str(_) | Ty::Word(_) => Kind::Text,
            Ty::List(_) | Ty::Tuple(_) => Kind::List,
            Ty::Map(_) | Ty::Record(_) => Kind::Map,
            Ty::Macro(_) => Kind::Macro,
            Ty::Secret(inner) => inner.kind(),
        }
    }
}

/// Kinds of values that can be equal among themselves only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Not known.
    Any,
    /// Missing.
    Undefined,
    /// `none`
    Null,
    /// Truth values and numbers, which Python compares with each other.
    Number,
    /// Text.
    Text,
    /// Lists.
    List,
    /// Maps.
    Map,
    /// Macros.
    Macro,
}

/// Members of a union while it is made.
#[derive(Default)]
struct Members {
    all: Vec<Ty>,
    literals: usize,
    any: Option<Unknown>,
}

impl Members {
    fn add(&mut self, ty: Ty) {
        match ty {
            Ty::Never => {}
            Ty::Union(members) => members.iter().for_each(|m| self.add(m.clone())),
            // What is decided elsewhere says more than a gap.
            Ty::Any(why) => {
                if self.any != Some(Unknown::Dynamic) {
                    self.any = Some(why);
                }
            }
            Ty::Record(record) => {
                let other = self.all.iter_mut().find(|m| matches!(m, Ty::Record(_)));
                match other {
                    Some(Ty::Record(own)) => {
                        if !Arc::ptr_eq(own, &record) && own != &record {
                            *own = Arc::new(join_records(own, &record));
                        }
                    }
                    _ => self.all.push(Ty::Record(record)),
                }
            }
            Ty::List(item) => match self.all.iter_mut().find(|m| matches!(m, Ty::List(_))) {
                Some(Ty::List(own)) => {
                    if *own != item {
                        *own = Arc::new(Ty::union([(**own).clone(), (*item).clone()]));
                    }
                }
                _ => self.all.push(Ty::List(item)),
            },
            ty => {
                let covered = match &ty {
                    Ty::Str(_) | Ty::Word(_) => self.all.contains(&Ty::STR),
                    Ty::Int(_) => self.all.contains(&Ty::INT),
                    Ty::Bool(_) => self.all.contains(&Ty::BOOL),
                    _ => false,
                };
                if covered || self.all.contains(&ty) {
                    return;
                }
                match &ty {
                    Ty::Str(None) => self.all.retain(|m| !matches!(m, Ty::Str(_) | Ty::Word(_))),
                    Ty::Int(None) => self.all.retain(|m| !matches!(m, Ty::Int(_))),
                    Ty::Bool(None) => self.all.retain(|m| !matches!(m, Ty::Bool(_))),
                    Ty::Bool(Some(b)) if self.all.contains(&Ty::Bool(Some(!b))) => {
                        self.all.retain(|m| !matches!(m, Ty::Bool(_)));
                        self.all.push(Ty::BOOL);
                        return;
                    }
                    Ty::Str(Some(_)) | Ty::Int(Some(_)) => self.literals += 1,
                    _ => {}
                }
                self.all.push(ty);
                if self.literals > MAX_LITERALS {
                    self.literals = 0;
                    let all = std::mem::take(&mut self.all);
                    for member in all {
                        self.add(if matches!(member, Ty::Str(_) | Ty::Int(_)) {
                            member.widened()
                        } else {
                            member
                        });
                    }
                }
            }
        }
    }

    fn finish(mut self) -> Ty {
        if let Some(why) = self.any {
            // A secret among what is not known stays one; a value that may be missing too.
            self.all.retain(|m| matches!(m, Ty::Secret(_)));
            if self.all.is_empty() {
                return Ty::Any(why);
            }
            self.all.push(Ty::Any(why));
        }
        match self.all.len() {
            0 => Ty::Never,
            1 => self.all.remove(0),
            _ => Ty::Union(self.all.into()),
        }
    }
}

/// A map that is one of two.
fn join_records(a: &Record, b: &Record) -> Record {
    let mut fields = a.fields.clone();
    for (name, field) in &mut fields {
        match b.fields.get(name) {
            Some(other) => {
                if field.ty != other.ty {
                    field.ty = Ty::union([field.ty.clone(), other.ty.clone()]);
                }
                field.optional |= other.optional;
                field.span = field.span.or(other.span);
            }
            None => field.optional = true,
        }
    }
    for (name, field) in &b.fields {
        if !fields.contains_key(name) {
            fields.insert(name.clone(), Field { optional: true, ..field.clone() });
        }
    }
    let origin = if a.origin == b.origin { a.origin.clone() } else { joined_origin(&a.origin, &b.origin) };
    Record { fields, openness: a.openness.max(b.openness), origin }
}

/// What two records have in common: settings below different keys of one map are settings below `*`.
fn joined_origin(a: &Origin, b: &Origin) -> Origin {
    let (Origin::Settings(a), Origin::Settings(b)) = (a, b) else { return Origin::Value };
    if a.len() != b.len() {
        return Origin::Value;
    }
    let common = a.iter().zip(b).map(|(x, y)| if x == y { x.clone() } else { "*".into() });
    Origin::Settings(common.collect())
}

/// A map laid over another: its keys win, and what is missing in it comes from below.
pub fn overlaid(below: &Ty, over: &Ty) -> Ty {
    let (Ty::Record(a), Ty::Record(b)) = (below.shown(), over.shown()) else {
        return match (below, over) {
            // Nothing is laid over it.
            (_, Ty::Null | Ty::Undefined) => below.clone(),
            (_, Ty::Str(Some(text))) if text.is_empty() => below.clone(),
            (Ty::Record(a), _) => softened(a),
            (Ty::Map(a), Ty::Map(b)) => Ty::map((**a).clone().or((**b).clone())),
            _ => Ty::DYNAMIC,
        };
    };
    let mut fields = a.fields.clone();
    for (name, field) in &b.fields {
        let merged = match fields.get(name) {
            Some(own) if matches!((&own.ty, &field.ty), (Ty::Record(_), Ty::Record(_))) => {
                let ty = overlaid(&own.ty, &field.ty);
                Field { ty, optional: own.optional && field.optional, span: own.span }
            }
            Some(own) if field.optional => Field { ty: own.ty.clone().or(field.ty.clone()), ..own.clone() },
            _ => field.clone(),
        };
        fields.insert(name.clone(), merged);
    }
    Ty::record(fields, a.openness.max(b.openness), Origin::Value)
}

/// A map over which something unknown is laid: its keys stay, their values and further keys are not known.
pub fn softened(record: &Record) -> Ty {
    let fields = record.fields.iter().map(|(name, field)| {
        let ty = match &field.ty {
            Ty::Record(inner) => softened(inner),
            _ => Ty::DYNAMIC,
        };
        (name.clone(), Field { ty, ..field.clone() })
    });
    Ty::record(fields.collect(), record.openness.max(Openness::Soft), Origin::Value)
}

/// As `--reveal` and the editor show it: `list<str>`, `{port: int, host?: str}`, `"a" | "b"`.
impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_ty(self, f, 0)
    }
}

fn write_ty(ty: &Ty, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
    const MAX_FIELDS: usize = 24;
    if depth > MAX_DEPTH {
        return f.write_str("…");
    }
    match ty {
        Ty::Any(Unknown::Dynamic) => f.write_str("any"),
        // Told apart only where somebody looks for what the checker does not know yet.
        Ty::Any(Unknown::Gap) => f.write_str(if f.alternate() { "any?" } else { "any" }),
        Ty::Never => f.write_str("never"),
        Ty::Undefined => f.write_str("undefined"),
        Ty::Null => f.write_str("null"),
        Ty::Bool(Some(b)) => write!(f, "{b}"),
        Ty::Bool(None) => f.write_str("bool"),
        Ty::Int(Some(i)) => write!(f, "{i}"),
        Ty::Int(None) => f.write_str("int"),
        Ty::Float => f.write_str("float"),
        Ty::Str(Some(text)) => write!(f, "{text:?}"),
        Ty::Str(None) | Ty::Word(_) => f.write_str("str"),
        Ty::List(item) if **item == Ty::Never => f.write_str("list<never>"),
        Ty::List(item) => {
            f.write_str("list<")?;
            write_ty(item, f, depth + 1)?;
            f.write_str(">")
        }
        Ty::Tuple(items) => {
            f.write_str("(")?;
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    f.write_str(", ")?;
                }
                write_ty(item, f, depth + 1)?;
            }
            f.write_str(")")
        }
        Ty::Map(value) => {
            f.write_str("map<")?;
            write_ty(value, f, depth + 1)?;
            f.write_str(">")
        }
        Ty::Record(record) => {
            f.write_str("{")?;
            for (index, (name, field)) in record.fields.iter().enumerate() {
                if index > 0 {
                    f.write_str(", ")?;
                }
                if index == MAX_FIELDS {
                    return f.write_str("…}");
                }
                write!(f, "{name}{}: ", if field.optional { "?" } else { "" })?;
                write_ty(&field.ty, f, depth + 1)?;
            }
            if record.openness != Openness::Closed {
                f.write_str(if record.fields.is_empty() { "…" } else { ", …" })?;
            }
            f.write_str("}")
        }
        Ty::Macro(makro) => {
            let params: Vec<String> = makro
                .params
                .iter()
                .map(|p| format!("{}{}", p.name, if p.default { "=" } else { "" }))
                .collect();
            write!(f, "macro({})", params.join(", "))
        }
        Ty::Secret(inner) => {
            f.write_str("secret<")?;
            write_ty(inner, f, depth + 1)?;
            f.write_str(">")
        }
        Ty::Union(members) => {
            for (index, member) in members.iter().enumerate() {
                if index > 0 {
                    f.write_str(" | ")?;
                }
                write_ty(member, f, depth + 1)?;
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fields: &[(&str, Ty)]) -> Ty {
        Ty::record(
            fields.iter().map(|(k, t)| ((*k).into(), Field::of(t.clone()))).collect(),
            Openness::Closed,
            Origin::Value,
        )
    }

    #[test]
    fn unions_are_flat_and_say_nothing_twice() {
        let ty = Ty::union([Ty::text("a"), Ty::union([Ty::text("b"), Ty::text("a")]), Ty::Null]);
        assert_eq!(ty.to_string(), "\"a\" | \"b\" | null");
        assert_eq!(Ty::text("a").or(Ty::STR), Ty::STR);
        assert_eq!(Ty::STR.or(Ty::text("a")), Ty::STR);
        assert_eq!(Ty::Bool(Some(true)).or(Ty::Bool(Some(false))), Ty::BOOL);
        assert_eq!(Ty::Never.or(Ty::INT), Ty::INT);
        assert_eq!(Ty::INT.or(Ty::DYNAMIC), Ty::DYNAMIC);
        assert_eq!(Ty::GAP.or(Ty::DYNAMIC), Ty::DYNAMIC);
    }

    #[test]
    fn many_literals_are_any_text() {
        let ty = Ty::union((0..100).map(|i| Ty::text(&i.to_string())));
        assert_eq!(ty, Ty::STR);
    }

    #[test]
    fn two_maps_are_one_with_optional_keys() {
        let ty = record(&[("a", Ty::INT), ("b", Ty::STR)]).or(record(&[("a", Ty::STR)]));
        assert_eq!(ty.to_string(), "{a: int | str, b?: str}");
    }

    #[test]
    fn a_map_over_another_wins() {
        let below = record(&[("a", Ty::INT), ("in", record(&[("x", Ty::INT)]))]);
        let over = record(&[("a", Ty::STR), ("in", record(&[("y", Ty::INT)]))]);
        assert_eq!(overlaid(&below, &over).to_string(), "{a: str, in: {x: int, y: int}}");
        assert_eq!(overlaid(&below, &Ty::DYNAMIC).to_string(), "{a: any, in: {x: any, …}, …}");
        assert_eq!(overlaid(&below, &Ty::Null), below);
    }

    #[test]
    fn secrets_stay_among_what_is_not_known() {
        let ty = Ty::STR.secret().or(Ty::DYNAMIC);
        assert!(ty.is_secret() && ty.is_any());
        assert_eq!(ty.to_string(), "secret<str> | any");
    }
}
