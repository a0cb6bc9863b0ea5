//! What authors write most, counted in 57 public Salt trees: the order in which names are offered.

use crate::types::FunctionName;

/// State functions with their uses among 18,139.
const FUNCTIONS: &[(&str, u32)] = &[
    ("file.managed", 4363),
    ("pkg.installed", 2124),
    ("cmd.run", 1894),
    ("file.absent", 1331),
    ("file.directory", 1176),
    ("service.running", 894),
    ("file.symlink", 372),
    ("service.dead", 294),
    ("module.run", 280),
    ("file.replace", 221),
    ("pkgrepo.managed", 191),
    ("user.present", 181),
    ("pip.installed", 160),
    ("file.recurse", 155),
    ("test.nop", 149),
    ("pkg.latest", 145),
    ("cron.present", 141),
    ("file.append", 134),
    ("sysctl.present", 128),
    ("group.present", 122),
    ("git.latest", 110),
    ("pkg.removed", 94),
    ("archive.extracted", 90),
    ("file.blockreplace", 60),
    ("service.enabled", 54),
    ("ssh_auth.present", 50),
    ("host.present", 40),
    ("cmd.wait", 40),
    ("file.line", 35),
    ("pkg.purged", 34),
    ("service.disabled", 30),
    ("mount.mounted", 29),
    ("file.exists", 27),
    ("cron.absent", 25),
    ("pkgrepo.absent", 20),
    ("alternatives.set", 15),
    ("kmod.present", 14),
];

/// Parameters of the functions at the head of the list, in order of use.
const PARAMETERS: &[(&str, &[&str])] = &[
    (
        "file.managed",
        &[
            "source",
            "mode",
            "user",
            "group",
            "template",
            "name",
            "makedirs",
            "context",
            "contents",
            "replace",
            "defaults",
            "contents_pillar",
            "source_hash",
            "skip_verify",
            "show_changes",
        ],
    ),
    (
        "pkg.installed",
        &["name", "pkgs", "refresh", "install_recommends", "names", "version", "sources", "fromrepo", "hold"],
    ),
    ("cmd.run", &["name", "unless", "runas", "cwd", "onlyif", "creates", "env", "shell", "timeout"]),
    (
        "file.directory",
        &["user", "group", "mode", "makedirs", "name", "dir_mode", "recurse", "file_mode", "clean"],
    ),
    ("service.running", &["enable", "watch", "name", "reload", "require", "sig", "full_restart", "unmask"]),
    ("file.symlink", &["target", "force", "makedirs"]),
    (
        "pkgrepo.managed",
        &[
            "name",
            "file",
            "humanname",
            "key_url",
            "gpgcheck",
            "clean_file",
            "baseurl",
            "enabled",
            "gpgkey",
            "ppa",
            "keyserver",
            "keyid",
        ],
    ),
    ("file.replace", &["pattern", "repl", "append_if_not_found", "count", "flags"]),
    ("user.present", &["shell", "home", "groups", "gid", "uid", "createhome", "system", "password"]),
    ("file.recurse", &["source", "file_mode", "dir_mode", "template", "clean", "exclude_pat"]),
    ("cron.present", &["identifier", "minute", "user", "hour", "daymonth", "dayweek", "month", "special"]),
    ("archive.extracted", &["source", "source_hash", "enforce_toplevel", "archive_format", "options"]),
    ("git.latest", &["target", "rev", "user", "force_reset", "branch"]),
];

/// Parameters of which nearly every use of a function has one, though none has to be there.
const TYPICAL: &[(&str, &[&str])] = &[(
    "file.managed",
    &[
        "source",
        "contents",
        "contents_pillar",
        "contents_grains",
        "template",
        "context",
        "defaults",
        "replace",
        "source_hash",
        "check_cmd",
    ],
)];

/// Whether nearly every use of a function has some parameter that is not among those that are there.
pub fn is_untypical(function: &str, present: &[String]) -> bool {
    let typical = TYPICAL.iter().find(|(known, _)| *known == function);
    typical.is_some_and(|(_, names)| !present.iter().any(|p| names.contains(&p.as_str())))
}

/// Functions that do something of their own when what they watch changed.
const REACTING: &[&str] = &[
    "service.running",
    "cmd.run",
    "cmd.wait",
    "cmd.script",
    "cmd.wait_script",
    "module.run",
    "module.wait",
    "supervisord.running",
    "mount.mounted",
    "file.touch",
    "test.configurable_test_state",
];

/// Whether some function of a module, or the function itself, does something of its own when what it watches changed.
pub fn reacts(module: &str, function: Option<&str>) -> bool {
    REACTING.iter().filter_map(|known| known.split_once('.')).any(|(known_module, known_function)| {
        known_module == module && function.is_none_or(|function| function == known_function)
    })
}

/// How often a state function is used, in public trees.
pub fn function_weight(name: &str) -> u32 {
    FUNCTIONS.iter().find(|(known, _)| *known == name).map_or(0, |(_, uses)| *uses)
}

/// The place of a parameter among those of its function that are used most, from 0.
pub fn parameter_place(function: &FunctionName, name: &str) -> Option<usize> {
    let full = function.to_string();
    PARAMETERS.iter().find(|(known, _)| *known == full)?.1.iter().position(|known| *known == name)
}
