//! Targets against what facts and settings there are: names with a slip in them, words that a fact never is, settings
//! that nothing defines. They would match nobody, and say nothing.

use super::{
    Data, Engine,
    report::{known_grain, typo},
    ty::{Openness, Origin, Ty},
};
use crate::{
    diagnostic::{Diagnostic, Severity},
    source::Span,
    syntax::expression::{Argument, ExprKind},
    target::{
        Comparison, Condition, Form, Pattern, Target, UNKNOWN_FACT_IN_TARGET, UNKNOWN_SETTING_IN_TARGET,
    },
    types::Value,
};

/// What is suspicious in a target.
pub fn judge_target(data: &Data, target: &Target) -> Vec<Diagnostic> {
    target
        .patterns()
        .into_iter()
        .filter_map(|(pattern, span)| match pattern {
            Pattern::Fact(conditions) => fact(data, conditions, span),
            Pattern::Setting(conditions) => setting(data, conditions, span),
            _ => None,
        })
        .collect()
}

fn fact(data: &Data, conditions: &[Condition], span: Span) -> Option<Diagnostic> {
    let condition = conditions.first()?;
    let name = condition.path.first()?;
    if name.contains('.') || data.is_custom(name) {
        return None;
    }
    let known = match &data.grains {
        Ty::Record(record) => record.fields.get(name.as_str()),
        _ => None,
    };
    let mut found = match known {
        None => {
            let near = known_grain(name)?;
            Diagnostic::new(&UNKNOWN_FACT_IN_TARGET, span, format!("There is no grain `{name}`"))
                .help(format!("did you mean `{near}`?"))
        }
        Some(field) => {
            let Ty::Word(words) = &field.ty else { return None };
            let Comparison::Equal(glob) = &condition.comparison else { return None };
            let value = glob.source();
            if value.contains(['*', '?', '[']) || words.iter().any(|w| w.eq_ignore_ascii_case(value)) {
                return None;
            }
            let near = typo(value, words.iter().map(|w| &**w))?;
            Diagnostic::new(&UNKNOWN_FACT_IN_TARGET, span, format!("`{name}` never is `{value}`"))
                .help(format!("did you mean `{near}`?"))
        }
    };
    found.severity = Severity::Warning;
    Some(found)
}

fn setting(data: &Data, conditions: &[Condition], span: Span) -> Option<Diagnostic> {
    // The last condition has the longest path; each key must be there.
    let condition = conditions.last()?;
    let mut current = data.settings.clone();
    for (index, key) in condition.path.iter().enumerate() {
        // Below a map stands one of its keys; below anything else, a value with colons.
        let Ty::Record(record) = current.shown() else { return None };
        if index > 0 && key.contains(['*', '?', '[']) {
            return None;
        }
        // Dots may part keys, too.
        if key.contains('.') {
            return None;
        }
        match record.fields.get(key.as_str()) {
            Some(field) => current = field.ty.clone(),
            None if record.openness == Openness::Open => return None,
            None => {
                // Where settings may be elsewhere too, only a slip is one.
                let near = typo(key, record.fields.keys().map(|k| &**k));
                if near.is_none() && record.openness != Openness::Closed {
                    return None;
                }
                debug_assert!(matches!(record.origin, Origin::Settings(_) | Origin::Value));
                let path = condition.path[..=index].join(":");
                let message = format!("No settings file defines `{path}`, so this matches no peel");
                let found = Diagnostic::new(&UNKNOWN_SETTING_IN_TARGET, span, message);
                return Some(match near {
                    Some(near) => found.help(format!("did you mean `{near}`?")),
                    None => found.help("for a fact write `G@…`"),
                });
            }
        }
    }
    None
}

impl Engine<'_, '_> {
    /// The literal target that a function is given.
    pub(super) fn target_argument(&mut self, form: Form, argument: Option<&Argument>) {
        let Some(argument) = argument else { return };
        let ExprKind::Literal(Value::Str(text)) = &argument.value.kind else { return };
        let span = self.within_quotes(argument.value.span);
        if self.tree.text.get(span.range()) != Some(text) {
            return;
        }
        let (target, mut found) = match form {
            Form::Compound => Target::parse(text, span),
            form => Target::parse_as(form, text, span),
        };
        found.extend(target.check_groups(self.world.around.nodegroups()));
        found.extend(target.check_facts());
        found.extend(judge_target(self.world.data, &target));
        for diagnostic in found {
            self.push(diagnostic);
        }
    }
}
