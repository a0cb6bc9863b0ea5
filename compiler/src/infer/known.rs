//! Keys, attributes and items: what is behind `x.y`, `x['y']` and in a loop over `x`, and what is said of a key that is not there.

use super::{
    Ask, Engine,
    report::{known_grain, meant},
    ty::{Field, Openness, Origin, Record, Ty},
};
use crate::{
    diagnostic::{Applicability, Diagnostic, Severity, nearest},
    rule,
    source::Span,
    types::{
        facts_grains::grain,
        facts_schema::{fact, facts, is_namespace as is_fact_namespace},
    },
};
use std::sync::Arc;

rule! {
    /// A template uses a fact that no peel has.
    ///
    /// Below a built-in namespace (`facts.os`, `facts.network`) all facts are known, and rendering stops at another one
    /// with an error. A name at the top that nothing here knows may be a fact of the site's own, and is a warning.
    ///
    /// ```yaml
    /// motd:
    ///   test.nop:
    ///     - comment: {{ facts.os.famly }}
    /// ```
    ///
    /// `zester facts` lists the facts of this machine:
    ///
    /// ```yaml
    /// motd:
    ///   test.nop:
    ///     - comment: {{ facts.os.family }}
    /// ```
    pub UNKNOWN_FACT = "Z0423", "unknown-fact", Error;

    /// A template uses a setting that no settings file defines.
    ///
    /// All settings files are read, on every branch. Without a default, rendering stops there with an error; with one,
    /// the default is always taken.
    ///
    /// ```yaml
    /// -- states/web.zy --
    /// motd:
    ///   test.nop:
    ///     - comment: {{ settings.nginx.prot }}
    /// -- settings/top.zy --
    /// base:
    ///   '*': [web]
    /// -- settings/web.zy --
    /// nginx:
    ///   port: 80
    /// ```
    ///
    /// ```yaml
    /// -- states/web.zy --
    /// motd:
    ///   test.nop:
    ///     - comment: {{ settings.nginx.port }}
    /// -- settings/top.zy --
    /// base:
    ///   '*': [web]
    /// -- settings/web.zy --
    /// nginx:
    ///   port: 80
    /// ```
    pub UNKNOWN_SETTING = "Z0424", "unknown-setting", Error;

    /// A value that may be missing is used as if it were always there.
    ///
    /// Rendering stops with an error on the peels that do not have it.
    ///
    /// ```yaml
    /// motd:
    ///   test.nop:
    ///     - comment: {{ facts.default_ipv4 }}
    /// ```
    ///
    /// Give a default, or ask first:
    ///
    /// ```yaml
    /// motd:
    ///   test.nop:
    ///     - comment: {{ facts.default_ipv4 | default('none') }}
    /// ```
    pub POSSIBLY_MISSING = "Z0413", "possibly-missing", Warning;

    /// A map does not have the key that is asked for, or a value has no attributes at all.
    ///
    /// Rendering stops there with an error.
    ///
    /// ```yaml
    /// {% set nginx = {'package': 'nginx', 'service': 'nginx'} %}
    /// nginx:
    ///   pkg.installed:
    ///     - name: {{ nginx.pakage }}
    /// ```
    ///
    /// ```yaml
    /// {% set nginx = {'package': 'nginx', 'service': 'nginx'} %}
    /// nginx:
    ///   pkg.installed:
    ///     - name: {{ nginx.package }}
    /// ```
    pub UNKNOWN_KEY = "Z0414", "unknown-key", Error;
}

/// How a key is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// `x.key`
    Attribute,
    /// `x['key']`
    Index,
    /// `x.get('key')`
    Get,
    /// A path of `pillar.get('a:b')` and its kin.
    Path,
}

impl Engine<'_, '_> {
    /// The value of a key.
    pub(super) fn member(&mut self, object: &Ty, key: &str, span: Span, ask: Ask, form: Form) -> Ty {
        let mut found = Vec::new();
        let mut missing: Option<Arc<Record>> = None;
        let mut without: Option<Ty> = None;
        for member in object.members() {
            match member {
                Ty::Secret(inner) => found.push(self.member(inner, key, span, ask, form).secret()),
                Ty::Record(record) => match record.fields.get(key) {
                    Some(field) => found.push(self.of_field(record, field, key, span, ask)),
                    None if self.is_elsewhere(record, key) => found.push(Ty::DYNAMIC),
                    None => missing = Some(record.clone()),
                },
                Ty::Map(value) => found.push((**value).clone()),
                Ty::Null | Ty::Undefined => {}
                Ty::Str(_)
                | Ty::Word(_)
                | Ty::Int(_)
                | Ty::Float
                | Ty::Bool(_)
                | Ty::List(_)
                | Ty::Tuple(_) => {
                    without = Some(member.clone());
                }
                _ => found.push(Ty::DYNAMIC),
            }
        }
        if !found.is_empty() {
            return Ty::union(found);
        }
        if let Some(record) = missing {
            self.unknown(&record, key, span, ask, form);
            return Ty::DYNAMIC;
        }
        if let Some(ty) = without
            && matches!(form, Form::Attribute | Form::Index)
            && !key.is_empty()
            && !super::method::is_method(key)
        {
            self.no_attributes(&ty, key, span, ask);
        }
        Ty::GAP
    }

    fn of_field(&mut self, record: &Record, field: &Field, key: &str, span: Span, ask: Ask) -> Ty {
        if !field.optional || ask != Ask::Need {
            return field.ty.clone();
        }
        // Of the grains, and of what a Salt tree's pillar is elsewhere, nobody here knows when they are missing.
        let message = match &record.origin {
            Origin::Facts(_) => {
                let path = dotted(&record.origin, key);
                let doc = fact(path.trim_start_matches("facts.")).map(|f| f.doc).unwrap_or_default();
                Some(format!("`{path}` may be missing: not every peel has it ({})", lower(doc)))
            }
            Origin::Settings(path) if record.openness == Openness::Closed => {
                let several = path.iter().position(|key| &**key == "*");
                Some(match several {
                    Some(at) => format!(
                        "`{key}` may be missing: not all of `settings.{}` have it",
                        path[..at].join(".")
                    ),
                    None => {
                        format!("`{}` may be missing: nothing gives it a value", dotted(&record.origin, key))
                    }
                })
            }
            _ => None,
        };
        if let Some(message) = message {
            let mut diagnostic = Diagnostic::new(&POSSIBLY_MISSING, span, message)
                .help(format!("write `{key} | default(…)`, or ask with `is defined` first"));
            if let Some(at) = field.span {
                diagnostic = diagnostic.label(at, "defined here");
            }
            self.push(diagnostic);
        }
        field.ty.clone()
    }

    /// Keys that are not in a record and no mistake either.
    fn is_elsewhere(&self, record: &Record, key: &str) -> bool {
        // Among settings with computed keys a slip in a written one is still one.
        (record.openness == Openness::Open && !matches!(record.origin, Origin::Settings(_)))
            || key.is_empty()
            || super::method::is_method(key)
            // Paths of other languages: `grains['ip4_interfaces:eth0']`.
            || key.contains([':', '.', '*', ' '])
            || key.starts_with('_')
            || (matches!(record.origin, Origin::Grains | Origin::Facts(_)) && self.world.data.is_custom(key))
    }

    pub(super) fn unknown(&mut self, record: &Record, key: &str, span: Span, ask: Ask, form: Form) {
        match &record.origin {
            Origin::Facts(path) => self.unknown_fact(path, key, span, ask),
            Origin::Grains => self.unknown_grain(key, span, ask, form),
            Origin::Settings(path) => self.unknown_setting(record, path, key, span, ask, form),
            Origin::Loop => {
                let diagnostic = Diagnostic::new(&UNKNOWN_KEY, span, format!("`loop` has no `{key}`"));
                self.push(suggest(diagnostic, key, record.fields.keys().map(|k| &**k), span, "it has"));
            }
            Origin::Module(path) => {
                if ask == Ask::Need && record.openness == Openness::Closed {
                    let diagnostic = Diagnostic::new(
                        &crate::check::UNKNOWN_IMPORT,
                        span,
                        format!("`{path}` does not define `{key}`"),
                    );
                    self.push(suggest(
                        diagnostic,
                        key,
                        record.fields.keys().map(|k| &**k),
                        span,
                        "it defines",
                    ));
                }
            }
            Origin::Value => self.unknown_key(record, key, span, ask, form),
        }
    }

    fn unknown_fact(&mut self, path: &str, key: &str, span: Span, ask: Ask) {
        if ask == Ask::May && nearest(key, members_of(path)).is_none() {
            return;
        }
        let whole = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        let mut diagnostic = Diagnostic::new(&UNKNOWN_FACT, span, format!("There is no fact `{whole}`"));
        let elsewhere = facts().find(|f| f.path.rsplit('.').next() == Some(key)).map(|f| f.path);
        let by_grain = grain(key).and_then(|g| g.fact).map(|(path, _)| path);
        diagnostic = match (nearest(key, members_of(path)), elsewhere, by_grain) {
            (_, Some(right), _) if path.is_empty() => diagnostic.help(format!("it is `facts.{right}`")),
            (_, _, Some(right)) => {
                diagnostic.help(format!("Salt's `{key}` is `facts.{right}`, or `grains.{key}`"))
            }
            (_, None, None) if grain(key).is_some() => {
                diagnostic.help(format!("it is a grain: `grains.{key}`"))
            }
            (Some(near), _, _) => diagnostic.help(format!("did you mean `{near}`?")).fix(
                format!("rename to `{near}`"),
                Applicability::Unsafe,
                span,
                near,
            ),
            (None, Some(right), _) => diagnostic.help(format!("did you mean `facts.{right}`?")),
            (None, None, None) => {
                let all: Vec<&str> = members_of(path).collect();
                if path.is_empty() {
                    diagnostic.help("a fact of the site's own is declared below `facts:` or in `facts.d/`")
                } else {
                    diagnostic.help(crate::check::functions::list_of(&format!("`facts.{path}` has"), &all))
                }
            }
        };
        let certain = !path.is_empty() || elsewhere.is_some() || by_grain.is_some() || grain(key).is_some();
        if !certain || ask == Ask::May {
            diagnostic.severity = Severity::Warning;
        }
        self.push(diagnostic);
    }

    fn unknown_grain(&mut self, key: &str, span: Span, ask: Ask, form: Form) {
        let near = known_grain(key);
        // Whoever gives a default, or asks, expects that some peels do not have it.
        if near.is_none() && (ask == Ask::May || matches!(form, Form::Get | Form::Path)) {
            return;
        }
        let mut diagnostic = Diagnostic::new(&UNKNOWN_FACT, span, format!("There is no grain `{key}`"));
        diagnostic.severity = Severity::Warning;
        diagnostic = match near {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(
                format!("rename to `{near}`"),
                Applicability::Unsafe,
                span,
                near,
            ),
            None if is_fact_namespace(key) => diagnostic.help(format!("it is a fact: `facts.{key}`")),
            None => diagnostic.help(match meant(key, &super::data::grain_names().collect::<Vec<_>>()) {
                Some(near) => format!("a grain of the site's own is known when a file of `facts:` has it; `{near}` is one of all peels"),
                None => "a grain of the site's own is known when a file of `facts:` has it".to_owned(),
            }),
        };
        self.push(diagnostic);
    }

    fn unknown_setting(
        &mut self,
        record: &Record,
        path: &[Arc<str>],
        key: &str,
        span: Span,
        ask: Ask,
        form: Form,
    ) {
        let near = super::report::typo(key, record.fields.keys().map(|k| &**k)).map(str::to_owned);
        let strict = ask != Ask::May && matches!(form, Form::Attribute | Form::Index);
        if near.is_none() && (!strict || record.openness != Openness::Closed) {
            return;
        }
        let whole = if path.is_empty() { key.to_owned() } else { format!("{}.{key}", path.join(".")) };
        let message = format!("No settings file defines `{whole}`");
        let mut diagnostic = Diagnostic::new(&UNKNOWN_SETTING, span, message);
        let certain = record.openness == Openness::Closed && strict;
        if !certain || (near.is_none() && self.world.data.settings_may_be_elsewhere) {
            diagnostic.severity = Severity::Warning;
        }
        diagnostic = match near {
            Some(near) => {
                if let Some(at) = record.fields.get(near.as_str()).and_then(|f| f.span) {
                    diagnostic = diagnostic.label(at, format!("`{near}` is defined here"));
                }
                let diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
                if self.tree.text.get(span.range()) == Some(key) {
                    diagnostic.fix(format!("rename to `{near}`"), Applicability::Unsafe, span, near)
                } else {
                    diagnostic
                }
            }
            None => {
                // The keys beside it, where somebody defines them: best the one that is most alike.
                let alike = meant(key, &record.fields.keys().map(|k| &**k).collect::<Vec<_>>());
                let defined =
                    |name: &str| record.fields.get_key_value(name).and_then(|(k, f)| Some((k, f.span?)));
                let any = || record.fields.iter().find_map(|(name, f)| f.span.map(|s| (name, s)));
                if let Some((name, at)) = alike.and_then(defined).or_else(any) {
                    diagnostic = diagnostic.label(at, format!("`{name}`, beside it, is defined here"));
                }
                let or = alike.map(|name| format!("write `{name}` if that is meant, ")).unwrap_or_default();
                diagnostic.help(format!(
                    "{or}define it in a settings file, or write `{key} | default(…)`, or `.get('{key}')`"
                ))
            }
        };
        self.push(diagnostic);
    }

    fn unknown_key(&mut self, record: &Record, key: &str, span: Span, ask: Ask, form: Form) {
        let near = super::report::typo(key, record.fields.keys().map(|k| &**k)).map(str::to_owned);
        let strict = ask != Ask::May && matches!(form, Form::Attribute | Form::Index);
        let certain = strict && record.openness == Openness::Closed;
        if !certain && near.is_none() {
            return;
        }
        // An empty map is filled by somebody.
        if record.fields.is_empty() {
            return;
        }
        let mut diagnostic = Diagnostic::new(&UNKNOWN_KEY, span, format!("The map has no key `{key}`"));
        if !certain {
            diagnostic.severity = Severity::Warning;
        }
        let target = near.as_deref().or_else(|| record.fields.keys().next().map(|k| &**k));
        if let Some((name, at)) = target.and_then(|n| record.fields.get(n)?.span.map(|s| (n, s))) {
            diagnostic = diagnostic.label(at, format!("`{name}` is defined here"));
        }
        self.push(suggest(diagnostic, key, record.fields.keys().map(|k| &**k), span, "it has"));
    }

    fn no_attributes(&mut self, ty: &Ty, key: &str, span: Span, ask: Ask) {
        // What may be missing is asked for: a value without attributes has none.
        if ask == Ask::May {
            return;
        }
        let what = ty.widened().describe();
        let mut diagnostic =
            Diagnostic::new(&UNKNOWN_KEY, span, format!("{} has no `{key}`", capital(&what)));
        let before = self.tree.text.get(..span.start as usize).unwrap_or_default().trim_end();
        let joins = before.strip_suffix('.').is_some_and(|text| text.trim_end().ends_with(['\'', '"']));
        diagnostic = match ty {
            _ if joins => diagnostic.help("join texts with `~`"),
            Ty::Str(_) | Ty::Word(_) => diagnostic
                .help("a loop over a map gives its keys; `.items()` and `.values()` give the values"),
            Ty::List(_) | Ty::Tuple(_) => diagnostic.help("loop over the list, or take one item: `x[0]`"),
            _ => diagnostic.help("only maps have keys"),
        };
        self.push(diagnostic);
    }
}

/// The help for a name that is not among others.
fn suggest<'a>(
    diagnostic: Diagnostic,
    key: &str,
    names: impl Iterator<Item = &'a str> + Clone,
    span: Span,
    list: &str,
) -> Diagnostic {
    match nearest(key, names.clone()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(
            format!("rename to `{near}`"),
            Applicability::Unsafe,
            span,
            near,
        ),
        None => {
            let all: Vec<&str> = names.collect();
            if all.is_empty() {
                diagnostic
            } else {
                diagnostic.help(crate::check::functions::list_of(list, &all))
            }
        }
    }
}

/// Names directly below a path of facts.
fn members_of(path: &str) -> impl Iterator<Item = &'static str> + use<> {
    let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
    let mut names: Vec<&'static str> = facts()
        .filter_map(|f| f.path.strip_prefix(prefix.as_str()))
        .map(|rest| rest.split('.').next().unwrap_or(rest))
        .collect();
    names.dedup();
    names.into_iter()
}

fn dotted(origin: &Origin, key: &str) -> String {
    match origin {
        Origin::Facts(path) if path.is_empty() => format!("facts.{key}"),
        Origin::Facts(path) => format!("facts.{path}.{key}"),
        Origin::Settings(path) if path.is_empty() => format!("settings.{key}"),
        Origin::Settings(path) => format!("settings.{}.{key}", path.join(".")),
        _ => key.to_owned(),
    }
}

fn lower(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut chars = text.chars();
    match chars.next() {
        // An abbreviation stays as it is.
        Some(first) if !chars.as_str().starts_with(|c: char| c.is_ascii_uppercase()) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// What an import takes from a file.
pub(super) fn member_of_module(module: &Ty, name: &str) -> Ty {
    match module {
        Ty::Record(record) => record.fields.get(name).map_or(Ty::GAP, |f| f.ty.clone()),
        _ => Ty::GAP,
    }
}

/// What a loop over a value gives.
pub(super) fn each(ty: &Ty) -> Ty {
    match ty {
        Ty::List(item) => (**item).clone(),
        Ty::Tuple(items) => Ty::union(items.iter().cloned()),
        // Keys: with few of them, these.
        Ty::Record(record) if record.openness == Openness::Closed => {
            Ty::union(record.fields.keys().map(|k| Ty::Str(Some(k.clone()))))
        }
        Ty::Record(_) | Ty::Map(_) | Ty::Str(_) | Ty::Word(_) => Ty::STR,
        Ty::Secret(inner) => each(inner).secret(),
        _ => Ty::DYNAMIC,
    }
}

/// An item that is taken apart: `for a, b in …`.
pub(super) fn item_at(ty: &Ty, index: usize) -> Ty {
    let found = ty.members().iter().map(|member| match member {
        Ty::Tuple(items) => items.get(index).cloned().unwrap_or(Ty::GAP),
        Ty::List(item) => (**item).clone(),
        Ty::Secret(inner) => item_at(inner, index).secret(),
        _ => Ty::GAP,
    });
    match Ty::union(found) {
        Ty::Never => Ty::GAP,
        ty => ty,
    }
}
