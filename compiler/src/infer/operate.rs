//! Operators: arithmetic, comparison, `in`, `and`, `or`.

use super::{
    Ask, Engine, narrow,
    ty::{Kind, Ty},
};
use crate::{
    diagnostic::{Applicability, Diagnostic, Severity},
    rule,
    source::Span,
    syntax::expression::{Expr, ExprKind},
};
use std::sync::Arc;

rule! {
    /// A comparison can never be true.
    ///
    /// The two sides are of kinds that are never equal, or a word is none of those that the value can be. The branch
    /// behind it is never taken.
    ///
    /// ```yaml
    /// {% if facts.os == 'ubuntu' %}
    /// apt-transport-https:
    ///   pkg.installed: []
    /// {% endif %}
    /// ```
    ///
    /// ```yaml
    /// {% if facts.os.platform == 'ubuntu' %}
    /// apt-transport-https:
    ///   pkg.installed: []
    /// {% endif %}
    /// ```
    pub IMPOSSIBLE_COMPARISON = "Z0425", "impossible-comparison", Warning;

    /// An operator has an operand that it cannot work on.
    ///
    /// Rendering stops there with an error: text and numbers are not added, a map is no number.
    ///
    /// ```yaml
    /// {% set workers = grains.num_cpus * 2 %}
    /// motd:
    ///   test.nop:
    ///     - comment: {{ 'workers: ' + workers }}
    /// ```
    ///
    /// `~` joins anything as text:
    ///
    /// ```yaml
    /// {% set workers = grains.num_cpus * 2 %}
    /// motd:
    ///   test.nop:
    ///     - comment: {{ 'workers: ' ~ workers }}
    /// ```
    pub WRONG_OPERAND = "Z0419", "wrong-operand", Error;
}

impl<'t> Engine<'_, 't> {
    pub(super) fn binary(
        &mut self,
        expr: &'t Arc<Expr>,
        operator: &'static str,
        left: &'t Arc<Expr>,
        right: &'t Arc<Expr>,
    ) -> Ty {
        if matches!(operator, "and" | "or") {
            let first = self.eval(left, Ask::Need);
            let mark = self.env.mark();
            narrow::assume(self, left, operator == "and");
            let second = self.eval(right, Ask::Need);
            self.env.rollback(mark);
            return if operator == "or" {
                first.filter(|m| !is_false(m)).or(second)
            } else {
                first.filter(may_be_false).or(second)
            };
        }
        let a = self.eval(left, Ask::Need);
        let b = self.eval(right, Ask::Need);
        let secret = a.is_secret() || b.is_secret();
        let ty = match operator {
            "==" | "!=" => {
                self.equality(expr, operator, left, right, &a, &b);
                return Ty::BOOL;
            }
            "<" | ">" | "<=" | ">=" => {
                self.ordering(expr, operator, &a, &b);
                return Ty::BOOL;
            }
            "in" | "not in" => {
                self.containment(left, right, &a, &b);
                return Ty::BOOL;
            }
            "~" => Ty::STR,
            "+" => self.sum(expr, left, right, &a, &b),
            "*" => match (a.shown(), b.shown()) {
                (Ty::Str(_), Ty::Int(_)) | (Ty::Int(_), Ty::Str(_)) => Ty::STR,
                (Ty::List(_), _) => a.clone(),
                _ => self.arithmetic(expr, operator, &a, &b),
            },
            // A format of Python's.
            "%" if matches!(a.shown(), Ty::Str(_) | Ty::Word(_)) => Ty::STR,
            "/" => {
                self.arithmetic(expr, operator, &a, &b);
                Ty::Float
            }
            _ => self.arithmetic(expr, operator, &a, &b),
        };
        if secret { ty.secret() } else { ty }
    }

    fn arithmetic(&mut self, expr: &'t Arc<Expr>, operator: &str, a: &Ty, b: &Ty) -> Ty {
        for ty in [a, b] {
            let certain = !ty.members().is_empty()
                && ty
                    .members()
                    .iter()
                    .all(|m| matches!(m.kind(), Kind::Text | Kind::Map | Kind::List | Kind::Null));
            if certain {
                let message = format!("`{operator}` needs two numbers, and one side is {}", ty.describe());
                self.push(Diagnostic::new(&WRONG_OPERAND, expr.span, message).help(match ty.kind() {
                    Kind::Text => "turn the text into a number with `| int`".to_owned(),
                    _ => "only numbers can be computed with".to_owned(),
                }));
                return Ty::GAP;
            }
        }
        let whole = |ty: &Ty| matches!(ty.shown(), Ty::Int(_) | Ty::Bool(_));
        match (whole(a), whole(b)) {
            (true, true) => Ty::INT,
            _ if *a == Ty::Float || *b == Ty::Float => Ty::Float,
            _ => Ty::GAP,
        }
    }

    fn sum(&mut self, expr: &'t Arc<Expr>, left: &'t Arc<Expr>, right: &'t Arc<Expr>, a: &Ty, b: &Ty) -> Ty {
        let kind = |ty: &Ty| match ty.members() {
            [] => Kind::Any,
            [first, rest @ ..] if rest.iter().all(|m| m.kind() == first.kind()) => first.kind(),
            _ => Kind::Any,
        };
        match (kind(a), kind(b)) {
            (Kind::Text, Kind::Text) => match (a, b) {
                (Ty::Str(Some(x)), Ty::Str(Some(y))) if x.len() + y.len() < 200 => {
                    Ty::text(&format!("{x}{y}"))
                }
                _ => Ty::STR,
            },
            (Kind::Number, Kind::Number) => self.arithmetic(expr, "+", a, b),
            (Kind::List, Kind::List) => {
                let items = [a, b].into_iter().flat_map(|t| t.members().iter().map(super::known::each));
                Ty::list(Ty::union(items))
            }
            (Kind::Any | Kind::Undefined, _) | (_, Kind::Any | Kind::Undefined) => Ty::GAP,
            (x, y) => {
                let message =
                    format!("`+` cannot add {} and {}", a.widened().describe(), b.widened().describe());
                let mut diagnostic = Diagnostic::new(&WRONG_OPERAND, expr.span, message);
                let text = matches!((x, y), (Kind::Text, _) | (_, Kind::Text));
                diagnostic = if matches!((x, y), (Kind::List, Kind::Text) | (Kind::Text, Kind::List)) {
                    diagnostic.help("put the text into a list of its own: `[…]`")
                } else if text {
                    let between = Span { start: left.span.end, end: right.span.start, ..expr.span };
                    let plus = self.tree.text.get(between.range()).and_then(|t| t.find('+'));
                    let diagnostic = diagnostic.help("`~` joins anything as text");
                    match plus {
                        Some(at) => {
                            let start = between.start + at as u32;
                            let span = Span { start, end: start + 1, ..between };
                            diagnostic.fix("join with `~`", Applicability::Unsafe, span, "~")
                        }
                        None => diagnostic,
                    }
                } else {
                    diagnostic.help("both sides must be numbers, texts or lists")
                };
                self.push(diagnostic);
                Ty::GAP
            }
        }
    }

    fn equality(
        &mut self,
        expr: &'t Arc<Expr>,
        operator: &str,
        left: &'t Arc<Expr>,
        right: &'t Arc<Expr>,
        a: &Ty,
        b: &Ty,
    ) {
        for (value, value_ty, other, other_ty) in [(left, a, right, b), (right, b, left, a)] {
            let Ty::Str(Some(word)) = other_ty else { continue };
            if !matches!(&other.kind, ExprKind::Literal(_)) {
                continue;
            }
            let words: Vec<&str> = match value_ty.shown() {
                Ty::Word(words) => words.iter().map(|w| &**w).collect(),
                Ty::Union(members) => {
                    let literals: Option<Vec<&str>> = members
                        .iter()
                        .map(|m| match m {
                            Ty::Str(Some(text)) => Some(&**text),
                            _ => None,
                        })
                        .collect();
                    literals.unwrap_or_default()
                }
                _ => continue,
            };
            if words.is_empty() || words.contains(&&**word) {
                continue;
            }
            let open = matches!(value_ty.shown(), Ty::Word(_));
            let near = near_word(word, &words);
            if open && near.is_none() {
                continue;
            }
            let text = self.tree.text.get(value.span.range()).unwrap_or("the value");
            let (never, what) = if operator == "==" { ("never", "is") } else { ("always", "is not") };
            let message = format!("`{text}` {never} {what} `{word}`");
            let span = self.within_quotes(other.span);
            let diagnostic = Diagnostic::new(&IMPOSSIBLE_COMPARISON, span, message);
            self.push(match near {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(
                    format!("compare with `{near}`"),
                    Applicability::Unsafe,
                    span,
                    near,
                ),
                None => diagnostic.help(crate::check::functions::list_of("it can be", &words)),
            });
            return;
        }
        self.kinds_differ(expr, operator, left, right, a, b);
    }

    /// Two kinds that are never equal.
    fn kinds_differ(
        &mut self,
        expr: &'t Arc<Expr>,
        operator: &str,
        left: &'t Arc<Expr>,
        right: &'t Arc<Expr>,
        a: &Ty,
        b: &Ty,
    ) {
        let kinds = |ty: &Ty| {
            let kinds: Vec<Kind> = ty.members().iter().map(Ty::kind).collect();
            (!kinds.is_empty() && !kinds.contains(&Kind::Any)).then_some(kinds)
        };
        let (Some(x), Some(y)) = (kinds(a), kinds(b)) else { return };
        let nothing = |kinds: &[Kind]| kinds.iter().any(|k| matches!(k, Kind::Null | Kind::Undefined));
        // `none` and what is missing are compared with anything, to ask whether they are that.
        if x.iter().any(|k| y.contains(k)) || nothing(&x) || nothing(&y) {
            return;
        }
        let (subject, ty, other) =
            if matches!(&left.kind, ExprKind::Literal(_)) { (right, b, a) } else { (left, a, b) };
        let text = self.tree.text.get(subject.span.range()).unwrap_or("the value");
        let never = if operator == "==" { "never true" } else { "always true" };
        let message = format!(
            "`{text}` is {}, which is never equal to {}: this is {never}",
            ty.widened().describe(),
            other.describe()
        );
        let mut diagnostic = Diagnostic::new(&IMPOSSIBLE_COMPARISON, expr.span, message);
        if x.contains(&Kind::Map) || y.contains(&Kind::Map) {
            diagnostic.severity = Severity::Error;
        }
        let is_bool = |ty: &Ty| ty.members().iter().all(|m| matches!(m, Ty::Bool(_)));
        let help = match ty {
            _ if is_bool(ty) => match other {
                Ty::Str(Some(word))
                    if matches!(
                        &*word.to_ascii_lowercase(),
                        "true" | "false" | "yes" | "no" | "on" | "off"
                    ) =>
                {
                    format!(
                        "compare with `{}`, without quotes, or use it as it is",
                        matches!(&*word.to_ascii_lowercase(), "true" | "yes" | "on")
                    )
                }
                _ => "use it as it is, or with `not`".to_owned(),
            },
            Ty::Record(record) if !record.fields.is_empty() => {
                let keys: Vec<&str> = record.fields.keys().map(|k| &**k).collect();
                crate::check::functions::list_of("compare one of its keys", &keys)
            }
            _ if ty.kind() == Kind::Number && other.kind() == Kind::Text => match other {
                Ty::Str(Some(digits)) if digits.parse::<i64>().is_ok() => {
                    format!("compare with the number {digits}, without quotes")
                }
                _ => "compare with a number".to_owned(),
            },
            _ if ty.kind() == Kind::Text && other.kind() == Kind::Number => {
                "compare with text in quotes, or turn the value into a number with `| int`".to_owned()
            }
            _ if ty.kind() == Kind::List => "ask with `in` whether the list has it".to_owned(),
            _ => "compare values of one kind".to_owned(),
        };
        diagnostic = diagnostic.help(help);
        self.push(diagnostic);
    }

    fn ordering(&mut self, expr: &'t Arc<Expr>, operator: &str, a: &Ty, b: &Ty) {
        let certain =
            |ty: &Ty, kind: Kind| !ty.members().is_empty() && ty.members().iter().all(|m| m.kind() == kind);
        let mixed = (certain(a, Kind::Text) && certain(b, Kind::Number))
            || (certain(a, Kind::Number) && certain(b, Kind::Text));
        let maps = [a, b].into_iter().any(|t| certain(t, Kind::Map));
        let is_scalar = |ty: &Ty| certain(ty, Kind::Number) || certain(ty, Kind::Text);
        let lists = (certain(a, Kind::List) && is_scalar(b)) || (is_scalar(a) && certain(b, Kind::List));
        if mixed || maps || lists {
            let message = format!(
                "`{operator}` cannot order {} and {}",
                a.widened().describe(),
                b.widened().describe()
            );
            self.push(Diagnostic::new(&WRONG_OPERAND, expr.span, message).help(if maps {
                "maps have no order"
            } else if lists {
                "compare how many items it has: `| length`"
            } else {
                "turn the text into a number with `| int`"
            }));
        }
    }

    fn containment(&mut self, left: &'t Arc<Expr>, right: &'t Arc<Expr>, a: &Ty, b: &Ty) {
        let certain = !b.members().is_empty()
            && b.members().iter().all(|m| matches!(m.kind(), Kind::Number | Kind::Null));
        if certain {
            let message = format!("`in` looks into {}, which holds nothing", b.describe());
            self.push(
                Diagnostic::new(&WRONG_OPERAND, right.span, message)
                    .help("the right side of `in` is a list, a map or text"),
            );
            return;
        }
        // `grains.os_family in ['Debain', 'RedHat']`: each word that is nearly one of those it can be.
        if let (Ty::Word(words), ExprKind::List(items) | ExprKind::Tuple(items)) = (a.shown(), &right.kind) {
            for item in items {
                let ExprKind::Literal(crate::types::Value::Str(word)) = &item.kind else { continue };
                let words: Vec<&str> = words.iter().map(|w| &**w).collect();
                if words.contains(&word.as_str()) {
                    continue;
                }
                let Some(near) = near_word(word, &words) else { continue };
                let text = self.tree.text.get(left.span.range()).unwrap_or("the value");
                let span = self.within_quotes(item.span);
                self.push(never_is(span, &format!("`{text}`"), word, near));
            }
        }
    }
}

/// The finding about a word that something never is.
pub(super) fn never_is(span: Span, subject: &str, word: &str, near: &str) -> Diagnostic {
    Diagnostic::new(&IMPOSSIBLE_COMPARISON, span, format!("{subject} never is `{word}`"))
        .help(format!("did you mean `{near}`?"))
        .fix(format!("compare with `{near}`"), Applicability::Unsafe, span, near)
}

/// The word that was meant: the same in other letters, or one with a slip in it.
pub(super) fn near_word<'w>(word: &str, words: &[&'w str]) -> Option<&'w str> {
    words
        .iter()
        .find(|w| w.eq_ignore_ascii_case(word))
        .copied()
        .or_else(|| super::report::typo(word, words.iter().copied()))
}

fn is_false(ty: &Ty) -> bool {
    matches!(ty, Ty::Null | Ty::Undefined | Ty::Bool(Some(false)) | Ty::Int(Some(0)))
        || matches!(ty, Ty::Str(Some(text)) if text.is_empty())
}

fn may_be_false(ty: &Ty) -> bool {
    match ty {
        Ty::Bool(Some(true)) | Ty::Macro(_) => false,
        Ty::Int(Some(i)) => *i == 0,
        Ty::Str(Some(text)) => text.is_empty(),
        _ => true,
    }
}
