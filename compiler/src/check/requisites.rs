//! Requisites of one state, and of states among each other: targets that do not exist, cycles, requisites that can
//! never be met together.

use crate::{
    diagnostic::{Diagnostic, nearest},
    ir::Requisite,
    lower::document::{Reference, Target, requisite_name},
    rule,
    source::Span,
    types::FunctionName,
};

rule! {
    /// A requisite names a state that does not exist.
    ///
    /// A run would fail, and nothing is ever created by a reference. The state may be in a file that is not
    /// included, have another function, or another id.
    ///
    /// ```yaml
    /// nginx:
    ///   pkg.installed: []
    ///   service.running:
    ///     - require:
    ///       - pkg: ngnix
    /// ```
    ///
    /// A requisite finds a state by its id or its name:
    ///
    /// ```yaml
    /// nginx:
    ///   pkg.installed: []
    ///   service.running:
    ///     - require:
    ///       - pkg: nginx
    /// ```
    pub UNKNOWN_REQUISITE = "Z0301", "unknown-requisite", Error;

    /// Requisites form a circle: each state waits for the next, and the last for the first.
    ///
    /// No order of execution satisfies them. The message names every state of the circle and the place of each
    /// requisite.
    ///
    /// ```yaml
    /// a:
    ///   test.nop:
    ///     - require: [ { id: b } ]
    /// b:
    ///   test.nop:
    ///     - require: [ { id: a } ]
    /// ```
    ///
    /// Remove one of the requisites:
    ///
    /// ```yaml
    /// a:
    ///   test.nop:
    ///     - require: [ { id: b } ]
    /// b:
    ///   test.nop: []
    /// ```
    pub REQUISITE_CYCLE = "Z0303", "requisite-cycle", Error;

    /// A state requires itself.
    ///
    /// ```yaml
    /// nginx:
    ///   service.running:
    ///     - require:
    ///       - service: nginx
    /// ```
    ///
    /// Name the state that was meant, often the package of the same id:
    ///
    /// ```yaml
    /// nginx:
    ///   pkg.installed: []
    ///   service.running:
    ///     - require:
    ///       - pkg: nginx
    /// ```
    pub SELF_REQUISITE = "Z0304", "self-requisite", Error;

    /// Two requisites on one target can never be met together.
    ///
    /// `onfail` wants the target to have failed, `require` and its kin want it to have succeeded, so the state never
    /// runs.
    ///
    /// ```yaml
    /// report:
    ///   cmd.run:
    ///     - require: [ { cmd: job } ]
    ///     - onfail: [ { cmd: job } ]
    /// ```
    ///
    /// Keep the one that is meant:
    ///
    /// ```yaml
    /// report:
    ///   cmd.run:
    ///     - onfail: [ { cmd: job } ]
    /// ```
    pub CONTRADICTORY_REQUISITES = "Z0305", "contradictory-requisites", Error;

    /// `onchanges` names only states that never report a change, so the state never runs.
    ///
    /// ```yaml
    /// anchor:
    ///   test.nop: []
    /// reload:
    ///   cmd.run:
    ///     - onchanges:
    ///       - test: anchor
    /// ```
    ///
    /// Name the states that change something:
    ///
    /// ```yaml
    /// /etc/app.conf:
    ///   file.managed:
    ///     - source: zester://app.conf
    /// reload:
    ///   cmd.run:
    ///     - onchanges:
    ///       - file: /etc/app.conf
    /// ```
    pub UNREACHABLE_STATE = "Z0306", "unreachable-state", Warning;
}

/// A target as messages write it.
pub fn describe(target: &Target) -> String {
    match target {
        Target::Module { module, name } => format!("{module}: {name}"),
        Target::Function { function, name } => format!("{function}: {name}"),
        Target::Sls(reference) => format!("sls: {reference}"),
        Target::Id(name) => name.clone(),
        Target::Unknown => "a computed target".to_owned(),
    }
}

/// A state that a requisite could mean.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its function.
    pub function: &'a FunctionName,
}

/// The finding about a reference that matches nothing. `candidates` are all states there are; `files` all refs.
pub fn unknown<'a>(
    reference: &Reference,
    candidates: impl Iterator<Item = Candidate<'a>> + Clone,
    files: impl Iterator<Item = &'a str>,
) -> Diagnostic {
    let word = word(reference);
    let diagnostic = Diagnostic::new(
        &UNKNOWN_REQUISITE,
        reference.name_span,
        format!("`{word}` names no state that exists: {}", describe(&reference.target)),
    );
    let help = match &reference.target {
        Target::Sls(wanted) => match nearest(wanted, files) {
            Some(near) => format!("did you mean `sls: {near}`?"),
            None => format!("include `{wanted}` in this file, so that its states are part of the run"),
        },
        Target::Unknown => return diagnostic,
        Target::Id(name) => match nearest(name, candidates.clone().flat_map(|c| [c.id, c.name])) {
            Some(near) => format!("did you mean `{near}`?"),
            None => not_included(),
        },
        Target::Module { module, name } => {
            let same = candidates.clone().filter(|c| c.function.module == *module);
            other_kind(name, candidates.clone())
                .or_else(|| {
                    nearest(name, same.flat_map(|c| [c.id, c.name]))
                        .map(|near| format!("did you mean `{module}: {near}`?"))
                })
                .unwrap_or_else(not_included)
        }
        Target::Function { function, name } => {
            let same = candidates.clone().filter(|c| c.function == function);
            other_kind(name, candidates.clone())
                .or_else(|| {
                    nearest(name, same.flat_map(|c| [c.id, c.name]))
                        .map(|near| format!("did you mean `{function}: {near}`?"))
                })
                .unwrap_or_else(not_included)
        }
    };
    diagnostic.help(help)
}

fn not_included() -> String {
    "define it, or include the file that does".to_owned()
}

/// "`nginx` is `pkg.latest`": the id is right and the kind is not.
fn other_kind<'a>(name: &str, candidates: impl Iterator<Item = Candidate<'a>>) -> Option<String> {
    let mut kinds: Vec<String> =
        candidates.filter(|c| c.id == name || c.name == name).map(|c| c.function.to_string()).collect();
    kinds.sort();
    kinds.dedup();
    let (first, rest) = kinds.split_first()?;
    let all = std::iter::once(first).chain(rest).map(|k| format!("`{k}`")).collect::<Vec<_>>().join(" and ");
    Some(format!("`{name}` is {all}: write `{first}: {name}`"))
}

/// The requisite's word as it was written.
pub fn word(reference: &Reference) -> String {
    let name = requisite_name(reference.requisite);
    if reference.inverted { format!("{name}_in") } else { name.to_owned() }
}

/// The finding about a state that refers to itself.
pub fn itself(reference: &Reference, id: &str) -> Diagnostic {
    Diagnostic::new(&SELF_REQUISITE, reference.span, format!("`{id}` is its own `{}`", word(reference)))
        .help("name the state that has to come first")
}

/// Whether two requisites of one state on one target can never be met together.
pub fn contradict(a: Requisite, b: Requisite) -> bool {
    let fails = |r| matches!(r, Requisite::Onfail | Requisite::OnfailAll);
    let succeeds =
        |r| matches!(r, Requisite::Require | Requisite::Watch | Requisite::Onchanges | Requisite::Prereq);
    (fails(a) && succeeds(b)) || (fails(b) && succeeds(a))
}

/// The finding about two such requisites; `second` is the one that must be edited.
pub fn contradiction(first: (Requisite, Span), second: (Requisite, Span), target: &str) -> Diagnostic {
    let (one, other) = (requisite_name(first.0), requisite_name(second.0));
    Diagnostic::new(
        &CONTRADICTORY_REQUISITES,
        second.1,
        format!("`{other}` and `{one}` on `{target}` can never be met together, so this state never runs"),
    )
    .label(first.1, format!("`{one}` is here"))
    .help("one wants the target to fail, the other to succeed; keep the one that is meant")
}

/// Contradictions among the references that one state writes itself. Targets are compared as written.
pub fn contradictions(references: &[Reference], diagnostics: &mut Vec<Diagnostic>) {
    for (index, second) in references.iter().enumerate() {
        let clash = references[..index].iter().find(|first| {
            !first.inverted
                && !second.inverted
                && first.target == second.target
                && first.target != Target::Unknown
                && contradict(first.requisite, second.requisite)
                // `onfail` on several targets is met by any of them.
                && references.iter().filter(|r| r.requisite == onfail_of(first, second)).count() == 1
        });
        if let Some(first) = clash {
            let target = describe(&second.target);
            diagnostics.push(contradiction(
                (first.requisite, first.span),
                (second.requisite, second.span),
                &target,
            ));
        }
    }
}

fn onfail_of(a: &Reference, b: &Reference) -> Requisite {
    if matches!(a.requisite, Requisite::Onfail | Requisite::OnfailAll) { a.requisite } else { b.requisite }
}

/// One step of a cycle: who needs whom, by which requisite, written where.
#[derive(Clone, Debug)]
pub struct Step {
    /// `pkg.installed: nginx`
    pub from: String,
    /// `require`
    pub word: &'static str,
    /// The state it names.
    pub to: String,
    /// Where the requisite is written.
    pub span: Span,
}

/// The finding about a cycle; the last step written is the primary place.
pub fn cycle(steps: &[Step]) -> Option<Diagnostic> {
    let last = steps.iter().max_by_key(|s| (s.span.file, s.span.start))?;
    let first = steps.first()?;
    let mut path = first.from.clone();
    for step in steps {
        path.push_str(&format!(" → {}", step.to));
    }
    let mut diagnostic =
        Diagnostic::new(&REQUISITE_CYCLE, last.span, format!("These states wait for each other: {path}"));
    for step in steps {
        if step.span != last.span {
            diagnostic =
                diagnostic.label(step.span, format!("`{}` has `{}` on `{}`", step.from, step.word, step.to));
        }
    }
    Some(diagnostic.help("remove one of these requisites"))
}

/// The finding about `onchanges` on states that never change.
pub fn unreachable(span: Span, id: &str, functions: &[String]) -> Diagnostic {
    let functions: Vec<String> = functions.iter().map(|f| format!("`{f}`")).collect();
    Diagnostic::new(
        &UNREACHABLE_STATE,
        span,
        format!("`{id}` never runs: {} never reports a change", functions.join(", ")),
    )
    .help("name the states that change something, or use `require`")
}
