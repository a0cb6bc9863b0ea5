//! Filters: what they take and what they give.

use super::{
    Ask, Engine, Openness,
    arguments::WRONG_FILTER_ARGUMENTS,
    known::each,
    ty::{Kind, Ty, overlaid},
};
use crate::{
    check::functions::list_of,
    diagnostic::{Diagnostic, nearest},
    source::Span,
    syntax::expression::{Argument, Expr, ExprKind},
    types::Value,
};
use std::sync::Arc;

/// Filters whose arguments are the same in Jinja, Salt and here: the fewest that are needed, and all names in order.
const ARGUMENTS: &[(&str, usize, &[&str])] = &[
    ("abs", 0, &[]),
    ("b64decode", 0, &[]),
    ("b64encode", 0, &[]),
    ("base64_decode", 0, &[]),
    ("base64_encode", 0, &[]),
    ("capitalize", 0, &[]),
    ("center", 0, &["width"]),
    ("count", 0, &[]),
    ("d", 0, &["default_value", "boolean"]),
    ("default", 0, &["default_value", "boolean"]),
    ("dictsort", 0, &["case_sensitive", "by", "reverse"]),
    ("difference", 1, &["other"]),
    ("escape", 0, &[]),
    ("first", 0, &[]),
    ("float", 0, &["default"]),
    ("indent", 0, &["width", "first", "blank"]),
    ("int", 0, &["default", "base"]),
    ("intersect", 1, &["other"]),
    ("items", 0, &[]),
    ("join", 0, &["d", "attribute"]),
    ("last", 0, &[]),
    ("length", 0, &[]),
    ("list", 0, &[]),
    ("lower", 0, &[]),
    ("md5", 0, &[]),
    ("regex_escape", 0, &[]),
    ("replace", 2, &["old", "new", "count"]),
    ("reverse", 0, &[]),
    ("round", 0, &["precision", "method"]),
    ("sequence", 0, &[]),
    ("sha256", 0, &[]),
    ("sha512", 0, &[]),
    ("string", 0, &[]),
    ("symmetric_difference", 1, &["other"]),
    ("title", 0, &[]),
    ("to_bool", 0, &[]),
    ("trim", 0, &["chars"]),
    ("union", 1, &["other"]),
    ("upper", 0, &[]),
    ("wordcount", 0, &[]),
    ("yaml_dquote", 0, &[]),
    ("yaml_encode", 0, &[]),
    ("yaml_squote", 0, &[]),
];

impl<'t> Engine<'_, 't> {
    pub(super) fn filter(
        &mut self,
        expr: &'t Arc<Expr>,
        value: Option<&'t Arc<Expr>>,
        name: &str,
        name_span: Span,
        args: &'t [Argument],
    ) -> Ty {
        // A default is for a value that may be missing.
        let may = matches!(name, "default" | "d");
        // The body of a filter block, or of a block set, is text.
        let input = value.map_or(Ty::STR, |v| self.eval(v, if may { Ask::May } else { Ask::Need }));
        let given = self.arguments(args);
        if let Some(value) = value {
            self.filter_input(name, &input, value.span);
        }
        self.filter_arguments(expr, name, name_span, args);
        let ty = filtered(name, &input, args, &given);
        let tells = input.is_secret() && !matches!(name, "length" | "count" | "to_bool");
        if tells || given.iter().any(Ty::is_secret) { ty.secret() } else { ty }
    }

    /// Rendering stops with an error where a filter is given what it cannot work on.
    fn filter_input(&mut self, name: &str, input: &Ty, span: Span) {
        let needs: (&[Kind], &str) = match name {
            "dictsort" | "items" => (&[Kind::Number, Kind::Text, Kind::List], "a map"),
            "first" | "last" | "length" | "count" | "join" | "sort" | "unique" | "map" | "select"
            | "reject" | "selectattr" | "rejectattr" | "groupby" | "batch" | "sum" => {
                (&[Kind::Number], "a list")
            }
            _ => return,
        };
        let members = input.members();
        if members.is_empty() || !members.iter().all(|m| needs.0.contains(&m.kind())) {
            return;
        }
        let message = format!("The filter `{name}` needs {}, and is given {}", needs.1, input.describe());
        let help = match (name, input.shown()) {
            ("dictsort" | "items", Ty::List(_)) => {
                format!("the pairs of a map, as `.items()` gives them, need no `{name}`")
            }
            _ => format!("give it {}", needs.1),
        };
        self.push(Diagnostic::new(&WRONG_FILTER_ARGUMENTS, span, message).help(help));
    }

    fn filter_arguments(&mut self, expr: &'t Arc<Expr>, name: &str, name_span: Span, args: &'t [Argument]) {
        let Some((_, least, names)) = ARGUMENTS.iter().find(|(n, ..)| *n == name) else { return };
        if args.iter().any(|a| a.spread) {
            return;
        }
        for (word, span) in args.iter().filter_map(|a| a.name.as_ref()) {
            // minijinja and Jinja call some of them differently.
            if names.contains(&word.as_str()) || EITHER.contains(&word.as_str()) {
                continue;
            }
            let diagnostic = Diagnostic::new(
                &WRONG_FILTER_ARGUMENTS,
                *span,
                format!("The filter `{name}` has no argument `{word}`"),
            );
            self.push(match nearest(word, names.iter().copied()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None if names.is_empty() => diagnostic.help("it takes no arguments"),
                None => diagnostic.help(list_of("its arguments are", names)),
            });
        }
        let positional = args.iter().filter(|a| a.name.is_none()).count();
        if positional > names.len() {
            let first = args.iter().filter(|a| a.name.is_none()).nth(names.len());
            let span = first.map_or(expr.span, |a| a.value.span);
            let takes = super::arguments::count(names.len(), "argument");
            let message = format!("The filter `{name}` takes {takes}, and is given {positional}");
            let diagnostic = Diagnostic::new(&WRONG_FILTER_ARGUMENTS, span, message);
            self.push(if names.is_empty() {
                diagnostic.help("remove it")
            } else {
                diagnostic.help(list_of("its arguments are", names))
            });
        } else if args.len() < *least {
            let missing = names.get(args.len()).copied().unwrap_or_default();
            let needs = super::arguments::count(*least, "argument");
            let message = format!("The filter `{name}` needs {needs}: `{missing}` is missing");
            self.push(
                Diagnostic::new(&WRONG_FILTER_ARGUMENTS, name_span, message)
                    .help(format!("write `{name}({})`", names[..*least].join(", "))),
            );
        }
    }
}

/// What a filter makes of a value.
fn filtered(name: &str, input: &Ty, args: &[Argument], given: &[Ty]) -> Ty {
    let plain = input.shown().clone();
    match name {
        "default" | "d" => {
            let fallback = given.first().cloned().unwrap_or_else(|| Ty::text(""));
            let boolean = args.get(1).is_some_and(|a| {
                matches!(&a.value.kind, ExprKind::Literal(Value::Bool(true)) | ExprKind::Name(_))
            });
            let left = input.defined();
            let left = if boolean { left.filter(|m| !matches!(m, Ty::Null)) } else { left };
            left.or(fallback)
        }
        "length" | "count" | "int" | "wordcount" | "human_to_bytes" => match (name, plain) {
            ("int", Ty::Str(Some(text))) => Ty::Int(text.trim().parse().ok()),
            _ => Ty::INT,
        },
        "float" | "avg" | "round" => Ty::Float,
        "abs" | "sum" => Ty::GAP,
        "bool"
        | "to_bool"
        | "is_ip"
        | "is_ipv4"
        | "is_ipv6"
        | "is_hex"
        | "is_iter"
        | "is_list"
        | "is_sorted"
        | "contains_whitespace"
        | "exactly_n_true"
        | "exactly_one_true"
        | "check_whitelist_blacklist"
        | "substring_in_list" => Ty::BOOL,
        "lower" => folded(&plain, str::to_lowercase),
        "upper" => folded(&plain, str::to_uppercase),
        "capitalize"
        | "title"
        | "trim"
        | "strip"
        | "indent"
        | "replace"
        | "string"
        | "join"
        | "json"
        | "tojson"
        | "yaml"
        | "yaml_dquote"
        | "yaml_squote"
        | "yaml_encode"
        | "format"
        | "center"
        | "truncate"
        | "wordwrap"
        | "urlencode"
        | "urlize"
        | "xmlattr"
        | "escape"
        | "e"
        | "forceescape"
        | "safe"
        | "striptags"
        | "pprint"
        | "base64_encode"
        | "base64_decode"
        | "b64encode"
        | "b64decode"
        | "md5"
        | "sha1"
        | "sha256"
        | "sha512"
        | "hmac"
        | "uuid"
        | "regex_replace"
        | "regex_escape"
        | "strftime"
        | "date_format"
        | "quote"
        | "path_join"
        | "to_snake_case"
        | "to_camelcase"
        | "filesizeformat"
        | "dict_to_sls_yaml_params"
        | "random_hash"
        | "file_hashsum"
        | "basename"
        | "dirname"
        | "gen_mac"
        | "random_str"
        | "which" => Ty::STR,
        "first" | "last" | "random" | "min" | "max" => {
            let items = Ty::union(plain.members().iter().map(each));
            if items == Ty::Never { Ty::GAP } else { items }
        }
        "list" | "sort" | "unique" | "reverse" | "random_shuffle" | "sorted_ignorecase" | "random_sample" => {
            match plain.kind() {
                // A text reversed is a text.
                Kind::Text if name == "reverse" => Ty::STR,
                Kind::Any => Ty::list(Ty::GAP),
                _ => {
                    let items = Ty::union(plain.members().iter().map(each));
                    Ty::list(if items == Ty::Never { Ty::GAP } else { items })
                }
            }
        }
        "sequence" => match plain.kind() {
            Kind::List | Kind::Any => plain,
            _ => Ty::list(plain),
        },
        "union" | "difference" | "intersect" | "symmetric_difference" => {
            let others = given.first().map(|t| Ty::union(t.members().iter().map(each))).unwrap_or(Ty::GAP);
            let own = Ty::union(plain.members().iter().map(each));
            Ty::list(if name == "difference" { own } else { own.or(others) })
        }
        "split" | "lines" => Ty::list(Ty::STR),
        "keys" => Ty::list(Ty::union(plain.members().iter().map(each))),
        "items" | "dictsort" => match &plain {
            Ty::Record(record) if record.openness == Openness::Closed && !record.fields.is_empty() => {
                let values = Ty::union(record.fields.values().map(|f| f.ty.clone()));
                Ty::list(Ty::Tuple([Ty::STR, values].into()))
            }
            Ty::Map(value) => Ty::list(Ty::Tuple([Ty::STR, (**value).clone()].into())),
            Ty::Record(_) => Ty::list(Ty::Tuple([Ty::STR, Ty::DYNAMIC].into())),
            _ => Ty::list(Ty::Tuple([Ty::GAP, Ty::GAP].into())),
        },
        "combine" | "merge" => given.iter().fold(plain, |below, over| overlaid(&below, over)),
        "regex_search" | "regex_match" => Ty::DYNAMIC,
        "traverse" => Ty::DYNAMIC,
        _ => Ty::GAP,
    }
}

/// A text whose letters change; of a known text, or one of a few, the result is known.
fn folded(ty: &Ty, fold: fn(&str) -> String) -> Ty {
    match ty {
        Ty::Str(Some(text)) => Ty::text(&fold(text)),
        Ty::Union(members) if members.iter().all(|m| matches!(m, Ty::Str(Some(_)))) => {
            Ty::union(members.iter().map(|m| folded(m, fold)))
        }
        _ => Ty::STR,
    }
}

/// Names of arguments that differ between Jinja and minijinja, for one and the same thing.
const EITHER: [&str; 10] =
    ["value", "default_value", "default", "separator", "sep", "from", "to", "s", "indentfirst", "width"];
