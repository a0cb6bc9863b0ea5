//! Mistakes that the Go implementation found at run time only, or never: each is found by `check`, at its exact place.
//!
//! The numbers are those of the survey the examples come from.

use zester_tests::{Checked, archive};

struct Mistake {
    number: u32,
    files: &'static str,
    /// Code, the text it points at, and a part of the message or the help.
    expected: &'static [(&'static str, &'static str, &'static str)],
}

const MISTAKES: &[Mistake] = &[
    // Accepted here: the short form, a map of parameters, a single include.
    Mistake { number: 1, files: "nginx: pkg.installed\n", expected: &[] },
    Mistake { number: 2, files: "nginx:\n  pkg.installed: {name: nginx}\n", expected: &[] },
    Mistake {
        number: 3,
        files: "-- states/a.zy --\ninclude: common\n-- states/b.zy --\ninclude:\n  - env: common\n-- states/common.zy --\nnginx: pkg.installed\n",
        expected: &[("Z0101", "common", "no environment `env`")],
    },
    Mistake {
        number: 4,
        files: "-- states/a.zy --\ninclude: [web.ngnix]\n-- states/web/nginx/init.zy --\nnginx: pkg.installed\n",
        expected: &[("Z0101", "web.ngnix", "did you mean `web.nginx`")],
    },
    Mistake {
        number: 5,
        files: "-- states/top.zy --\nbase:\n  '*':\n    - common\n",
        expected: &[("Z0101", "common", "common.zy")],
    },
    Mistake {
        number: 6,
        files: "-- states/a.zy --\ninclude: [b]\n-- states/b.zy --\ninclude: [c]\n-- states/c.zy --\ninclude: [a]\n",
        expected: &[("Z0103", "a", "a.zy → b.zy → c.zy → a.zy")],
    },
    Mistake {
        number: 7,
        files: "-- states/a.zy --\ninclude: [b]\nextend:\n  nginx:\n    pkg.latest:\n      - refresh: true\n-- states/b.zy --\nnginx: pkg.installed\n",
        expected: &[("Z0109", "pkg.latest", "it has `pkg.installed`")],
    },
    Mistake {
        number: 8,
        files: "-- states/a.zy --\nexclude:\n  - id: x\nnginx: pkg.installed\n",
        expected: &[("Z0110", "x", "No state has the id `x`")],
    },
    Mistake {
        number: 9,
        files: "-- states/a.zy --\ninclude: [b]\n/etc/x:\n  file.managed:\n    - contents: x\n    - mode: '0600'\n-- states/b.zy --\n/etc/x:\n  file.managed:\n    - contents: x\n    - mode: '0644'\n",
        expected: &[("Z0221", "/etc/x", "is defined in `a.zy` too")],
    },
    Mistake {
        number: 10,
        files: "a:\n  test.nop: []\nb:\n  test.nop:\n    - require:\n      - test: a\n    - require:\n      - id: a\n",
        expected: &[("Z0207", "require", "twice")],
    },
    Mistake {
        number: 11,
        files: "{% for port in [80, 443] %}\nlistener:\n  test.nop:\n    - comment: {{ port }}\n{% endfor %}\n",
        expected: &[("Z0221", "listener", "put the loop's variable into the id")],
    },
    Mistake {
        number: 12,
        files: "nginx: pkg.installed\nweb:\n  service.running:\n    - name: nginx\n    - require:\n      - pkg.installed:ngnix\n",
        expected: &[("Z0301", "pkg.installed:ngnix", "did you mean `pkg.installed: nginx`")],
    },
    Mistake {
        number: 13,
        files: "nginx:\n  service.running: []\nnginx package:\n  pkg.installed:\n    - name: nginx\n    - require_in:\n      - service.running:ngnix\n",
        expected: &[("Z0301", "service.running:ngnix", "did you mean `service.running: nginx`")],
    },
    Mistake {
        number: 14,
        files: "drop_old:\n  file.absent:\n    - name: /srv/old\nnginx:\n  pkg.installed:\n    - require_in:\n      - file.absent:/srv/app\n",
        expected: &[("Z0301", "file.absent:/srv/app", "define it, or include the file that does")],
    },
    Mistake {
        number: 15,
        files: "https://x/y:\n  file.exists:\n    - name: /srv/y\nnginx:\n  service.running:\n    - watch:\n      - file.exists:https://x/y\n",
        expected: &[],
    },
    Mistake {
        number: 16,
        files: "nginx:\n  pkg.installed:\n    - require: true\n  service.running:\n    - require: [5]\n",
        expected: &[("Z0302", "true", "names a state"), ("Z0302", "5", "names a state")],
    },
    Mistake {
        number: 17,
        files: "nginx:\n  pkg.latest: []\nweb:\n  service.running:\n    - name: nginx\n    - require:\n      - pkg.installed: nginx\n",
        expected: &[("Z0301", "pkg.installed: nginx", "`nginx` is `pkg.latest`")],
    },
    Mistake {
        number: 18,
        files: "-- states/a.zy --\ninclude: [common]\nnginx:\n  pkg.installed:\n    - require:\n      - sls: common\n-- states/common.zy --\nvim: pkg.installed\n",
        expected: &[],
    },
    Mistake {
        number: 19,
        files: "a:\n  test.nop:\n    - require:\n      - test: b\nb:\n  test.nop:\n    - require:\n      - test: a\n",
        expected: &[("Z0303", "test: a", "test.nop:a → test.nop:b → test.nop:a")],
    },
    Mistake {
        number: 22,
        files: "a:\n  file.managed:\n    - name: /etc/hosts\n    - contents: a\nb:\n  file.managed:\n    - name: /etc/hosts\n    - contents: b\n",
        expected: &[("Z0222", "/etc/hosts", "Two states manage `/etc/hosts`")],
    },
    Mistake {
        number: 24,
        files: "main:\n  cmd.run:\n    - creates: /a\nalarm:\n  cmd.run:\n    - creates: /b\n    - require:\n      - cmd: main\n    - onfail:\n      - cmd: main\n",
        expected: &[("Z0305", "cmd: main", "can never be met together")],
    },
    Mistake {
        number: 25,
        files: "anchor:\n  test.nop: []\nreload:\n  cmd.run:\n    - onchanges:\n      - test: anchor\n",
        expected: &[("Z0306", "test: anchor", "never reports a change")],
    },
    Mistake {
        number: 26,
        files: "stop:\n  cmd.run:\n    - prereq:\n      - cmd: deploy\ndeploy:\n  cmd.run:\n    - onchanges:\n      - cmd: stop\n",
        expected: &[("Z0308", "cmd: stop", "remove one of the two")],
    },
    Mistake {
        number: 27,
        files: "-- states/a.zy --\ninclude: [b]\nextend:\n  nginx:\n    pkg.installed:\n      - require: \"x:y\"\n-- states/b.zy --\nnginx: pkg.installed\n",
        expected: &[("Z0301", "\"x:y\"", "names no state that exists")],
    },
    // 20: a failure is passed on along requisites at run time, see the runner's tests. 21, 42: see below.
    Mistake {
        number: 23,
        files: "restart:\n  cmd.run:\n    - creates: /x\n    - order: lst\n",
        expected: &[("Z0209", "lst", "`first` or `last`")],
    },
    Mistake {
        number: 28,
        files: "/etc/a:\n  file.managed:\n    - contnts: x\n",
        expected: &[("Z0203", "contnts", "did you mean `contents`")],
    },
    Mistake {
        number: 29,
        files: "/etc/a:\n  file.managed:\n    - contents: x\n    - mode: 888\n",
        expected: &[("Z0213", "8", "octal digits")],
    },
    // The author's own digits are kept: no `1.1`.
    Mistake { number: 30, files: "nginx:\n  pkg.installed:\n    - version: 1.10\n", expected: &[] },
    Mistake {
        number: 32,
        files: "/etc/a:\n  file.managed:\n    - contents: x\n    - source: http://example.org/a\n",
        expected: &[("Z0227", "http://example.org/a", "never read")],
    },
    Mistake {
        number: 33,
        files: "/etc/a:\n  file.symlink: []\n/etc/b:\n  file.recurse: []\n",
        expected: &[("Z0205", "file.symlink", "`target`"), ("Z0205", "file.recurse", "`source`")],
    },
    Mistake {
        number: 34,
        files: "AAAAB3NzaC1yc2E:\n  ssh_auth.present: []\n",
        expected: &[("Z0205", "ssh_auth.present", "`user`")],
    },
    Mistake {
        number: 35,
        files: "https://example.org/x.git:\n  git.latest: []\n/opt/app:\n  git.cloned: []\n",
        expected: &[("Z0205", "git.latest", "`target`"), ("Z0205", "git.cloned", "`target` or `url`")],
    },
    Mistake {
        number: 36,
        files: "/bin/x:\n  cron.present:\n    - hour: '25'\n    - minute: '*/0'\n    - dayweek: 9\n",
        expected: &[
            ("Z0208", "25", "0 to 23"),
            ("Z0208", "0", "a step of 1 or more"),
            ("Z0208", "9", "0 to 7"),
        ],
    },
    Mistake {
        number: 39,
        files: "joe:\n  user.present:\n    - password: hunter2\n",
        expected: &[("Z0225", "hunter2", "openssl passwd -6")],
    },
    Mistake {
        number: 40,
        files: "a:\n  test.nop:\n    - retry: {attemps: 3}\n    - order: soon\n    - failhard: TRUEe\n",
        expected: &[
            ("Z0209", "attemps", "did you mean `attempts`"),
            ("Z0209", "soon", "an integer"),
            ("Z0204", "TRUEe", "true or false"),
        ],
    },
    Mistake {
        number: 41,
        files: "a:\n  cmd.run:\n    - name: a | b\n    - args: [-x]\n    - creates: /x\n",
        expected: &[("Z0226", "a | b", "no shell reads")],
    },
    Mistake {
        number: 42,
        files: "make install:\n  cmd.run: []\n",
        expected: &[("Z0223", "cmd.run", "on every run")],
    },
    Mistake {
        number: 43,
        files: "/etc/a:\n  file.replace:\n    - pattern: \"foo(\"\n    - repl: x\n",
        expected: &[("Z0214", "\"foo(\"", "without closing parenthesis")],
    },
    // 44: lookahead, lookbehind and `\\1` are the dialect's own.
    Mistake {
        number: 44,
        files: "/etc/a:\n  file.replace:\n    - pattern: '(?P<a>x)(?=y)'\n    - repl: '\\1'\n",
        expected: &[],
    },
    Mistake {
        number: 45,
        files: "a:\n  cmd.run:\n    - names: [x, y]\n    - name: z\n    - creates: /x\n",
        expected: &[("Z0206", "name", "this one is lost")],
    },
    Mistake {
        number: 47,
        files: "C:\\x:\n  reg.present: []\n",
        expected: &[("Z0211", "reg.present", "not provided here")],
    },
    Mistake {
        number: 48,
        files: "a:\n  test.nop:\n    - comment: {{ salt['pkg.version'](pkgname='x') }}\n",
        expected: &[("Z0408", "pkgname", "no argument `pkgname`")],
    },
    Mistake {
        number: 49,
        files: "-- states/_modules/site.star --\ndef configured(name: str, root: str, port: int = 80) -> dict:\n    return {}\n-- states/a.zy --\na:\n  site.configured:\n    - port: many\n",
        expected: &[
            ("Z0204", "many", "an integer"),
            ("Z0205", "site.configured", "needs the parameter `root`"),
        ],
    },
    // A secret may stand in a branch and in a list: it is found, masked and published apart.
    Mistake {
        number: 65,
        files: "-- settings/a.zy --\n{% if grains.os == 'Debian' %}\npassword: !encrypted hunter2\n{% endif %}\n-- states/a.zy --\nvim: pkg.installed\n",
        expected: &[],
    },
    Mistake {
        number: 66,
        files: "-- settings/a.zy --\nkeys:\n  - !encrypted one\n  - {name: x, key: !encrypted two}\n-- states/a.zy --\nvim: pkg.installed\n",
        expected: &[],
    },
    Mistake {
        number: 67,
        files: "-- settings/top.zy --\nbase:\n  'G@role:db': [db]\n-- settings/db.zy --\npassword: !encrypted hunter2\n-- states/a.zy --\nvim: pkg.installed\n",
        expected: &[("Z0510", "'G@role:db'", "add the ids that may have it")],
    },
    Mistake {
        number: 69,
        files: "-- settings/top.zy --\nbase:\n  '*': [comon]\n-- settings/common.zy --\nport: 80\n-- states/a.zy --\nvim: pkg.installed\n",
        expected: &[("Z0502", "comon", "did you mean `common`?")],
    },
    Mistake {
        number: 70,
        files: "-- settings/top.zy --\nbase:\n  '*': [common, web]\n-- settings/common.zy --\nnginx: {port: 80}\n-- settings/web.zy --\nnginx: enabled\n-- states/a.zy --\nvim: pkg.installed\n",
        expected: &[("Z0501", "nginx", "give the setting one shape")],
    },
    Mistake {
        number: 71,
        files: "-- zester.yaml --\nlint: {list-replaced: warn}\n-- settings/top.zy --\nbase:\n  '*': [common, web]\n-- settings/common.zy --\nports: [80]\n-- settings/web.zy --\nports: [443]\n-- states/a.zy --\nvim: pkg.installed\n",
        expected: &[("Z0514", "ports", "`__merge__: append`")],
    },
    // `5minutes` is a duration here.
    Mistake {
        number: 76,
        files: "-- settings/a.zy --\nbasket_functions: {network.hostnam: 5m, network.ipv4: 5minuets, network.ipv6: 5minutes}\n-- states/a.zy --\nvim: pkg.installed\n",
        expected: &[
            ("Z0513", "network.hostnam", "did you mean `network.hostname`?"),
            ("Z0513", "5minuets", "a duration"),
        ],
    },
    Mistake {
        number: 77,
        files: "-- facts.d/site.yaml --\nos: mine\n-- states/a.zy --\nvim: pkg.installed\n",
        expected: &[("Z0515", "os", "give it another name")],
    },
    Mistake {
        number: 50,
        files: "-- states/a.zy --\na:\n  test.nop:\n    - comment: {{ settings.databse.host }}\n-- settings/top.zy --\nbase:\n  '*': [web]\n-- settings/web.zy --\nnginx:\n  port: 80\ndatabase:\n  host: db\n",
        expected: &[("Z0424", "databse", "did you mean `database`")],
    },
    Mistake {
        number: 51,
        files: "-- states/a.zy --\nb:\n  file.absent:\n    - name: {{ settings.base }}/data\n-- settings/top.zy --\nbase:\n  '*': [web]\n-- settings/web.zy --\nnginx:\n  port: 80\ndatabase:\n  host: db\n",
        expected: &[("Z0424", "base", "`base | default(…)`")],
    },
    Mistake {
        number: 52,
        files: "-- states/a.zy --\nc:\n  pkg.installed:\n    - name: \"{{ settings.pkg }}\"\n-- settings/top.zy --\nbase:\n  '*': [web]\n-- settings/web.zy --\nnginx:\n  port: 80\ndatabase:\n  host: db\n",
        expected: &[("Z0424", "pkg", "No settings file defines `pkg`")],
    },
    Mistake {
        number: 53,
        files: "{% if facts.os == \"ubuntu\" %}\na:\n  test.nop: []\n{% endif %}\n",
        expected: &[("Z0425", "facts.os == \"ubuntu\"", "is a map")],
    },
    // A grain has its name here too.
    Mistake {
        number: 54,
        files: "a:\n  test.nop:\n    - comment: {{ grains['os_family'] }} {{ facts.fqdn }} {{ facts.os_family }}\n",
        expected: &[
            ("Z0423", "fqdn", "it is `facts.network.fqdn`"),
            ("Z0423", "os_family", "`facts.os.family`"),
        ],
    },
    Mistake {
        number: 55,
        files: "a:\n  test.nop:\n    - comment: {{ facts.default_ipv4 }}\n",
        expected: &[("Z0413", "default_ipv4", "`default_ipv4 | default(…)`")],
    },
    // Lists and dicts can be changed, as in Jinja2.
    Mistake {
        number: 56,
        files: "{% set l = [] %}\n{% do l.append('x') %}\na:\n  test.nop:\n    - comment: {{ l | join(',') }}\n",
        expected: &[],
    },
    Mistake {
        number: 57,
        files: "-- states/a.zy --\na:\n  test.nop:\n    - comment: {{ salt['pillar.get']('nginx:port') }} {{ salt['pillar.get']('nginx.port') }}\n-- settings/top.zy --\nbase:\n  '*': [web]\n-- settings/web.zy --\nnginx:\n  port: 80\ndatabase:\n  host: db\n",
        expected: &[("Z0424", "nginx.port", "write `nginx:port`")],
    },
    Mistake {
        number: 58,
        files: "{% set f = 'grains.get' %}\na:\n  test.nop:\n    - comment: {{ salt[f]('os') }} {{ salt['pkg.verison']('x') }}\n",
        expected: &[("Z0405", "'pkg.verison'", "did you mean `pkg.version`")],
    },
    // It is a regular expression.
    Mistake {
        number: 59,
        files: "{% if grains.id | regex_match('^web') %}\na:\n  test.nop: []\n{% endif %}\n",
        expected: &[],
    },
    Mistake {
        number: 60,
        files: "-- states/a.zy --\n{% set flavour = 'x' %}\n{% from \"map.jinja\" import m %}\n{{ m }}:\n  test.nop: []\n-- states/map.jinja --\n{% set m = 'a-' ~ flavour %}\n",
        expected: &[("Z0106", "{% from \"map.jinja\" import m %}", "`with context`")],
    },
    Mistake {
        number: 61,
        files: "{{ salt['service.restart']('x') }}:\n  test.nop: []\n",
        expected: &[("Z0406", "'service.restart'", "module.run")],
    },
    Mistake {
        number: 62,
        files: "{% if grains.os_family == 'RedHat' %}\na:\n  test.nop: []\na:\n  test.nop: []\n{% endif %}\n",
        expected: &[("Z0221", "a", "a")],
    },
    Mistake {
        number: 64,
        files: "a:\n  test.nop:\n    - comment: {{ basket(\"role:web\", \"network.ip_addrs\") }}\n",
        expected: &[("Z0601", "role:web", "write `G@role:web`")],
    },
    Mistake {
        number: 72,
        files: "-- states/a.zy --\nx:\n  test.nop: []\n-- states/top.zy --\nbase:\n  'os.family:debian': [a]\n  'web* and x:y': [a]\n  'web01.example.com': [a]\n",
        expected: &[
            ("Z0601", "os.family:debian", "write `G@os.family:debian`"),
            ("Z0601", "x:y", "read as a glob"),
        ],
    },
    // 73 and 75: one language, and a lexer that knows brackets.
    Mistake {
        number: 73,
        files: "-- states/a.zy --\nx:\n  test.nop: []\n-- states/top.zy --\nbase:\n  'G@role:web and not E@dev': [a]\n  'E@web-(a|b) and web*': [a]\n",
        expected: &[],
    },
    // Words of facts are matched in any case.
    Mistake {
        number: 74,
        files: "-- states/a.zy --\nx:\n  test.nop: []\n-- states/top.zy --\nbase:\n  'G@os:ubuntu': [a]\n  'I@role:web': [a]\n-- settings/top.zy --\nbase:\n  '*': [web]\n-- settings/web.zy --\nnginx:\n  port: 80\ndatabase:\n  host: db\n",
        expected: &[("Z0605", "I@role:web", "matches no peel")],
    },
];

#[test]
fn each_is_found_at_its_place_and_nothing_else() {
    let mut failures = String::new();
    for mistake in MISTAKES {
        let checked = Checked::of(&archive::files(mistake.files, "states/example.zy"));
        let mut expected = mistake.expected.to_vec();
        let mut unexpected = Vec::new();
        for diagnostic in &checked.report.diagnostics {
            let place = checked.text_of(diagnostic);
            let fits = |(code, text, part): &(&str, &str, &str)| {
                diagnostic.rule.code == *code
                    && place == *text
                    && (diagnostic.message.contains(part)
                        || diagnostic.help.as_ref().is_some_and(|h| h.contains(part)))
            };
            match expected.iter().position(fits) {
                Some(index) => {
                    expected.remove(index);
                }
                None => unexpected.push(diagnostic.rule.code),
            }
        }
        if !expected.is_empty() || !unexpected.is_empty() {
            failures.push_str(&format!(
                "== {}: not found {expected:?}, unexpected {unexpected:?}\n{}",
                mistake.number,
                checked.lines()
            ));
        }
    }
    assert!(failures.is_empty(), "{failures}");
}
