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
