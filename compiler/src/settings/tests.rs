//! Settings of whole trees.

use super::{Override, Request, Settings, resolve};
use crate::{
    diagnostic::Diagnostic,
    project::{OpenOptions, Project},
    source::MemorySources,
    template::{Functions, NoFunctions},
    types::{Facts, Value},
};
use std::sync::Arc;

struct Case {
    project: Arc<Project>,
    facts: Arc<Facts>,
}

fn case(files: &[(&str, &str)]) -> Case {
    let mut sources = MemorySources::new().with("states/top.zy", "");
    for (path, text) in files {
        sources.insert(*path, text);
    }
    let mut facts = Facts { id: "web-01".into(), ..Facts::default() };
    facts.merge_text("os: Ubuntu").unwrap();
    Case {
        project: Arc::new(Project::open(Arc::new(sources), OpenOptions::default()).unwrap()),
        facts: Arc::new(facts),
    }
}

impl Case {
    fn resolve(&self, env: Option<&str>, sets: &[&str]) -> (Settings, Vec<String>) {
        let overrides: Vec<Override> =
            sets.iter().map(|set| Override::parse(set, self.project.files()).unwrap()).collect();
        let request = Request { facts: &self.facts, env, overrides: &overrides };
        let functions: Arc<dyn Functions> = Arc::new(NoFunctions);
        let (settings, problems) = resolve(&self.project, &functions, &request);
        let problems = problems
            .iter()
            .map(|p: &Diagnostic| {
                let (path, _) = self.project.files().locate(p.span);
                format!("{path} {}: {} ({})", p.rule.name, p.message, p.help.as_deref().unwrap_or_default())
            })
            .collect();
        (settings, problems)
    }

    fn value(&self) -> serde_json::Value {
        let (settings, problems) = self.resolve(None, &[]);
        assert_eq!(problems, Vec::<String>::new());
        serde_json::to_value(&*settings.value).unwrap()
    }
}

#[test]
fn later_files_merge_over_earlier_ones() {
    let case = case(&[
        ("settings/top.zy", "base: {'*': [common], 'G@os:Ubuntu': [web, common], 'db*': [db]}"),
        ("settings/common.zy", "nginx: {port: 80, modules: [a, b]}\nuser: www"),
        ("settings/web/init.zy", "nginx: {port: 8080, modules: [c]}"),
        ("settings/db.zy", "user: postgres"),
    ]);
    assert_eq!(case.value(), serde_json::json!({"nginx": {"port": 8080, "modules": ["c"]}, "user": "www"}));
    let (settings, _) = case.resolve(None, &[]);
    assert_eq!(settings.files, ["settings/common.zy", "settings/web/init.zy"]);
    let why = settings.why("nginx.port");
    assert_eq!(why.value, Some(Value::Int(8080)));
    let origins: Vec<(String, String, bool)> = why
        .origins
        .iter()
        .map(|o| (o.place(case.project.files()).0.to_string(), o.value.to_string(), o.wins))
        .collect();
    assert_eq!(
        origins,
        [
            ("settings/common.zy".to_owned(), "80".to_owned(), false),
            ("settings/web/init.zy".to_owned(), "8080".to_owned(), true)
        ]
    );
}

#[test]
fn lists_merge_as_their_map_says() {
    let case = case(&[
        ("settings/top.zy", "base: {'*': [a, b]}"),
        ("settings/a.zy", "x: {l: [1, 2], m: [1]}\ny: [1]"),
        ("settings/b.zy", "__merge__: {y: append}\nx: {__merge__: unique, l: [2, 3], m: [1]}\ny: [1]"),
    ]);
    assert_eq!(case.value(), serde_json::json!({"x": {"l": [1, 2, 3], "m": [1]}, "y": [1, 1]}));
    let (settings, _) = case.resolve(None, &[]);
    assert!(settings.why("y").origins.iter().all(|origin| origin.wins));
}

#[test]
fn includes_come_first_and_can_be_put_below_a_key() {
    let case = case(&[
        ("settings/top.zy", "base: {'*': [web]}"),
        (
            "settings/web/init.zy",
            "include: [.ports, {vhost: {key: 'sites:main', defaults: {name: example}}}]\nport: 1\nown: true",
        ),
        ("settings/web/ports.zy", "port: 2\nother: 3"),
        ("settings/vhost.zy", "server: '{{ name }}'"),
    ]);
    assert_eq!(
        case.value(),
        serde_json::json!({"port": 1, "other": 3, "sites": {"main": {"server": "example"}}, "own": true})
    );
}

#[test]
fn a_shape_that_changes_is_a_warning_with_both_places() {
    let case = case(&[
        ("settings/top.zy", "base: {'*': [a, b]}"),
        ("settings/a.zy", "nginx: {port: 80}\nlist: [1]"),
        ("settings/b.zy", "nginx: enabled\nlist: text"),
    ]);
    let (settings, problems) = case.resolve(None, &[]);
    assert_eq!(settings.get("nginx"), Some(&Value::from("enabled")));
    assert_eq!(
        problems,
        [
            "settings/b.zy settings-shape: `nginx` is a map in an earlier file and text here, which replaces it \
          (give the setting one shape, or another name)"
        ]
    );
    let origins = settings.why("nginx.port").origins;
    assert_eq!(origins.iter().map(|o| o.wins).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn wrong_files_say_what_is_wrong() {
    let problems = |files: &[(&str, &str)]| case(files).resolve(None, &[]).1;
    assert_eq!(
        problems(&[("settings/top.zy", "base: {'*': [comon]}"), ("settings/common.zy", "")]),
        ["settings/top.zy missing-settings-file: no settings file is named `comon` (did you mean `common`?)"]
    );
    assert_eq!(
        problems(&[("settings/top.zy", "base: [common]")]),
        ["settings/top.zy settings-top-shape: environment `base` is a list, where a map is expected (write \
          environment, target and refs: `base: {'*': [common]}`)"]
    );
    assert_eq!(
        problems(&[
            ("settings/top.zy", "base: {'*': [a]}"),
            ("settings/a.zy", "include: [b]"),
            ("settings/b.zy", "include: [a]")
        ]),
        [
            "settings/b.zy settings-include-cycle: settings files include each other: a → b → a (move what both need \
          to a file of its own)"
        ]
    );
    assert_eq!(
        problems(&[("settings/top.zy", "base: {'*': [a]}"), ("settings/a.zy", "[1]")]),
        [
            "settings/a.zy settings-file-shape: the settings file is a list, where a map is expected (write `key: \
          value` lines)"
        ]
    );
    assert_eq!(
        problems(&[
            ("settings/top.zy", "base: {'*': [a]}"),
            ("settings/a.zy", "x: {__merge__: add, l: [1]}")
        ]),
        [
            "settings/a.zy settings-file-shape: `__merge__` is `add`, where a way to merge lists is expected (write \
          `append`, `unique` or `replace`, or a map from keys to these words)"
        ]
    );
    assert_eq!(
        problems(&[("settings/top.zy", "base: {'os:Ubuntu': [{match: grian}, a]}"), ("settings/a.zy", "")])
            .len(),
        2
    );
}

#[test]
fn top_files_take_salts_options() {
    let case = case(&[
        (
            "settings/top.zy",
            "base:\n  'os:ubuntu': [{match: grain}, a]\n  'web-01,db-01': [{match: list}, b]\n  '*': \
             [{ignore_missing: true}, none]\n",
        ),
        ("settings/a.zy", "a: 1"),
        ("settings/b.zy", "b: 2"),
    ]);
    assert_eq!(case.value(), serde_json::json!({"a": 1, "b": 2}));
}

#[test]
fn environments_have_their_own_trees() {
    let case = case(&[
        ("zester.yaml", "settings: [settings]\nenvironments: {dev: {settings: [dev]}}"),
        ("settings/top.zy", "base: {'*': [a]}\ndev: {'*': [a]}"),
        ("settings/a.zy", "where: base\nbase: 1"),
        ("dev/a.zy", "where: dev"),
    ]);
    assert_eq!(case.value(), serde_json::json!({"where": "dev", "base": 1}));
    let (dev, problems) = case.resolve(Some("dev"), &[]);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(dev.get("where"), Some(&Value::from("dev")));
    assert_eq!(dev.get("base"), None);
}

#[test]
fn overrides_win_over_everything() {
    let case =
        case(&[("settings/top.zy", "base: {'*': [a]}"), ("settings/a.zy", "nginx: {port: 80, user: www}")]);
    let (settings, problems) = case.resolve(None, &["nginx.port=8080", "extra:list=[1, two]"]);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(
        serde_json::to_value(&*settings.value).unwrap(),
        serde_json::json!({"nginx": {"port": 8080, "user": "www"}, "extra": {"list": [1, "two"]}})
    );
    let why = settings.why("nginx:port");
    assert_eq!(&*why.origins[1].place(case.project.files()).0, "--set nginx.port");
    for (text, error) in [
        ("port", "`port` has no `=`; write `path=value`, as in `nginx.port=8080`"),
        ("a..b=1", "the path of `a..b=1` has an empty name; write `path=value`, as in `nginx.port=8080`"),
    ] {
        assert_eq!(Override::parse(text, case.project.files()).unwrap_err().to_string(), error);
    }
}

#[test]
fn secrets_are_known_by_their_paths() {
    let case = case(&[
        ("settings/top.zy", "base: {'*': [a, b]}"),
        (
            "settings/a.zy",
            "db:\n  password: !encrypted \"0123\"\n  port: 5432\nkeys:\n  - plain\n  - !encrypted k1\nold: !encrypted x\n",
        ),
        ("settings/b.zy", "__merge__: append\nkeys: [!encrypted k2, {inner: !encrypted k3}]\nold: shown\n"),
    ]);
    let (settings, problems) = case.resolve(None, &[]);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(settings.get("db.password"), Some(&Value::from("0123")));
    let paths: Vec<String> = settings.secret_paths.iter().map(|path| path.join(".")).collect();
    assert_eq!(paths, ["db.password", "keys.1", "keys.2", "keys.3.inner"]);
    assert!(settings.is_secret("db") && settings.is_secret("keys.3") && !settings.is_secret("old"));
    assert_eq!(
        serde_json::to_value(settings.masked()).unwrap(),
        serde_json::json!({
            "db": {"password": "***", "port": 5432},
            "keys": ["plain", "***", "***", {"inner": "***"}],
            "old": "shown"
        })
    );
    let shown = format!("{:?}", settings.why("db.password"));
    assert!(shown.contains("***") && !shown.contains("0123"), "{shown}");
}

#[test]
fn a_secret_is_text() {
    let case =
        case(&[("settings/top.zy", "base: {'*': [a]}"), ("settings/a.zy", "x: !encrypted {a: b}\ny: 1\n")]);
    let (settings, problems) = case.resolve(None, &[]);
    assert_eq!(
        problems,
        [
            "settings/a.zy settings-file-shape: `!encrypted` marks a map, where text is expected (mark each value in it)"
        ]
    );
    assert_eq!(settings.get("y"), Some(&Value::Int(1)));
}

#[test]
fn origins_have_line_and_column() {
    let case = case(&[
        ("settings/top.zy", "base:\n  '*': [a, b]\n"),
        ("settings/a.zy", "nginx:\n  port: 80\n  user: &u www\nother:\n  <<: {x: 1}\n  name: *u\n"),
        ("settings/b.zy", "nginx: {port: 8080}\n"),
    ]);
    let (settings, problems) = case.resolve(None, &[]);
    assert_eq!(problems, Vec::<String>::new());
    let places: Vec<String> = settings
        .why("nginx.port")
        .origins
        .iter()
        .map(|origin| {
            let (path, at) = origin.place(case.project.files());
            format!("{path}:{}:{} {} {}", at.line, at.column, origin.value, origin.wins)
        })
        .collect();
    assert_eq!(places, ["settings/a.zy:2:3 80 false", "settings/b.zy:1:9 8080 true"]);
    assert_eq!(settings.get("other.x"), Some(&Value::Int(1)));
    assert_eq!(settings.get("other.name"), Some(&Value::from("www")));
}

#[test]
fn files_are_templates_that_see_what_came_before() {
    let case = case(&[
        ("settings/top.zy", "base:\n  '*':\n{% for ref in ['a', 'b'] %}    - {{ ref }}\n{% endfor %}"),
        ("settings/a.zy", "port: 80\n"),
        (
            "settings/b.zy",
            "{% from 'lib.jinja' import double %}\n{% set list = [1] %}{% do list.append(settings.port) %}\n\
             seen: {{ settings.port }}\ntwice: {{ double(settings.port) }}\nlist: {{ list }}\n\
             {% if grains.os == 'Ubuntu' %}\nport: 8080\n{% endif %}where: {{ sls }}\nid: {{ grains.id }}\n",
        ),
        ("settings/lib.jinja", "{% macro double(x) %}{{ x * 2 }}{% endmacro %}"),
    ]);
    assert_eq!(
        case.value(),
        serde_json::json!({
            "port": 8080, "seen": 80, "twice": 160, "list": [1, 80], "where": "b", "id": "web-01"
        })
    );
    let (settings, _) = case.resolve(None, &[]);
    let at = |path: &str| {
        let origin = settings.why(path).origins.pop().unwrap();
        let (file, at) = origin.place(case.project.files());
        format!("{file}:{}:{}", at.line, at.column)
    };
    assert_eq!(at("port"), "settings/b.zy:7:1");
    assert_eq!(at("seen"), "settings/b.zy:3:1");
    assert_eq!(at("where"), "settings/b.zy:8:12");
    assert_eq!(at("id"), "settings/b.zy:9:1");
}

#[test]
fn a_template_error_points_into_the_file() {
    let case = case(&[
        ("settings/top.zy", "base: {'*': [a, b]}"),
        ("settings/a.zy", "x: 1\ny: {{ settings.nothing.here }}\n"),
        ("settings/b.zy", "{% if x %}\na: 1\n"),
    ]);
    let (_, problems) = case.resolve(None, &[]);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("settings/a.zy undefined-va"), "{problems:?}");
    assert!(problems[1].starts_with("settings/b.zy unclosed-block"), "{problems:?}");
}

#[test]
fn no_top_file_is_no_settings() {
    assert_eq!(case(&[]).value(), serde_json::json!({}));
}

mod anything {
    use super::*;
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "base:",
            "'*':",
            "- a",
            "- b",
            "\n",
            "\n  ",
            "\n    ",
            "include:",
            "[a, b]",
            "{a: {key: x}}",
            "a: 1",
            "b:",
            "__merge__: append",
            "!encrypted x",
            "!encrypted {",
            "<<: ",
            "*a",
            "&a",
            "- match: grain",
            "web* and",
            ": ",
            "\t",
            "nodegroups:",
            "states:",
            "lint:",
            "null",
            "'",
            "\u{e4}",
        ]);
        prop::collection::vec(pieces, 0..14).prop_map(|pieces| pieces.join(" "))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn gives_settings_or_says_why(top in text(), a in text(), b in text()) {
            let case = case(&[("settings/top.zy", &top), ("settings/a.zy", &a), ("settings/b.zy", &b)]);
            let (settings, _) = case.resolve(None, &[]);
            prop_assert!(settings.value.as_map().is_some());
            // Every secret's path leads to a value, so that masking cannot miss one.
            for path in &settings.secret_paths {
                prop_assert!(settings.get(&path.join(":")).is_some(), "{path:?} in {:?}", settings.value);
            }
        }

        #[test]
        fn gives_a_configuration_or_says_why(text in text()) {
            let sources = MemorySources::new().with("zester.yaml", &text);
            if let Err(error) = Project::open(Arc::new(sources), OpenOptions::default()) {
                prop_assert!(error.diagnostics().is_some_and(|(found, _)| !found.is_empty()));
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}

/// What `schema.zy` declares, at run time.
mod declared {
    use super::*;
    use crate::{
        project::OpenOptions,
        settings::{KeepSealed, Unseal},
    };

    const TOP: (&str, &str) = ("settings/top.zy", "base: {'*': [a, b]}");

    #[test]
    fn lists_merge_as_the_schema_says() {
        let case = case(&[
            TOP,
            (
                "settings/schema.zy",
                "x: {l: {type: list<int>, merge: unique}, m: {merge: append}}\nr: {type: list<int>, merge: append}\n",
            ),
            ("settings/a.zy", "x: {l: [1, 2], m: [1]}\nr: [1]"),
            ("settings/b.zy", "__merge__: {r: replace}\nx: {l: [2, 3], m: [1]}\nr: 2"),
        ]);
        // A value alone is a list of one where a list is declared; what stands beside the list goes before the schema.
        assert_eq!(case.value(), serde_json::json!({"x": {"l": [1, 2, 3], "m": [1, 1]}, "r": [2]}));
    }

    #[test]
    fn words_are_read_as_declared() {
        let case = case(&[
            TOP,
            (
                "settings/schema.zy",
                "version: {type: str}\nmode: {type: mode}\nport: {type: port}\nwait: {type: duration}\nmany: {type: list<str>}\n",
            ),
            ("settings/a.zy", "version: 1.10\nmode: 0644\nport: '80'\nwait: 5m\nmany: [1.10, 2.20]\n"),
            ("settings/b.zy", ""),
        ]);
        assert_eq!(
            case.value(),
            serde_json::json!({
                "version": "1.10", "mode": "0644", "port": 80, "wait": "5m", "many": ["1.10", "2.20"]
            })
        );
    }

    #[test]
    fn defaults_hold_where_nothing_is_written() {
        let case = case(&[
            TOP,
            (
                "settings/schema.zy",
                "nginx:\n  port: {type: port, default: 80}\n  user: {default: www}\n  list: {type: list<int>, default: [1], merge: append}\n  map: {default: {a: 1}}\n",
            ),
            (
                "settings/a.zy",
                "seen: {{ settings.nginx.port }}\nnginx: {user: nginx, list: [2], map: {b: 2}}",
            ),
            ("settings/b.zy", "nginx: {list: [3]}"),
        ]);
        assert_eq!(
            case.value(),
            serde_json::json!({
                "nginx": {"port": 80, "user": "nginx", "list": [2, 3], "map": {"b": 2}}, "seen": 80
            })
        );
        let (settings, _) = case.resolve(None, &[]);
        let (path, at) = settings.why("nginx.port").origins[0].place(case.project.files());
        assert_eq!((&*path, at.line, at.column), ("settings/schema.zy", 2, 31));
    }

    #[test]
    fn what_does_not_fit_is_an_error_at_its_line() {
        let case = case(&[
            TOP,
            (
                "settings/schema.zy",
                "nginx:\n  port: {type: port}\n  limits: {type: 'record{open: int, core: int}'}\nrole: {type: str, required: true}\nkey: {type: secret<str>}\n",
            ),
            ("settings/a.zy", "nginx:\n  port: {{ 'high' }}\n  limits: {open: 1}\nkey: hunter2\n"),
            ("settings/b.zy", "nginx: {limits: {core: 2}}\n"),
        ]);
        let (settings, problems) = case.resolve(None, &[]);
        assert_eq!(
            problems,
            [
                "settings/a.zy schema-violation: `nginx.port`: expected a port from 1 to 65535, found `high` (write such a value, or correct the schema)",
                "settings/schema.zy missing-setting: `role` is required, and no settings file writes it (write it in a settings file, or give it a `default` here)",
            ]
        );
        // Declared a secret, it is one.
        assert!(settings.is_secret("key"));
        let (_, problems) = case.resolve(None, &["nginx.port=80", "role=web", "nginx.limits=none"]);
        assert!(problems.iter().any(|p| p.contains("`nginx.limits`: expected a map")), "{problems:?}");
    }

    #[derive(Debug)]
    struct Key;

    impl Unseal for Key {
        fn open(&self, sealed: &str) -> Result<String, String> {
            sealed
                .strip_prefix("ENC[nkey,good:")
                .and_then(|rest| rest.strip_suffix(']'))
                .map(str::to_owned)
                .ok_or_else(|| "it is damaged".to_owned())
        }
    }

    #[test]
    fn sealed_texts_are_opened_or_nothing_is() {
        let files = [
            ("states/top.zy", ""),
            ("settings/top.zy", "base: {'*': [a, b]}"),
            (
                "settings/a.zy",
                "x: !encrypted ENC[nkey,good:hunter2]\nlist:\n  - !encrypted 'ENC[nkey,good:two]'\n",
            ),
            (
                "settings/b.zy",
                "y: !encrypted ENC[nkey,bad]\nz: ENC[nkey,good:three]\nseen: x{{ settings.x }}\n",
            ),
        ];
        let resolved = |unseal: Option<Arc<dyn Unseal>>| {
            let mut sources = MemorySources::new();
            for (path, text) in files {
                sources.insert(path, text);
            }
            let options = OpenOptions { unseal, ..OpenOptions::default() };
            let project = Arc::new(Project::open(Arc::new(sources), options).unwrap());
            let facts = Arc::new(Facts { id: "web-01".into(), ..Facts::default() });
            Case { project, facts }.resolve(None, &[])
        };
        let (settings, problems) = resolved(Some(Arc::new(Key)));
        assert_eq!(settings.get("x"), Some(&Value::from("hunter2")));
        assert_eq!(settings.get("list.0"), Some(&Value::from("two")));
        assert!(settings.is_secret("z") && settings.get("y").is_none());
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0]
                .starts_with("settings/b.zy unopened-secret: this secret cannot be opened: it is damaged")
        );
        let (_, problems) = resolved(None);
        assert_eq!(problems.iter().filter(|p| p.contains("there is no key to open it with")).count(), 2);
        let (settings, problems) = resolved(Some(Arc::new(KeepSealed)));
        assert!(problems.is_empty() && settings.is_secret("x"), "{problems:?}");
    }
}
