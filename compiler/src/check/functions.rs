//! Names of state functions: does `module.function` exist?

use crate::{
    diagnostic::{Applicability, Diagnostic, nearest},
    rule,
    source::Span,
    types::{FunctionKind, FunctionName, Registry},
};

rule! {
    /// A state names a module that does not exist.
    ///
    /// The state would fail on every peel. When the name is near to a module that exists it is a typo and an error;
    /// a name that is near to nothing may come from a custom module that the project does not hold, and is a warning.
    ///
    /// ```yaml
    /// nginx:
    ///   pgk.installed: []
    /// ```
    ///
    /// Write the module's name as `zester doc` lists it, or put the custom module into `_modules/`:
    ///
    /// ```yaml
    /// nginx:
    ///   pkg.installed: []
    /// ```
    pub UNKNOWN_MODULE = "Z0201", "unknown-module", Error;

    /// A state names a function that its module does not have.
    ///
    /// The state would fail on every peel.
    ///
    /// ```yaml
    /// nginx:
    ///   pkg.instaled: []
    /// ```
    ///
    /// `zester doc pkg` lists the functions of a module:
    ///
    /// ```yaml
    /// nginx:
    ///   pkg.installed: []
    /// ```
    pub UNKNOWN_FUNCTION = "Z0202", "unknown-function", Error;

    /// A state names a function that Salt has and Zester does not provide.
    ///
    /// The name is right, and the state cannot run here. A custom module of that name in `_modules/` provides it.
    ///
    /// ```yaml
    /// /srv/chroot:
    ///   zk_concurrency.lock: []
    /// ```
    pub NOT_PROVIDED = "Z0211", "not-provided", Warning;
}

pub use crate::modules::CustomModules;

/// Checks that a state function exists. `module_span` and `function_span` are the places of the two words.
pub fn check_function(
    name: &FunctionName,
    module_span: Span,
    function_span: Span,
    registry: &Registry,
    custom: &CustomModules,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if registry.get(FunctionKind::State, &name.module, &name.function).is_some()
        || custom.contains(&name.module)
    {
        return;
    }
    let full = name.to_string();
    let instead = registry.elsewhere(&full);
    if instead.is_some() || registry.exists_elsewhere(FunctionKind::State, &name.module, &name.function) {
        let diagnostic = Diagnostic::new(
            &NOT_PROVIDED,
            module_span.to(function_span),
            format!("`{full}` is a state function of Salt that is not provided here"),
        );
        let help = "a custom module of that name in `_modules/` can provide it";
        diagnostics.push(diagnostic.help(instead.unwrap_or(help)));
        return;
    }
    if registry.has_module(FunctionKind::State, &name.module)
        || registry.elsewhere_functions(FunctionKind::State, &name.module).next().is_some()
    {
        diagnostics.push(unknown_function(name, function_span, registry));
    } else {
        diagnostics.push(unknown_module(name, module_span, module_span.to(function_span), registry));
    }
}

fn unknown_function(name: &FunctionName, span: Span, registry: &Registry) -> Diagnostic {
    let FunctionName { module, function } = name;
    let names: Vec<&str> = registry
        .functions(FunctionKind::State, module)
        .chain(registry.elsewhere_functions(FunctionKind::State, module))
        .collect();
    let diagnostic = Diagnostic::new(
        &UNKNOWN_FUNCTION,
        span,
        format!("The module `{module}` has no state function `{function}`"),
    );
    if let Some(near) = nearest(function, names.iter().copied()) {
        return diagnostic.help(format!("did you mean `{module}.{near}`?")).fix(
            format!("rename to `{near}`"),
            Applicability::Unsafe,
            span,
            near,
        );
    }
    if is_exec(name, registry) {
        return diagnostic.help(format!(
            "`{name}` exists as an exec function: call it with `module.run`, or in a template as `salt['{name}']`"
        ));
    }
    diagnostic.help(list_of(&format!("`{module}` has"), &names))
}

fn is_exec(name: &FunctionName, registry: &Registry) -> bool {
    registry.get(FunctionKind::Exec, &name.module, &name.function).is_some()
        || registry.exists_elsewhere(FunctionKind::Exec, &name.module, &name.function)
}

fn unknown_module(name: &FunctionName, module_span: Span, whole: Span, registry: &Registry) -> Diagnostic {
    let FunctionName { module, function } = name;
    let modules: Vec<&str> = registry
        .modules(FunctionKind::State)
        .chain(registry.elsewhere_modules(FunctionKind::State))
        .collect();
    let message = format!("There is no state module `{module}`");
    // The nearest module that has such a function: `pgk.installed` is `pkg.installed`, not `pip.installed`.
    let exact: Vec<&str> = modules
        .iter()
        .copied()
        .filter(|m| {
            registry.get(FunctionKind::State, m, function).is_some()
                || registry.exists_elsewhere(FunctionKind::State, m, function)
        })
        .collect();
    if let Some(near) = nearest(module, exact.iter().copied()).or_else(|| near_module(module, &modules)) {
        return Diagnostic::new(&UNKNOWN_MODULE, module_span, message)
            .help(format!("did you mean `{near}.{function}`?"))
            .fix(format!("rename to `{near}`"), Applicability::Unsafe, module_span, near);
    }
    if is_exec(name, registry) {
        return Diagnostic::new(&UNKNOWN_MODULE, whole, format!("There is no state function `{name}`"))
            .help(format!("`{name}` exists as an exec function: call it with `module.run`"));
    }
    let mut diagnostic = Diagnostic::new(&UNKNOWN_MODULE, module_span, message)
        .help("a custom module lives in `_modules/` of the state tree; `zester doc` lists the built-in ones");
    // It may come from a place that is not part of the project.
    diagnostic.severity = crate::diagnostic::Severity::Warning;
    diagnostic
}

/// A module near enough to be a typo. Names of four letters and fewer are near to much, so for them only a swapped,
/// missing or doubled letter counts, as in `pgk` or `flie`.
fn near_module<'a>(module: &str, modules: &[&'a str]) -> Option<&'a str> {
    let mut candidates: Vec<&'a str> = modules.to_vec();
    candidates.sort_unstable();
    candidates.dedup();
    if module.chars().count() > 4 {
        // None of them has the function: more than one edit is as likely another module as a typo.
        return nearest(
            module,
            candidates.into_iter().filter(|c| strsim::damerau_levenshtein(module, c) <= 1),
        );
    }
    let sorted = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    let letters = sorted(module);
    candidates.into_iter().find(|c| sorted(c) == letters)
}

/// `prefix a, b, c`, cut when there are many.
pub(crate) fn list_of(prefix: &str, names: &[&str]) -> String {
    const SHOWN: usize = 12;
    let mut sorted: Vec<&str> = names.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let more = sorted.len().saturating_sub(SHOWN);
    let shown: Vec<String> = sorted.iter().take(SHOWN).map(|n| format!("`{n}`")).collect();
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{prefix} {}{rest}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diagnostic::Severity,
        source::FileId,
        types::{Effect, Signature},
    };

    fn registry() -> Registry {
        let mut registry = Registry::new();
        for (module, function, kind) in [
            ("pkg", "installed", FunctionKind::State),
            ("pip", "installed", FunctionKind::State),
            ("service", "running", FunctionKind::State),
            ("pkg", "version", FunctionKind::Exec),
        ] {
            registry.add(Signature {
                module: module.into(),
                function: function.into(),
                kind,
                doc: "".into(),
                params: Vec::new(),
                constraints: Vec::new(),
                returns: crate::types::Type::Any,
                open: false,
                effect: Effect::Mutating,
                watches: false,
                never_changes: false,
                fleet: false,
                platforms: &[],
            });
        }
        registry.set_elsewhere(FunctionKind::State, "iptables: append insert");
        registry
    }

    fn check(name: &str) -> Vec<(&'static str, Severity, String)> {
        let name = FunctionName::parse(name).unwrap();
        let (a, b) = (Span::new(FileId(0), 0..3), Span::new(FileId(0), 4..9));
        let mut found = Vec::new();
        check_function(&name, a, b, &registry(), &CustomModules::opaque(["mine".to_owned()]), &mut found);
        found.into_iter().map(|d| (d.rule.name, d.severity, d.help.unwrap_or_default())).collect()
    }

    #[test]
    fn typos_are_errors_with_the_name_that_was_meant() {
        let found = check("pgk.installed");
        assert_eq!(found, [("unknown-module", Severity::Error, "did you mean `pkg.installed`?".to_owned())]);
        let found = check("pkg.instaled");
        assert_eq!(
            found,
            [("unknown-function", Severity::Error, "did you mean `pkg.installed`?".to_owned())]
        );
        let found = check("iptables.apend");
        assert_eq!(found[0].2, "did you mean `iptables.append`?");
    }

    #[test]
    fn an_exec_function_is_told_apart() {
        assert!(check("pkg.version")[0].2.contains("exists as an exec function"));
    }

    #[test]
    fn what_may_exist_elsewhere_is_no_error() {
        assert_eq!(check("iptables.append")[0].0, "not-provided");
        assert_eq!(check("qvm.vm")[0].1, Severity::Warning);
        // Two edits from `service`, and no function of that name there: a module of the site's own.
        assert_eq!(check("servicex2.applied")[0].1, Severity::Warning);
        assert!(check("mine.anything").is_empty());
    }
}
