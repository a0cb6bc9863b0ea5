//! Functions behind `salt[…]`: those of data are followed, of the others the kind of the answer is known.

use super::{
    Ask, Engine, Openness, Origin,
    known::Form,
    ty::{Field, Ty, overlaid},
};
use crate::{
    diagnostic::{Diagnostic, nearest},
    source::Span,
    syntax::expression::{Argument, ExprKind},
    target,
    types::{FunctionKind, Value},
};

impl<'t> Engine<'_, 't> {
    pub(super) fn exec(&mut self, name: &str, span: Span, args: &'t [Argument], given: &[Ty]) -> Ty {
        // The n-th positional argument, or the one of that name.
        let argument = |position: usize, word: &str| {
            args.iter().position(|a| a.name.as_ref().is_some_and(|(n, _)| n == word)).or_else(|| {
                (args.get(position)?.name.is_none() && !args[..=position].iter().any(|a| a.spread))
                    .then_some(position)
            })
        };
        let ty = |index: Option<usize>| index.and_then(|i| given.get(i)).cloned();
        let data = self.world.data;
        self.keywords(name, args);
        match name {
            "pillar.get" | "settings.get" | "pillar.fetch" | "grains.get" | "grains.fetch" | "facts.get" => {
                let root = match name.split_once('.').map(|(module, _)| module) {
                    Some("grains") => data.grains.clone(),
                    Some("facts") => data.facts.clone(),
                    _ => data.settings.clone(),
                };
                let key = argument(0, "key");
                let default = ty(argument(1, "default"));
                let delimiter = argument(9, "delimiter").is_some();
                let found = match key.and_then(|k| args.get(k)).map(|a| &a.value) {
                    Some(key) if !delimiter => match &key.kind {
                        ExprKind::Literal(Value::Str(path)) => {
                            let path = path.clone();
                            self.path(&root, &path, key.span)
                        }
                        _ => Ty::DYNAMIC,
                    },
                    _ => Ty::DYNAMIC,
                };
                let merges = args.iter().any(|a| a.name.as_ref().is_some_and(|(n, _)| n == "merge"));
                match default {
                    Some(default) if merges => overlaid(&default, &found),
                    Some(default) => found.or(default),
                    None => found,
                }
            }
            "pillar.items" | "pillar.raw" => data.settings.clone(),
            "grains.items" => data.grains.clone(),
            "grains.filter_by" | "match.filter_by" => {
                let table = ty(argument(0, "lookup_dict")).unwrap_or(Ty::GAP);
                let merge = ty(argument(2, "merge"));
                let default = argument(3, "default").and_then(|i| args.get(i)).map(|a| &a.value.kind);
                let default = match default {
                    Some(ExprKind::Literal(Value::Str(text))) => Some(text.as_str()),
                    Some(_) => None,
                    None => Some("default"),
                };
                let base = argument(4, "base").and_then(|i| args.get(i)).map(|a| &a.value.kind);
                let place = argument(3, "default").and_then(|i| args.get(i)).map(|a| a.value.span);
                let grain = argument(1, "grain").and_then(|i| args.get(i)).map(|a| &a.value);
                if name == "grains.filter_by" {
                    if let Some(grain) = grain
                        && let Some(path) = literal(Some(&grain.kind))
                    {
                        self.path(&data.grains, path, grain.span);
                    }
                    let grain = grain.map(|g| &g.kind);
                    self.rows(&table, grain, [(default, place), (literal(base), None)]);
                }
                chosen(&table, merge, default, base)
            }
            "defaults.merge" | "slsutil.merge" | "defaults.update" | "slsutil.update" => {
                let below = given.first().cloned().unwrap_or(Ty::GAP);
                let over = given.get(1).cloned().unwrap_or(Ty::GAP);
                overlaid(&below, &over)
            }
            "defaults.deepcopy" => given.first().cloned().unwrap_or(Ty::GAP),
            "config.get" | "config.option" => Ty::DYNAMIC,
            "mine.get" | "basket.get" => {
                let form = argument(2, "tgt_type").or_else(|| argument(9, "expr_form"));
                if let Some(form) = self.target_form(form.and_then(|f| args.get(f))) {
                    self.target_argument(form, argument(0, "tgt").and_then(|t| args.get(t)));
                }
                Ty::map(Ty::DYNAMIC)
            }
            "match.compound" => {
                self.target_argument(target::Form::Compound, argument(0, "tgt").and_then(|t| args.get(t)));
                Ty::BOOL
            }
            "grains.has_value" | "grains.equals" => Ty::BOOL,
            _ if name.starts_with("match.") => Ty::BOOL,
            _ if name.starts_with("log.") => Ty::BOOL,
            _ => {
                if let Some((module, function)) = name.split_once('.')
                    && !self.world.around.is_custom(module)
                    && !crate::check::ENVIRONMENT_FUNCTIONS.contains(&name)
                    && let Some(signature) =
                        self.world.around.registry().get(FunctionKind::Exec, module, function)
                {
                    let signature = signature.clone();
                    self.exec_arguments(name, span, &signature, args, given);
                    if self.world.around.registry().is_custom(FunctionKind::Exec, module, function) {
                        let ty = Ty::of_type(&signature.returns);
                        // What it makes of a secret tells the secret, unless it only tells something of it.
                        let tells =
                            given.iter().any(Ty::is_secret) && !matches!(ty, Ty::Bool(_) | Ty::Int(_));
                        return if tells { ty.secret() } else { ty };
                    }
                }
                answer(name)
            }
        }
    }

    /// Names of arguments that functions of the environment do not have. Salt stops there with an error; only slips of
    /// names that exist are said, as versions differ.
    fn keywords(&mut self, name: &str, args: &[Argument]) {
        let Some((_, known)) = KEYWORDS.iter().find(|(function, _)| *function == name) else { return };
        if name.split_once('.').is_some_and(|(module, _)| self.world.around.is_custom(module)) {
            return;
        }
        for (word, span) in args.iter().filter_map(|a| a.name.as_ref()) {
            if known.contains(&word.as_str()) {
                continue;
            }
            if let Some(near) = nearest(word, known.iter().copied()) {
                let message = format!("`{name}` has no argument `{word}`");
                self.push(
                    Diagnostic::new(&super::arguments::WRONG_ARGUMENT, *span, message).did_you_mean(near),
                );
            }
        }
    }

    /// Rows of the table of `grains.filter_by` that no machine picks, and a default that is no row: only those that are
    /// nearly a name that exists, as a table may know machines that we do not. `named` are the rows that are picked by name.
    fn rows(&mut self, table: &Ty, grain: Option<&ExprKind>, named: [(Option<&str>, Option<Span>); 2]) {
        let Ty::Record(record) = table.shown() else { return };
        if let [(Some(row), Some(place)), _] = named
            && record.openness == Openness::Closed
            && !record.fields.contains_key(row)
            && let Some(near) =
                super::operate::near_word(row, &record.fields.keys().map(|k| &**k).collect::<Vec<_>>())
        {
            let span = self.within_quotes(place);
            let message = format!("The table has no row `{row}`, so a machine that is in none gets nothing");
            self.push(Diagnostic::new(&super::known::UNKNOWN_KEY, span, message).did_you_mean(near));
        }
        let grain = match grain {
            None => "os_family",
            Some(grain) => literal(Some(grain)).unwrap_or_default(),
        };
        let Ty::Record(grains) = &self.world.data.grains else { return };
        let Some(Ty::Word(words)) = grains.fields.get(grain).map(|field| field.ty.clone()) else { return };
        let words: Vec<&str> = words.iter().map(|w| &**w).collect();
        for (row, field) in &record.fields {
            let is_named = named.iter().any(|(name, _)| *name == Some(&**row));
            let Some(place) = field.span.filter(|s| s.file == self.tree.file && !is_named) else { continue };
            // Rows are patterns.
            if row.contains(['*', '?', '[']) || words.contains(&&**row) {
                continue;
            }
            if let Some(near) = super::operate::near_word(row, &words) {
                let span = self.within_quotes(place);
                self.push(super::operate::never_is(span, &format!("The grain `{grain}`"), row, near));
            }
        }
    }

    /// The form of target that an argument names; nothing where it is computed.
    fn target_form(&self, argument: Option<&Argument>) -> Option<target::Form> {
        let Some(argument) = argument else { return Some(target::Form::Compound) };
        match &argument.value.kind {
            ExprKind::Literal(Value::Str(word)) => target::Form::of_word(word),
            _ => None,
        }
    }

    /// A path of keys with colons between them.
    fn path(&mut self, root: &Ty, path: &str, span: Span) -> Ty {
        let span = self.within_quotes(span);
        // With escapes in it the places are not known.
        let exact = self.tree.text.get(span.range()) == Some(path);
        let mut current = root.clone();
        if let Ty::Record(record) = &current
            && let Some(field) = record.fields.get(path)
        {
            return field.ty.clone();
        }
        if !path.contains(':') && path.contains('.') {
            self.dotted_path(root, path, span);
            return Ty::DYNAMIC;
        }
        let mut at = span.start;
        for key in path.split(':') {
            let place = if exact { Span { start: at, end: at + key.len() as u32, ..span } } else { span };
            at += key.len() as u32 + 1;
            current = match current.shown() {
                Ty::List(item) => (**item).clone(),
                Ty::Record(_) | Ty::Map(_) => {
                    let secret = current.is_secret();
                    let ty = self.member(&current, key, place, Ask::May, Form::Path);
                    if secret { ty.secret() } else { ty }
                }
                _ => return Ty::DYNAMIC,
            };
        }
        current
    }

    /// Dots, where colons are meant: the function finds nothing and gives its default.
    fn dotted_path(&mut self, root: &Ty, path: &str, span: Span) {
        let mut current = root.clone();
        for key in path.split('.') {
            let Ty::Record(record) = &current else { return };
            if !matches!(record.origin, Origin::Settings(_) | Origin::Facts(_)) {
                return;
            }
            let Some(field) = record.fields.get(key) else { return };
            current = field.ty.clone();
        }
        let colons = path.replace('.', ":");
        let rule = if matches!(root, Ty::Record(r) if matches!(r.origin, Origin::Facts(_))) {
            // Facts are found by both.
            return;
        } else {
            &super::known::UNKNOWN_SETTING
        };
        let mut diagnostic = Diagnostic::new(
            rule,
            span,
            format!("`{path}` is one key here: keys below each other have colons between them"),
        )
        .help(format!("write `{colons}`"));
        if self.tree.text.get(span.range()) == Some(path) {
            diagnostic =
                diagnostic.fix("write colons", crate::diagnostic::Applicability::Unsafe, span, colons);
        }
        diagnostic.severity = crate::diagnostic::Severity::Warning;
        self.push(diagnostic);
    }
}

/// Arguments of functions that the environment answers, as far as Salt's take no others.
const KEYWORDS: [(&str, &[&str]); 3] = [
    ("pillar.get", &["key", "default", "merge", "merge_nested_lists", "delimiter", "pillarenv", "saltenv"]),
    ("grains.get", &["key", "default", "delimiter", "ordered"]),
    ("grains.filter_by", &["lookup_dict", "grain", "merge", "default", "base"]),
];

/// The text that an expression is.
fn literal(expr: Option<&ExprKind>) -> Option<&str> {
    match expr {
        Some(ExprKind::Literal(Value::Str(text))) => Some(text),
        _ => None,
    }
}

/// What `grains.filter_by` picks: one of the table's values, over `base`, under `merge`.
fn chosen(table: &Ty, merge: Option<Ty>, default: Option<&str>, base: Option<&ExprKind>) -> Ty {
    let Ty::Record(record) = table.shown() else {
        return match table.shown() {
            Ty::Map(value) => merged((**value).clone(), merge),
            _ => Ty::DYNAMIC,
        };
    };
    if record.openness == Openness::Open || record.fields.is_empty() {
        return Ty::DYNAMIC;
    }
    let mut below = None;
    if let Some(base) = base {
        match base {
            ExprKind::Literal(Value::Str(name)) => {
                below = record.fields.get(name.as_str()).map(|f| f.ty.clone());
            }
            _ => return Ty::DYNAMIC,
        }
    }
    let all = record.fields.iter().map(|(_, field)| match &below {
        Some(below) => overlaid(below, &field.ty),
        None => field.ty.clone(),
    });
    let mut ty = Ty::union(all);
    // Without a row of that name, a peel whose grain is in no row gets nothing.
    if default.is_some_and(|d| !record.fields.contains_key(d)) {
        ty = ty.or(Ty::Null);
    }
    merged(ty, merge)
}

fn merged(ty: Ty, merge: Option<Ty>) -> Ty {
    let Some(over) = merge else { return ty };
    let record = ty.members().iter().find(|m| matches!(m, Ty::Record(_))).cloned();
    match record {
        Some(record) => overlaid(&record, &over),
        None => Ty::DYNAMIC,
    }
}

/// What functions that look at the machine answer.
fn answer(name: &str) -> Ty {
    match name {
        "file.file_exists"
        | "file.directory_exists"
        | "file.path_exists_glob"
        | "file.is_link"
        | "file.contains"
        | "file.search"
        | "file.access"
        | "service.available"
        | "service.status"
        | "service.enabled"
        | "service.missing"
        | "pkg.upgrade_available"
        | "cmd.has_exec"
        | "network.is_private"
        | "network.is_loopback"
        | "network.connect"
        | "test.ping"
        | "user.exists" => Ty::BOOL,
        "file.dirname"
        | "file.basename"
        | "file.join"
        | "file.readlink"
        | "file.get_hash"
        | "file.get_mode"
        | "file.get_user"
        | "file.get_group"
        | "cmd.run"
        | "cmd.shell"
        | "cmd.run_stdout"
        | "cmd.run_stderr"
        | "pkg.latest_version"
        | "timezone.get_zone"
        | "timezone.get_offset"
        | "test.echo"
        | "hashutil.digest"
        | "random.get_str"
        | "random.hash"
        | "network.get_hostname"
        | "network.get_fqdn"
        | "user.primary_group"
        | "cp.get_file"
        | "cp.get_file_str"
        | "cp.cache_file" => Ty::STR,
        "cmd.retcode" | "random.rand_int" | "random.seed" | "pkg.version_cmp" => Ty::INT,
        "network.ip_addrs" | "network.ipaddrs" | "network.ip_addrs6" | "network.ipaddrs6"
        | "network.subnets" | "user.list_users" | "user.list_groups" | "service.get_all" | "file.find"
        | "file.readdir" => Ty::list(Ty::STR),
        "pkg.list_pkgs" => Ty::map(Ty::DYNAMIC),
        "cmd.run_all" => Ty::record(
            [("pid", Ty::INT), ("retcode", Ty::INT), ("stdout", Ty::STR), ("stderr", Ty::STR)]
                .into_iter()
                .map(|(k, t)| (k.into(), Field::of(t)))
                .collect(),
            Openness::Soft,
            Origin::Value,
        ),
        _ => Ty::DYNAMIC,
    }
}
