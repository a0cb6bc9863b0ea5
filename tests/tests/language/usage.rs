//! The fixture trees have what real trees have: each construct and name that the study of 57 public repositories found among the first 95 % of
//! uses, so that each is lowered to a plan somebody has looked at.

use fancy_regex::Regex;
use std::{fs, path::Path};
use zester_tests::usage::{Coverage, Table};

/// What is looked for: a kind, the pattern for `NAME`, the names.
const USED: &[(&str, &str, &str)] = &[
    (
        "statement",
        r"\{%-?\s*NAME\b",
        "if set for else do elif import_yaml macro load_yaml include continue break call import_json import_text load_json filter with raw from import",
    ),
    (
        "filter",
        r"\|\s*NAME\b",
        "default d join replace json length count int lower yaml indent sort dictsort string first float tojson upper yaml_dquote yaml_encode items \
         regex_replace round list unique base64_encode is_ip traverse capitalize load_yaml sha512 sequence format last ipv4 uuid map trim regex_search \
         to_bool path_join",
    ),
    ("test", r"is (not )?NAME\b", "defined string mapping none iterable sameas number list match sequence"),
    (
        "method",
        r"\.NAME\(",
        "get items split append update format keys replace startswith pop join iteritems values extend strip lower endswith remove splitlines \
         setdefault copy isdigit rstrip",
    ),
    (
        "global",
        r"\bNAME\b",
        "salt pillar grains sls slsdotpath tpldir opts loop sls_path slspath saltenv range namespace kwargs caller raise loop.index loop.last \
         loop.index0 loop.first loop.length",
    ),
    (
        "call",
        r#"salt\[['"]NAME['"]\]|salt\.NAME\("#,
        "pillar.get config.get grains.get grains.filter_by match.compound defaults.merge slsutil.merge file.file_exists user.info file.find \
         network.ip_addrs environ.get file.directory_exists pkg.version pkg.version_cmp saltutil.runner mine.get cmd.run cmd.shell file.dirname \
         log.debug http.query sdb.get",
    ),
    (
        "key",
        r"\bNAME:",
        "require watch watch_in require_in onchanges onchanges_in prereq prereq_in listen_in listen onfail onfail_any onfail_in watch_any \
         onchanges_any use require_any unless runas onlyif failhard names order fire_event retry creates timeout reload_modules saltenv check_cmd \
         success_retcodes umask aggregate parallel exclude extend include",
    ),
    (
        "fact",
        r"\bNAME\b",
        "os_family id os oscodename nodename host fqdn osmajorrelease osarch kernel osrelease virtual saltversioninfo mem_total \
         lsb_distrib_codename num_cpus kernelrelease domain osfullname osfinger cpuarch pythonversion init virtual_subtype ipv4",
    ),
    (
        "function",
        r"NAME\b",
        "file.managed pkg.installed cmd.run file.directory file.absent service.running file.symlink service.dead pkgrepo.managed module.run \
         file.replace cmd.wait user.present file.recurse pip.installed test.nop file.append cron.present file.accumulated group.present \
         test.fail_without_changes pkg.purged pkg.latest git.latest virtualenv.managed test.show_notification pkg.removed sysctl.present \
         archive.extracted ssh_auth.present module.wait pkgrepo.absent user.absent service.enabled file.keyvalue file.copy file.blockreplace \
         cmd.script file.line file.prepend group.absent ssh_auth.absent file.serialize file.comment service.disabled file.uncomment git.cloned \
         file.rename cron.absent file.exists cron.env_present",
    ),
];

/// Shapes that have no name.
const SHAPES: &[(&str, &str)] = &[
    ("two targets of a loop", r"for \w+, \w+ in"),
    ("a condition of a loop", r"for .* in .* if "),
    ("a loop's else", r"for [^%]*%\}(?:(?!endfor)[\s\S])*\{%-? else"),
    ("an import with context", r"from .* import .*with context"),
    ("an import as a name", r"import .* as \w+"),
    ("two names set at once", r"set \w+, \w+ ="),
    ("an attribute of a namespace set", r"set ns\.\w+ ="),
    ("a set block", r"\{%-? set \w+ -?%\}"),
    ("a slice", r"\[\d*:\d*\]"),
    ("arguments from a list", r"\(\*\w+"),
    ("arguments from a map", r"\*\*\w+\)"),
    ("an inline if without else", r"\{\{[^}]* if (?:(?! else )[^}])*\}\}"),
    ("% of a text", r"' % "),
    ("block style of the yaml filter", r"yaml\(False\)"),
    ("a literal text", r": \|"),
    ("a folded text", r": >"),
    ("an anchor", r"&\w+"),
    ("a merge key", r"<<:"),
    ("the beginning of a document", r"(?m)^---"),
    ("a line that names renderers", r"(?m)^#!"),
    ("a bare decimal mode", r"mode: 644"),
    ("a mode with a leading zero", r"mode: 0644"),
];

fn read(directory: &Path, text: &mut String) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, text);
        } else if path.file_name().is_some_and(|name| name != "expected-plan.txt") {
            text.push_str(&fs::read_to_string(&path).unwrap_or_default());
        }
    }
}

#[test]
fn the_trees_have_what_real_ones_have() {
    let mut text = String::new();
    read(&zester_tests::repository().join("tests/fixtures/trees"), &mut text);
    let mut missed = Vec::new();
    let mut look = |what: String, pattern: &str| {
        if !Regex::new(pattern).unwrap().is_match(&text).unwrap() {
            missed.push(what);
        }
    };
    for (kind, pattern, names) in USED {
        for name in names.split_whitespace() {
            look(format!("{kind} {name}"), &pattern.replace("NAME", &name.replace('.', r"\.")));
        }
    }
    for (what, pattern) in SHAPES {
        look((*what).to_owned(), pattern);
    }
    assert!(missed.is_empty(), "no fixture tree has {missed:?}");
}

/// What of the study's uses the library knew when this was last raised: it only grows.
const KNOWN_PERCENT: f64 = 91.5;

#[test]
fn the_library_knows_what_is_used() {
    let table = Table::read();
    assert!(table.functions.windows(2).all(|pair| pair[0].rank < pair[1].rank), "the table is in order");
    let coverage = Coverage::of(&table, zester_executor::local::library().registry());
    assert!(coverage.uses <= coverage.named && coverage.named <= coverage.total);
    assert!(coverage.percent() >= KNOWN_PERCENT, "only {:.1} %: {:?}", coverage.percent(), coverage.missing);
    let nothing = Coverage::of(&table, &zester_compiler::types::Registry::new());
    assert_eq!((nothing.uses, nothing.whole_to, nothing.missing.len()), (0, 0, table.functions.len()));
}
