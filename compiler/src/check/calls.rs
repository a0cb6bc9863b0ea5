//! Names in templates that belong to the language: filters, tests, and functions called through `salt[…]`.

use super::{
    functions::list_of,
    walk::{bindings, roots, visit},
};
use crate::{
    diagnostic::{Applicability, Diagnostic, Severity, nearest, nearest_or_longer},
    rule,
    source::Span,
    syntax::{
        Tree,
        expression::{Argument, Expr, ExprKind},
    },
    types::{Effect, FunctionKind, Registry, Value},
};
use std::sync::Arc;

rule! {
    /// A template uses a filter that does not exist.
    ///
    /// Rendering fails on every peel.
    ///
    /// ```yaml
    /// motd:
    ///   test.nop:
    ///     - comment: {{ 'hello' | uper }}
    /// ```
    ///
    /// ```yaml
    /// motd:
    ///   test.nop:
    ///     - comment: {{ 'hello' | upper }}
    /// ```
    pub UNKNOWN_FILTER = "Z0403", "unknown-filter", Error;

    /// A template uses a test (`x is …`) that does not exist.
    ///
    /// Rendering fails on every peel.
    ///
    /// ```yaml
    /// {% if settings.get('port') is defind %}
    /// motd:
    ///   test.nop: []
    /// {% endif %}
    /// ```
    ///
    /// ```yaml
    /// {% if settings.get('port') is defined %}
    /// motd:
    ///   test.nop: []
    /// {% endif %}
    /// ```
    pub UNKNOWN_TEST = "Z0404", "unknown-test", Error;

    /// A template calls a function through `salt[…]` that does not exist.
    ///
    /// Rendering fails on every peel, and so it does where the name is no text in brackets: `salt('pillar.get')(…)`,
    /// `salt[pillar.get](…)`. A name that is near to nothing may come from a custom module outside of the
    /// project, and is a warning.
    ///
    /// ```yaml
    /// motd:
    ///   test.nop:
    ///     - comment: {{ salt['pillar.gte']('motd', 'hello') }}
    /// ```
    ///
    /// ```yaml
    /// motd:
    ///   test.nop:
    ///     - comment: {{ salt['pillar.get']('motd', 'hello') }}
    /// ```
    pub UNKNOWN_EXEC_FUNCTION = "Z0405", "unknown-exec-function", Error;

    /// A template calls a function that changes the machine.
    ///
    /// Rendering happens on every run, in test mode too, and long before the states run in their order. A change
    /// belongs into a state; `module.run` makes one of a function that has none.
    ///
    /// ```yaml
    /// motd:
    ///   test.nop:
    ///     - comment: {{ salt['service.restart']('nginx') }}
    /// ```
    ///
    /// ```yaml
    /// restart nginx:
    ///   module.run:
    ///     - service.restart:
    ///       - name: nginx
    /// ```
    pub MUTATING_CALL = "Z0406", "mutating-call", Error;

    /// A template runs a command while it renders.
    ///
    /// It runs on every rendering, in test mode too, and sees the machine as it was before any state ran.
    ///
    /// ```yaml
    /// motd:
    ///   test.nop:
    ///     - comment: {{ salt['cmd.run']('uptime') }}
    /// ```
    ///
    /// Where a fact or an exec function gives the same answer, use it:
    ///
    /// ```yaml
    /// motd:
    ///   test.nop:
    ///     - comment: {{ grains['id'] }}
    /// ```
    pub COMMAND_CALL = "Z0407", "command-while-rendering", Hint;

    /// A function that a template calls has no argument of that name.
    ///
    /// The call fails on every peel that renders it.
    ///
    /// ```yaml
    /// {% set version = salt['pkg.version'](pkgname='nginx') %}
    /// ```
    ///
    /// `zester doc pkg.version` lists the arguments:
    ///
    /// ```yaml
    /// {% set version = salt['pkg.version']('nginx') %}
    /// ```
    pub UNKNOWN_ARGUMENT = "Z0408", "unknown-argument", Error;
}

/// Filters of Jinja, Salt and Zester.
pub const FILTERS: &[&str] = &[
    // Jinja's.
    "abs",
    "attr",
    "batch",
    "capitalize",
    "center",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "filesizeformat",
    "first",
    "float",
    "forceescape",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "random",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "slice",
    "sort",
    "string",
    "striptags",
    "sum",
    "title",
    "tojson",
    "trim",
    "truncate",
    "unique",
    "upper",
    "urlencode",
    "urlize",
    "wordcount",
    "wordwrap",
    "xmlattr",
    "lines",
    "split",
    "bool",
    "chain",
    "zip",
    // Salt's.
    "append_domain",
    "avg",
    "base64_decode",
    "base64_encode",
    "blake2b",
    "check_whitelist_blacklist",
    "combine",
    "compare_dicts",
    "compare_lists",
    "datetime",
    "date_format",
    "decode_dict",
    "decode_list",
    "dict_to_sls_yaml_params",
    "difference",
    "dns_check",
    "dns_query",
    "encode_dict",
    "encode_list",
    "environ",
    "exactly_n_true",
    "exactly_one_true",
    "file_hashsum",
    "flatten",
    "gen_mac",
    "gzip_string",
    "hmac",
    "hmac_compute",
    "host_to_ips",
    "hsum",
    "http_query",
    "human_to_bytes",
    "intersect",
    "ip_host",
    "ip_host_query",
    "ip_to_host",
    "ipaddr",
    "ipv4",
    "ipv6",
    "ipwrap",
    "is_bin_file",
    "is_bin_str",
    "is_binary_file",
    "is_empty",
    "is_hex",
    "is_ip",
    "is_ipv4",
    "is_ipv6",
    "is_iter",
    "is_list",
    "is_sorted",
    "is_text_file",
    "isnum",
    "json",
    "json_decode_dict",
    "json_decode_list",
    "json_encode_dict",
    "json_encode_list",
    "json_query",
    "keyvalue",
    "list_files",
    "load_json",
    "load_text",
    "load_yaml",
    "mac_str_to_bytes",
    "mdadm",
    "md5",
    "merge",
    "method_call",
    "mysql_to_dict",
    "network_hosts",
    "network_size",
    "numeric",
    "parse_config",
    "path_join",
    "percent_encode",
    "print",
    "python",
    "quote",
    "rand_str",
    "random_hash",
    "random_sample",
    "random_shuffle",
    "range",
    "regex_escape",
    "regex_match",
    "regex_replace",
    "regex_search",
    "sequence",
    "set_dict_key_value",
    "update_dict_key_value",
    "append_dict_key_value",
    "extend_dict_key_value",
    "sha1",
    "sha224",
    "sha256",
    "sha384",
    "sha512",
    "shuffle",
    "skip",
    "sorted_ignorecase",
    "strftime",
    "str_to_num",
    "substring_in_list",
    "symmetric_difference",
    "tls",
    "to_bool",
    "to_bytes",
    "to_dict",
    "to_entries",
    "from_entries",
    "to_num",
    "to_snake_case",
    "to_camelcase",
    "traverse",
    "union",
    "uuid",
    "which",
    "which_bin",
    "xml_escape",
    "xml",
    "yaml",
    "yaml_dquote",
    "yaml_encode",
    "yaml_squote",
    "ifelse",
    "jmespath",
    "raise",
    "human_readable",
    "contains_whitespace",
    "get_uid",
    "stringify",
    "warn",
    "b64encode",
    "b64decode",
    "hash",
    "cidr_to_netmask",
    "filter_by_networks",
    "random_str",
    "combinations",
    "combinations_with_replacement",
    "compress",
    "permutations",
    "product",
    "zip_longest",
];

/// Tests of Jinja and Salt.
pub const TESTS: &[&str] = &[
    "boolean",
    "callable",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "escaped",
    "even",
    "false",
    "filter",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "safe",
    "sameas",
    "sequence",
    "startingwith",
    "string",
    "test",
    "true",
    "undefined",
    "upper",
    // Salt's.
    "contains_whitespace",
    "equalto",
    "list",
    "match",
    "search",
    "dict",
    "regex_match",
    "is_ip",
];

/// What a project brings itself.
pub struct Custom<'a> {
    /// Modules of exec functions by name (`_modules/`).
    pub modules: &'a super::functions::CustomModules,
    /// Whether the project brings filters or tests of its own.
    pub filters: bool,
}

/// Checks all names of a file.
pub fn check_calls(tree: &Tree, registry: &Registry, custom: &Custom<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for root in roots(&tree.template) {
        visit(root, &mut |expr| match &expr.kind {
            ExprKind::Filter { name, name_span, .. } if !name.is_empty() && !custom.filters => {
                check_word(&UNKNOWN_FILTER, "filter", name, *name_span, FILTERS, diagnostics);
            }
            ExprKind::Test { name, name_span, .. } if !name.is_empty() && !custom.filters => {
                check_word(&UNKNOWN_TEST, "test", name, *name_span, TESTS, diagnostics);
            }
            ExprKind::Call { callee, args } => {
                if let Some((name, span)) = exec_name(callee) {
                    check_exec(&name, span, registry, custom, diagnostics);
                    check_arguments(&name, args, registry, custom, diagnostics);
                } else if let Some(diagnostic) = written_wrong(expr)
                    && bindings(&tree.template).iter().all(|b| !is_data(b.name))
                {
                    diagnostics.push(diagnostic);
                }
            }
            _ => {}
        });
    }
}

fn check_word(
    rule: &'static crate::diagnostic::Rule,
    kind: &str,
    name: &str,
    span: Span,
    known: &[&str],
    diagnostics: &mut Vec<Diagnostic>,
) {
    // A dotted name is an exec function used as a filter, as some renderers allow.
    if known.contains(&name) || name.contains('.') {
        return;
    }
    let mut diagnostic = Diagnostic::new(rule, span, format!("There is no {kind} `{name}`"));
    diagnostic = match nearest_or_longer(name, known.iter().copied()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(
            format!("rename to `{near}`"),
            Applicability::Unsafe,
            span,
            near,
        ),
        None if kind == "filter" && TESTS.contains(&name) => {
            diagnostic.help(format!("`{name}` is a test: write `is {name}`"))
        }
        None if kind == "test" && FILTERS.contains(&name) => {
            diagnostic.help(format!("`{name}` is a filter: write `| {name}`"))
        }
        None => diagnostic.help(format!("the language guide lists all {kind}s")),
    };
    diagnostics.push(diagnostic);
}

/// The literal name that a callee stands for: `salt['a.b']`, `salt["a.b"]`, `salt.a.b`, `zester[…]`.
pub fn exec_name(callee: &Arc<Expr>) -> Option<(String, Span)> {
    let is_accessor = |e: &Arc<Expr>| matches!(&e.kind, ExprKind::Name(n) if n == "salt" || n == "zester");
    match &callee.kind {
        ExprKind::Index { object, index } if is_accessor(object) => match &index.kind {
            ExprKind::Literal(Value::Str(name)) => Some((name.clone(), index.span)),
            _ => None,
        },
        ExprKind::Attribute { object, name, name_span } => match &object.kind {
            ExprKind::Attribute { object: root, name: module, name_span: module_span }
                if is_accessor(root) =>
            {
                Some((format!("{module}.{name}"), module_span.to(*name_span)))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Names that a file may bind anew, so that they are no longer what they are elsewhere.
fn is_data(name: &str) -> bool {
    ENVIRONMENT_FUNCTIONS.iter().any(|f| f.split_once('.').is_some_and(|(module, _)| module == name))
        || name == "salt"
}

/// Ways to write `salt['pillar.get'](…)` that call nothing: `salt('pillar.get')(…)` and `salt[pillar.get](…)`.
fn written_wrong(expr: &Arc<Expr>) -> Option<Diagnostic> {
    let ExprKind::Call { callee, args: outer } = &expr.kind else { return None };
    let is_salt = |e: &Arc<Expr>| matches!(&e.kind, ExprKind::Name(n) if n == "salt");
    let (name, span, message, replacement) = match &callee.kind {
        // What is called is the answer, so the inner call can mean nothing but a look-up.
        ExprKind::Call { callee: inner, args } if is_salt(inner) => {
            let [Argument { name: None, spread: false, value }] = args.as_slice() else { return None };
            let ExprKind::Literal(Value::Str(name)) = &value.kind else { return None };
            let message = "`salt` is no function: functions are looked up in it by their names";
            (name.clone(), callee.span, message, format!("salt['{name}']"))
        }
        ExprKind::Index { object, index } if is_salt(object) => {
            let ExprKind::Attribute { object: module, name, .. } = &index.kind else { return None };
            let ExprKind::Name(module) = &module.kind else { return None };
            let name = format!("{module}.{name}");
            let message = "The name of a function in `salt[…]` is a text, in quotes";
            (name.clone(), index.span, message, format!("'{name}'"))
        }
        _ => return None,
    };
    // Only names that exist: anything else may be a variable of the tree's own.
    if !ENVIRONMENT_FUNCTIONS.contains(&name.as_str()) || outer.iter().any(|a| a.spread) {
        return None;
    }
    Some(
        Diagnostic::new(&UNKNOWN_EXEC_FUNCTION, span, message)
            .help(format!("write `salt['{name}'](…)`"))
            .fix(format!("write `{replacement}`"), Applicability::Unsafe, span, replacement),
    )
}

fn check_exec(
    name: &str,
    span: Span,
    registry: &Registry,
    custom: &Custom<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let Some((module, function)) = name.split_once('.') else { return };
    // `salt.pillar.get`'s kin with a further dot are values of a module, not functions.
    if module.is_empty() || function.is_empty() || function.contains('.') || custom.modules.contains(module) {
        return;
    }
    let provided = registry.get(FunctionKind::Exec, module, function);
    let effect = match provided {
        Some(signature) => signature.effect,
        None if MUTATING_FUNCTIONS.contains(&name) => Effect::Mutating,
        None if COMMAND_FUNCTIONS.contains(&name) => Effect::Command,
        None => Effect::Probe,
    };
    match effect {
        Effect::Mutating => {
            let message = format!(
                "`{name}` changes the machine, and rendering must not: it happens on every run, in test mode too"
            );
            diagnostics.push(
                Diagnostic::new(&MUTATING_CALL, span, message)
                    .help(format!("make it a state of its own: `module.run` with `- {name}: []`")),
            );
            return;
        }
        Effect::Command => {
            let message = format!("`{name}` runs a command on every rendering, before any state has run");
            diagnostics.push(
                Diagnostic::new(&COMMAND_CALL, span, message)
                    .help("use a fact or a reading function where one gives the same answer"),
            );
            return;
        }
        Effect::Pure | Effect::Probe if provided.is_some() => return,
        Effect::Pure | Effect::Probe => {}
    }
    if ENVIRONMENT_FUNCTIONS.contains(&name)
        || registry.exists_elsewhere(FunctionKind::Exec, module, function)
    {
        return;
    }
    diagnostics.push(unknown_exec(name, span, registry));
}

/// The finding about a function that does not exist, with what may have been meant.
pub(super) fn unknown_exec(name: &str, span: Span, registry: &Registry) -> Diagnostic {
    let (module, function) = name.split_once('.').unwrap_or((name, ""));
    let functions: Vec<&str> = registry
        .functions(FunctionKind::Exec, module)
        .chain(registry.elsewhere_functions(FunctionKind::Exec, module))
        .collect();
    let message = format!("There is no function `{name}`");
    if let Some(near) = nearest(function, functions.iter().copied()) {
        return Diagnostic::new(&UNKNOWN_EXEC_FUNCTION, span, message)
            .help(format!("did you mean `{module}.{near}`?"));
    }
    if registry.get(FunctionKind::State, module, function).is_some()
        || registry.exists_elsewhere(FunctionKind::State, module, function)
    {
        return Diagnostic::new(&UNKNOWN_EXEC_FUNCTION, span, message)
            .help(format!("`{name}` exists as a state function: write a state instead of calling it"));
    }
    let modules: Vec<&str> = registry
        .modules(FunctionKind::Exec)
        .chain(registry.elsewhere_modules(FunctionKind::Exec))
        .filter(|m| {
            registry.get(FunctionKind::Exec, m, function).is_some()
                || registry.exists_elsewhere(FunctionKind::Exec, m, function)
        })
        .collect();
    // A short module name is one edit away from many; only a name of some length is surely a typo.
    if functions.is_empty()
        && module.len() > 4
        && let Some(near) = nearest(module, modules.iter().copied())
    {
        return Diagnostic::new(&UNKNOWN_EXEC_FUNCTION, span, message)
            .help(format!("did you mean `{near}.{function}`?"));
    }
    let mut diagnostic = Diagnostic::new(&UNKNOWN_EXEC_FUNCTION, span, message)
        .help("a custom module lives in `_modules/` of the state tree");
    diagnostic.severity = Severity::Warning;
    diagnostic
}

/// Named arguments against the signature of a function that is provided here.
fn check_arguments(
    name: &str,
    args: &[Argument],
    registry: &Registry,
    custom: &Custom<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let Some((module, function)) = name.split_once('.') else { return };
    let Some(signature) = registry.get(FunctionKind::Exec, module, function) else { return };
    if signature.open || custom.modules.contains(module) || ENVIRONMENT_FUNCTIONS.contains(&name) {
        return;
    }
    let names: Vec<&str> = signature.params.iter().map(|p| &*p.name).collect();
    for (word, span) in args.iter().filter_map(|a| a.name.as_ref()) {
        if signature.param(word).is_some() {
            continue;
        }
        diagnostics.push(unknown_argument(name, word, *span, &names));
    }
}

/// The finding about an argument that a function does not have.
pub(super) fn unknown_argument(name: &str, word: &str, span: Span, names: &[&str]) -> Diagnostic {
    let message = format!("`{name}` has no argument `{word}`");
    let diagnostic = Diagnostic::new(&UNKNOWN_ARGUMENT, span, message);
    match nearest(word, names.iter().copied()) {
        Some(near) => diagnostic.did_you_mean(near),
        None if names.is_empty() => diagnostic.help(format!("`{name}` takes no arguments")),
        None => diagnostic.help(list_of("its arguments are", names)),
    }
}

/// Salt's functions that change the machine, whether or not they are provided here.
const MUTATING_FUNCTIONS: &[&str] = &[
    "service.start",
    "service.stop",
    "service.restart",
    "service.reload",
    "service.enable",
    "service.disable",
    "service.mask",
    "service.unmask",
    "pkg.install",
    "pkg.remove",
    "pkg.purge",
    "pkg.upgrade",
    "file.append",
    "file.write",
    "file.remove",
    "file.rename",
    "file.copy",
    "file.symlink",
    "file.touch",
    "file.replace",
    "file.sed",
    "file.chown",
    "file.set_mode",
    "file.mkdir",
    "file.makedirs",
    "file.rmdir",
    "user.add",
    "user.delete",
    "group.add",
    "group.delete",
    "group.adduser",
    "system.reboot",
    "system.shutdown",
    "system.halt",
    "system.poweroff",
    "state.apply",
    "state.sls",
    "state.highstate",
    "state.single",
    "mount.mount",
    "mount.umount",
    "cron.set_job",
    "cron.rm_job",
    "git.clone",
    "git.pull",
    "hosts.add_host",
    "network.mod_hostname",
    "timezone.set_zone",
    "locale.set_locale",
    "sysctl.assign",
    "sysctl.persist",
    "grains.setval",
    "grains.append",
    "grains.delval",
];

/// Salt's functions that run a command of the author's.
const COMMAND_FUNCTIONS: &[&str] = &[
    "cmd.run",
    "cmd.run_all",
    "cmd.run_stdout",
    "cmd.run_stderr",
    "cmd.retcode",
    "cmd.shell",
    "cmd.script",
    "cmd.exec_code",
    "cmd.exec_code_all",
    "cmd.script_retcode",
    "cmd.powershell",
];

/// Functions the template environment answers itself, from facts and settings.
pub const ENVIRONMENT_FUNCTIONS: &[&str] = &[
    "pillar.get",
    "pillar.item",
    "pillar.items",
    "pillar.keys",
    "pillar.fetch",
    "pillar.raw",
    "pillar.ls",
    "settings.get",
    "facts.get",
    "grains.get",
    "grains.item",
    "grains.items",
    "grains.fetch",
    "grains.has_value",
    "grains.filter_by",
    "grains.ls",
    "config.get",
    "config.option",
    "defaults.get",
    "defaults.merge",
    "defaults.update",
    "defaults.deepcopy",
    "slsutil.merge",
    "slsutil.merge_all",
    "slsutil.update",
    "slsutil.boolstr",
    "match.glob",
    "match.compound",
    "match.pcre",
    "match.grain",
    "match.grain_pcre",
    "match.list",
    "match.pillar",
    "match.pillar_pcre",
    "match.ipcidr",
    "match.filter_by",
    "mine.get",
    "basket.get",
    "log.debug",
    "log.info",
    "log.warning",
    "log.error",
    "log.critical",
    "log.exception",
    "log.trace",
    "log.warn",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_known_word_is_near_enough_to_hide_a_typo_of_itself() {
        assert_eq!(nearest("uper", FILTERS.iter().copied()), Some("upper"));
        assert_eq!(nearest("defualt", FILTERS.iter().copied()), Some("default"));
        assert_eq!(nearest("defind", TESTS.iter().copied()), Some("defined"));
    }
}
