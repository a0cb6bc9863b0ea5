//! Names that are bound for nothing, and names that hide others.

use super::Engine;
use crate::{
    check::{summary::UseKind, workspace::UnitKind},
    diagnostic::{Diagnostic, Severity, nearest},
    rule,
    syntax::template::{BlockKind, StatementKind},
};
use std::collections::HashSet;

rule! {
    /// A variable is set and never used.
    ///
    /// It may be left over, or the place that should use it has another name.
    ///
    /// ```yaml
    /// {% set port = 80 %}
    /// motd:
    ///   test.nop: []
    /// ```
    ///
    /// ```yaml
    /// {% set port = 80 %}
    /// motd:
    ///   test.nop:
    ///     - comment: {{ port }}
    /// ```
    pub UNUSED_VARIABLE = "Z0416", "unused-variable", Hint;

    /// A variable has the name of something that every template sees.
    ///
    /// From here on the name means the variable, and the facts, settings or functions behind it are out of reach.
    ///
    /// ```yaml
    /// {% set grains = ['wheat', 'rye'] %}
    /// motd:
    ///   test.nop:
    ///     - comment: {{ grains | join(', ') }}
    /// ```
    ///
    /// ```yaml
    /// {% set cereals = ['wheat', 'rye'] %}
    /// motd:
    ///   test.nop:
    ///     - comment: {{ cereals | join(', ') }}
    /// ```
    pub SHADOWED_NAME = "Z0417", "shadowed-name", Warning;
}

impl Engine<'_, '_> {
    /// Reports names that are bound for nothing, and those that hide what every template sees.
    pub(super) fn unused(&mut self) {
        let template = &self.tree.template;
        let mut bound = Vec::new();
        let mut shadows = Vec::new();
        for statement in &template.statements {
            match &statement.kind {
                StatementKind::Set { targets, .. } => {
                    // Of what is taken apart, some may not be wanted.
                    let wanted =
                        targets.len() > 1 && targets.iter().any(|(n, _)| self.used.contains(n.as_str()));
                    let names = targets.iter().filter(|(n, _)| !n.contains('.'));
                    let names = names.map(|(n, s)| (n.as_str(), *s));
                    if wanted { shadows.extend(names) } else { bound.extend(names) }
                }
                StatementKind::ImportData { name, .. } => bound.push((name.0.as_str(), name.1)),
                _ => {}
            }
        }
        shadows.extend(bound.iter().copied());
        for block in &template.blocks {
            match &block.kind {
                BlockKind::Set { name, .. } | BlockKind::Load { name, .. } => {
                    bound.push((&name.0, name.1));
                    shadows.push((&name.0, name.1));
                }
                BlockKind::For { targets, .. } => {
                    shadows.extend(targets.iter().map(|(n, s)| (n.as_str(), *s)));
                }
                _ => {}
            }
        }
        self.shadowed(&shadows);
        let is_entry = matches!(self.unit.kind, UnitKind::States | UnitKind::Settings | UnitKind::Top(_));
        let others = self.world.around.is_used(self.unit.path);
        // What is included or imported with context may use anything; without it, it was perhaps meant to.
        let shares = self.unit.summary.uses.iter().any(|u| !matches!(u.kind, UseKind::Data | UseKind::Text));
        if !is_entry || others || shares || self.tree.opaque.is_some() {
            return;
        }
        let mut seen = HashSet::new();
        for (name, span) in bound {
            if self.used.contains(name) || name.starts_with('_') || !seen.insert(name) {
                continue;
            }
            // The same slip is reported where the other name is used.
            let mut others = self.used.iter().copied().filter(|u| !self.bound.contains_key(u));
            if others.any(|other| nearest(other, [name]).is_some()) {
                continue;
            }
            self.push(
                Diagnostic::new(&UNUSED_VARIABLE, span, format!("`{name}` is never used"))
                    .help("remove it, or begin its name with `_`"),
            );
        }
    }

    fn shadowed(&mut self, bound: &[(&str, crate::source::Span)]) {
        // The names that a Salt tree may use for its own variables are those that Salt does not have.
        let is_salt = self.unit.tree_path.rsplit('.').next() == Some("sls");
        let mut seen = HashSet::new();
        for (name, span) in bound {
            let severity = match *name {
                "grains" | "pillar" | "salt" | "loop" => Severity::Warning,
                "facts" | "settings" | "zester" | "basket" if !is_salt => Severity::Hint,
                _ => continue,
            };
            if !seen.insert(*name) {
                continue;
            }
            let message = format!("The variable `{name}` hides the `{name}` that every template sees");
            let mut diagnostic =
                Diagnostic::new(&SHADOWED_NAME, *span, message).help("give the variable another name");
            diagnostic.severity = severity;
            self.push(diagnostic);
        }
    }
}
