//! A planted secret is searched for in everything that every command writes, on paths that work and on those that fail.

use std::{fmt::Write as _, path::Path};
use zester_executor::auth::sealed_text::{Keyring, seal_text};
use zester_tests::command::Scratch;

/// Each is found in no source of Zester's and is no part of another.
const PLANTED: &[&str] = &[
    "Xq7-planted-map",
    "Xq7-planted-list",
    "Xq7-planted-branch",
    "Xq7-planted-block-one",
    "Xq7-planted-block-two",
    "Xq7-planted-sealed",
    "Xq7-planted-declared",
];

const TOP: &str = "base:\n  '*': [db, more]\n";
const SCHEMA: &str = "site:\n  key: {type: secret<str>}\n  port: {type: port}\n";
const MORE: &str = "site:\n  key: Xq7-planted-declared\nurl: db://u:{{ settings.db.password }}@h/\nlater: [1, '{{ settings.db.keys[1] }}']\n";

fn db(sealed: &str) -> String {
    format!(
        "db:\n  user: app\n  password: !encrypted Xq7-planted-map\n  keys:\n    - plain\n    - !encrypted \"Xq7-planted-list\"\n\
         {{% if grains.os_family %}}\n  branch: !encrypted 'Xq7-planted-branch'\n{{% endif %}}\n\
         \x20 pem: !encrypted |\n    -----BEGIN\n    Xq7-planted-block-one\n    Xq7-planted-block-two\n    -----END\n\
         \x20 sealed: !encrypted \"{sealed}\"\n"
    )
}

/// A tree with secrets; further files come on top.
struct Planted {
    scratch: Scratch,
}

impl Planted {
    fn new(extra: &[(&str, &str)]) -> Self {
        let (seed, public) = Keyring::generate().unwrap();
        let sealed = seal_text(&public, "Xq7-planted-sealed").unwrap();
        let db = db(&sealed);
        let mut files: Vec<(&str, &str)> = vec![
            ("settings/top.zy", TOP),
            ("settings/schema.zy", SCHEMA),
            ("settings/more.zy", MORE),
            ("settings/db.zy", &db),
            ("states/top.zy", "base:\n  '*': [app]\n"),
            ("states/app.zy", "fine:\n  test.nop: []\n"),
        ];
        files.retain(|(path, _)| extra.iter().all(|(other, _)| other != path));
        files.extend(extra);
        let scratch = Scratch::new(&files);
        std::fs::write(scratch.project().join("../key"), format!("{seed}\n")).unwrap();
        let key: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(scratch.project().join("../key"), key).unwrap();
        Self { scratch }
    }

    /// Runs a command, and notes what of the secrets it wrote.
    fn hold(&self, args: &[&str], leaks: &mut String) {
        let key = self.scratch.project().join("../key");
        let finished = self
            .scratch
            .command(args)
            .env("ZESTER_SECRET_KEY", key)
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "1")
            .output()
            .unwrap();
        assert_ne!(finished.status.code(), Some(101), "a bug in {args:?}: {finished:#?}");
        for (stream, bytes) in [("stdout", &finished.stdout), ("stderr", &finished.stderr)] {
            let text = String::from_utf8_lossy(bytes);
            for secret in PLANTED.iter().filter(|secret| text.contains(**secret)) {
                let line = text.lines().find(|line| line.contains(*secret)).unwrap_or_default();
                let _ = writeln!(leaks, "{secret} on {stream} of {args:?}: {line}");
            }
        }
    }

    /// Every command that looks at a tree, with every form of output.
    fn hold_all(&self, leaks: &mut String) {
        for format in ["human", "json", "sarif", "github", "short"] {
            self.hold(&["check", "--format", format], leaks);
        }
        for args in [
            &["plan"][..],
            &["plan", "-v", "--color", "always"],
            &["plan", "--output", "json"],
            &["plan", "--graph", "mermaid"],
            &["plan", "--graph", "dot"],
            &["render", "states/app.zy"],
            &["render", "states/app.zy", "--origins"],
            &["render", "settings/db.zy"],
            &["render", "settings/more.zy", "--origins"],
            &["settings", "get"],
            &["settings", "get", "--output", "json"],
            &["settings", "get", "--output", "yaml"],
            &["settings", "get", "--why"],
            &["settings", "get", "db.password", "--why"],
            &["settings", "get", "url"],
            &["settings", "get", "db.nothing"],
            &["settings", "get", "--set", "db.password=Xq7-planted-map", "--why"],
            &["settings", "get", "site.key", "--set", "site.key=Xq7-planted-declared", "--why"],
            &["plan", "--set", "site.port=Xq7-planted-map"],
            &["facts"],
            &["apply", "--test"],
            &["apply", "--test", "-v", "--output", "json"],
            &["apply", "--test", "--output", "jsonl"],
            &["apply", "--test", "--output", "yaml"],
        ] {
            self.hold(args, leaks);
        }
        for output in ["text", "json", "jsonl", "yaml"] {
            self.hold(&["apply", "--wait", "-v", "--output", output], leaks);
        }
    }

    /// The shorter way, for trees that fail.
    fn hold_some(&self, leaks: &mut String) {
        for args in [
            &["check"][..],
            &["check", "--format", "json"],
            &["check", "--format", "sarif"],
            &["plan", "-v"],
            &["plan", "--output", "json"],
            &["render", "states/app.zy"],
            &["render", "settings/db.zy"],
            &["settings", "get", "--why"],
            &["apply", "--test", "-v"],
            &["apply", "--wait", "-v", "--output", "json"],
        ] {
            self.hold(args, leaks);
        }
    }
}

#[test]
fn what_works_shows_no_secret() {
    let state = "\
ROOT/secret.conf:
  file.managed:
    - contents: |
        password {{ settings.db.password }}
        {{ settings.db.pem | indent(8) }}
        {{ settings.db.sealed }} {{ settings.site.key }} {{ settings.url }}
    - mode: '0600'
run {{ settings.db.user }}:
  cmd.run:
    - name: echo {{ settings.db.password }}; echo {{ settings.db.branch }} >&2; echo {{ settings.db.keys | join(' ') }}
    - env:
      - KEY: {{ settings.db.sealed }}
    - unless: test x = {{ settings.site.key }}
id with {{ settings.db.password }}:
  test.nop:
    - require:
      - file: ROOT/secret.conf
show:
  test.configurable_test_state:
    - changes: true
    - result: true
    - comment: 'it is {{ settings.db.password }} and {{ settings.later | join }}'
";
    // The checker would keep these secrets from being shown; here the masks are tried.
    let lint = ("zester.yaml", "lint: {secret-shown: allow}\n");
    let planted = Planted::new(&[("states/app.zy", state), lint]);
    let mut leaks = String::new();
    planted.hold_all(&mut leaks);
    // It was done, and done with the secrets: the test would hold for nothing at all otherwise.
    let written = planted.scratch.made("secret.conf").unwrap();
    for secret in ["Xq7-planted-map", "Xq7-planted-block-two", "Xq7-planted-sealed", "Xq7-planted-declared"] {
        assert!(written.contains(secret), "{written}");
    }
    // A change is a diff.
    std::fs::write(planted.scratch.root().join("secret.conf"), "password Xq7-planted-sealed\n").unwrap();
    planted.hold_all(&mut leaks);
    assert!(leaks.is_empty(), "{leaks}");
}

#[test]
fn states_that_fail_show_no_secret() {
    let mut leaks = String::new();
    for (name, state) in [
        ("a command that fails", "a:\n  cmd.run:\n    - name: echo {{ settings.db.password }} >&2; exit 3\n"),
        (
            "a guard that fails",
            "a:\n  cmd.run:\n    - name: 'true'\n    - onlyif: echo {{ settings.db.password }}; false\n    - check_cmd: echo {{ settings.db.password }} >&2; false\n",
        ),
        (
            "no such program",
            "a:\n  cmd.run:\n    - name: /nowhere/{{ settings.db.password }}\n    - cwd: /nowhere/{{ settings.db.password }}\n",
        ),
        (
            "a wrong mode",
            "ROOT/x:\n  file.managed:\n    - contents: x\n    - mode: {{ settings.db.password }}\n",
        ),
        (
            "a wrong user",
            "ROOT/x:\n  file.managed:\n    - contents: x\n    - user: {{ settings.db.password }}\n",
        ),
        (
            "an unknown requisite",
            "a:\n  test.nop:\n    - require:\n      - file: {{ settings.db.password }}\n",
        ),
        ("an unknown parameter", "a:\n  test.nop:\n    - {{ settings.db.password }}: 1\n"),
        ("an unknown function", "a:\n  {{ settings.db.password }}.managed: []\n"),
        ("an unknown file", "include:\n  - {{ settings.db.password }}\n"),
        (
            "the same id twice",
            "{{ settings.db.password }}:\n  test.nop: []\nb:\n  test.nop:\n    - name: c\n'{{ settings.db.password }}':\n  test.nop: []\n",
        ),
        ("a secret that is no map", "a:\n  test.nop:\n    - x: {{ settings.db.password.inner }}\n"),
        (
            "a filter that fails",
            "a:\n  test.nop:\n    - x: {{ settings.db.password | load_yaml | int + 1 }}\n    - y: {{ settings.db.password | load_json }}\n",
        ),
        (
            "a call that fails",
            "a:\n  test.nop:\n    - x: {{ salt['pillar.get']('a', 1) / settings.db.password }}\n",
        ),
        (
            "a function that is not there",
            "a:\n  test.nop:\n    - x: {{ salt['test.' ~ settings.db.password]() }}\n",
        ),
        (
            "a template that raises",
            "{% if true %}{{ raise('it is ' ~ settings.db.password) }}{% endif %}\na:\n  test.nop: []\n",
        ),
        (
            "structure from a secret",
            "a:\n  test.nop:\n    - x: {{ settings.db.pem }}\n    {{ settings.db.pem }}\n",
        ),
        ("YAML that is broken by it", "a:\n  test.nop:\n    - x: \"{{ settings.db.password }}\n    - y: [\n"),
        (
            "a source that is not there",
            "ROOT/x:\n  file.managed:\n    - source: zester://{{ settings.db.password }}\n",
        ),
        (
            "a web server that is not there",
            "ROOT/x:\n  file.managed:\n    - source: http://127.0.0.1:9/{{ settings.db.password }}\n    - skip_verify: true\n",
        ),
        (
            "a wrong pattern",
            "ROOT/x:\n  file.replace:\n    - pattern: '({{ settings.db.password }}'\n    - repl: x\n",
        ),
        (
            "a package",
            "a:\n  pkg.installed:\n    - name: {{ settings.db.password }}\n    - version: {{ settings.db.branch }}\n",
        ),
        (
            "a repository",
            "https://u:{{ settings.db.password }}@127.0.0.1:9/x.git:\n  git.latest:\n    - target: ROOT/x\n",
        ),
        (
            "a wrong number",
            "a:\n  test.nop:\n    - order: {{ settings.db.password }}\n    - retry: {attempts: {{ settings.db.password }}}\n",
        ),
    ] {
        let planted = Planted::new(&[("states/app.zy", state)]);
        let mut found = String::new();
        planted.hold_some(&mut found);
        if !found.is_empty() {
            let _ = writeln!(leaks, "== {name}\n{found}");
        }
    }
    assert!(leaks.is_empty(), "{leaks}");
}

#[test]
fn settings_that_are_wrong_show_no_secret() {
    let mut leaks = String::new();
    let schema = |leaf: &str| {
        format!(
            "db:\n  password: {{{leaf}}}\n  keys: {{type: list<port>}}\nsite: {{key: {{type: secret<str>}}}}\n"
        )
    };
    let port = schema("type: port");
    let word = schema("type: str, enum: [a, b]");
    let map = "db: {password: {inner: {type: str}}}\n".to_owned();
    let cases: &[(&str, &[(&str, &str)])] = &[
        (
            "a quote that is not closed",
            &[("settings/db.zy", "db:\n  password: !encrypted \"Xq7-planted-map\n  user: app\n")],
        ),
        (
            "a bracket that is not closed",
            &[("settings/db.zy", "db: {password: !encrypted Xq7-planted-map\nuser: app\n")],
        ),
        ("a tab", &[("settings/db.zy", "db:\n\tpassword: !encrypted Xq7-planted-map\n")]),
        (
            "two keys",
            &[(
                "settings/db.zy",
                "db:\n  password: !encrypted Xq7-planted-map\n  password: !encrypted Xq7-planted-list\n",
            )],
        ),
        (
            "a colon too much",
            &[("settings/db.zy", "db:\n  password: !encrypted Xq7-planted-map: x\n  user: app\n")],
        ),
        ("text behind quotes", &[("settings/db.zy", "db:\n  password: !encrypted \"a\" Xq7-planted-map\n")]),
        (
            "a tag that is misspelt beside it",
            &[(
                "settings/db.zy",
                "db:\n  password: !encrypted Xq7-planted-map\n  other: !encryptd Xq7-planted-list\n  user: !encrypted [Xq7-planted-map]\n",
            )],
        ),
        (
            "a template on the line",
            &[("settings/db.zy", "db:\n  password: !encrypted Xq7-planted-map {{ nothing.at.all }}\n")],
        ),
        (
            "a block that is not closed",
            &[("settings/db.zy", "{% if x %}\ndb:\n  password: !encrypted Xq7-planted-map\n")],
        ),
        (
            "an undefined name behind it",
            &[("settings/db.zy", "db: {password: !encrypted Xq7-planted-map, user: {{ nothing }}}\n")],
        ),
        (
            "a misspelt merge",
            &[("settings/db.zy", "__merge__: apend\ndb: {password: !encrypted Xq7-planted-map}\n")],
        ),
        ("a port", &[("settings/schema.zy", &port)]),
        ("a word", &[("settings/schema.zy", &word)]),
        ("a map", &[("settings/schema.zy", &map)]),
        ("a derived port", &[("settings/more.zy", "site: {port: '{{ settings.db.password }}'}\n")]),
        (
            "a derived number",
            &[("settings/more.zy", "site: {port: {{ settings.db.password | int + 'x' }}}\n")],
        ),
        ("a shape that changes", &[("settings/more.zy", "db:\n  password: {a: b}\n  keys: {a: b}\n")]),
        ("another shape", &[("settings/more.zy", "db: !encrypted Xq7-planted-list\n")]),
        (
            "a damaged seal",
            &[(
                "settings/db.zy",
                "db:\n  password: !encrypted Xq7-planted-map\n  sealed: !encrypted \"ENC[nkey,a,b,c]\"\n",
            )],
        ),
        ("a plain one beside sealed ones", &[("settings/more.zy", "api_token: Xq7-planted-map\n")]),
        (
            "an include that is not there",
            &[("settings/more.zy", "include: ['{{ settings.db.password }}']\n")],
        ),
        ("a raise", &[("settings/more.zy", "{{ raise('it is ' ~ settings.db.password) }}\n")]),
    ];
    for (name, files) in cases {
        let planted = Planted::new(files);
        let mut found = String::new();
        planted.hold_some(&mut found);
        if !found.is_empty() {
            let _ = writeln!(leaks, "== {name}\n{found}");
        }
    }
    assert!(leaks.is_empty(), "{leaks}");
}

/// What is written to the disk, but for what a state was told to write and the saved plan, which says so.
#[test]
fn nothing_else_is_written() {
    let planted = Planted::new(&[(
        "states/app.zy",
        "a:\n  cmd.run:\n    - name: echo {{ settings.db.password }}; exit 1\n",
    )]);
    let before = secrets_below(&planted.scratch.project().join(".."));
    let home = tempfile::tempdir().unwrap();
    let key = planted.scratch.project().join("../key");
    for args in [&["check"][..], &["plan"], &["apply", "--wait"], &["settings", "get"]] {
        let mut command = planted.scratch.command(args);
        command.env("HOME", home.path()).env("TMPDIR", home.path()).env("ZESTER_SECRET_KEY", &key);
        command.output().unwrap();
    }
    assert_eq!(secrets_below(home.path()), Vec::<String>::new());
    assert_eq!(secrets_below(&planted.scratch.project().join("..")), before);
    // A saved plan holds what the states hold, and only its owner reads it.
    let mut save = planted.scratch.command(&["plan", "--save", "../saved"]);
    assert!(save.env("ZESTER_SECRET_KEY", &key).status().unwrap().success());
    let saved = std::fs::metadata(planted.scratch.project().join("../saved")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&saved.permissions()) & 0o777, 0o600);
}

fn secrets_below(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(&dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                pending.push(path);
            } else if let Ok(bytes) = std::fs::read(&path)
                && PLANTED.iter().any(|s| bytes.windows(s.len()).any(|w| w == s.as_bytes()))
            {
                found.push(path.display().to_string());
            }
        }
    }
    found.sort();
    found
}
