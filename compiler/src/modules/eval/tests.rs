//! What programs give, and that all of them end.

use super::*;
use crate::{
    modules::CustomModules,
    project::{OpenOptions, Project},
    source::MemorySources,
};
use std::{cell::RefCell, sync::Arc};

#[derive(Default)]
struct Recorder(RefCell<Vec<String>>);

impl Host for Recorder {
    fn call(&self, name: &str, arguments: &Map) -> Result<Value, String> {
        self.0.borrow_mut().push(format!("{name} {}", Value::Map(arguments.clone())));
        if name == "file_read" { Err("the file cannot be read".to_owned()) } else { Ok(Value::Null) }
    }

    fn data(&self, what: Data) -> Value {
        serde_json::from_str(if what == Data::Facts {
            r#"{"os": {"family": "debian"}}"#
        } else {
            r#"{"port": 80}"#
        })
        .unwrap()
    }

    fn log(&self, level: &'static str, line: String) {
        self.0.borrow_mut().push(format!("{level}: {line}"));
    }

    fn stop(&self) -> Option<String> {
        None
    }
}

fn modules(files: &[(&str, &str)]) -> CustomModules {
    let sources = files.iter().fold(MemorySources::new(), |sources, (name, text)| {
        sources.with(format!("states/_modules/{name}"), text)
    });
    CustomModules::read(&Project::open(Arc::new(sources), OpenOptions::default()).unwrap())
}

const TIGHT: Limits = Limits { steps: 300_000, memory_bytes: 1 << 20, depth: 300 };

/// The result of `f()` as JSON, or the message with the words that it points at.
fn run(text: &str) -> String {
    run_with(text, TIGHT)
}

fn run_with(text: &str, limits: Limits) -> String {
    let set = modules(&[("m.star", text)]);
    let said: Vec<_> = set.modules().iter().flat_map(|m| &m.module.diagnostics).collect();
    assert!(said.is_empty(), "{said:?}");
    match call(&set, 0, "f", &Map::new(), &Recorder::default(), limits) {
        Ok(value) => serde_json::to_string(&value).unwrap(),
        Err(fault) => {
            let at = fault.span.map_or("nowhere", |span| &text[span.range()]);
            format!("{} at `{at}`", fault.message)
        }
    }
}

fn value(expression: &str) -> String {
    run(&format!("def f():\n    return {expression}\n"))
}

#[test]
fn expressions_are_those_of_the_language() {
    for (expression, expected) in [
        ("1 + 2 * 3 - -4", "11"),
        ("[7 // 2, -7 // 2, 7 % -3, 1 / 2]", "[3,-4,-2,0.5]"),
        ("'ab' * 2 + 'c'", r#""ababc""#),
        ("[1] * 3 + [2]", "[1,1,1,2]"),
        ("1 < 2 and not (2 in [1, 3]) and 'b' in 'abc'", "true"),
        ("[x * x for x in range(5) if x % 2 == 0]", "[0,4,16]"),
        ("{k: v for k, v in [('a', 1), ('b', 2)]}", r#"{"a":1,"b":2}"#),
        ("[(x, y) for x in [1, 2] for y in [3]]", "[[1,3],[2,3]]"),
        ("'abcdef'[1:-1], 'abc'[::-1], [1, 2, 3][-2:]", r#"["bcde","cba",[2,3]]"#),
        ("'x' if [] else 'y'", r#""y""#),
        ("'{}-{b}'.format(1, b='two')", r#""1-two""#),
        ("'%s is %d%%' % ('a', 5)", r#""a is 5%""#),
        ("f'{1 + 1} {[\"x\"]}'", r#""2 [\"x\"]""#),
        ("sorted([3, 1, 2], reverse=True), max('b', 'a'), min([2, 1])", r#"[[3,2,1],"b",1]"#),
        ("sorted(['b1', 'a2', 'c1'], key=lambda t: t[1], reverse=True)", r#"["a2","b1","c1"]"#),
        ("sorted([x * 7 % 10 for x in range(10)])", "[0,1,2,3,4,5,6,7,8,9]"),
        ("sorted(['bb', 'a'], key=lambda t: len(t))", r#"["a","bb"]"#),
        (
            "' a b '.split(), 'a,b,c'.split(',', 1), '\\n'.join(['x', 'y'])",
            r#"[["a","b"],["a","b,c"],"x\ny"]"#,
        ),
        ("'Straße'.upper(), len('ä€'), 'ä€'.find('€')", r#"["STRASSE",2,1]"#),
        ("dict([('a', 1)], b=2) | {'a': 3}", r#"{"a":3,"b":2}"#),
        ("int('0x1f', 16), int('7'), float('1.5'), str(None), type([])", r#"[31,7,1.5,"None","list"]"#),
        ("list(enumerate(['a'], 1)), list(zip([1, 2], ['x']))", r#"[[[1,"a"]],[[1,"x"]]]"#),
        ("json.decode('{\"a\": [1, 2.5]}')['a'], json.encode({'x': None})", r#"[[1,2.5],"{\"x\":null}"]"#),
        ("facts['os']['family'], settings['port']", r#"["debian",80]"#),
        ("hash_sha256('')[:8], base64_decode(base64_encode('ü'))", r#"["e3b0c442","ü"]"#),
        ("{'a': 1}.get('b', 2), list({'a': 1}.items())", r#"[2,[["a",1]]]"#),
        ("'a-b'.partition('-'), 'x.tar'.removesuffix('.tar')", r#"[["a","-","b"],"x"]"#),
        ("1 == True, 1 == 1.0, (1, 2) < (1, 3)", "[false,true,true]"),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn statements_and_functions() {
    let text = concat!(
        "SIZES = {'a': 1}\n",
        "def _outer(n, *rest, sep = '-', **more):\n",
        "    count = [0]\n",
        "    def inner(x):\n        count[0] += x\n        return count[0]\n",
        "    for x in rest:\n        if x == 3:\n            continue\n        if x > 4:\n            break\n        inner(x)\n",
        "    return sep.join([str(n), str(count[0]), str(len(more)), str(SIZES['a'])])\n",
        "def f():\n    return _outer(1, 2, 3, 4, 5, 6, sep='/', z=1)\n",
    );
    assert_eq!(run(text), r#""1/6/1/1""#);
}

#[test]
fn faults_are_at_the_authors_words() {
    for (text, expected) in [
        ("def f():\n    return {'a': 1}['b']\n", "The map has no key \"b\" at `{'a': 1}['b']`"),
        ("def f():\n    return 1 + 'a'\n", "A int and a string have no `+` at `1 + 'a'`"),
        ("def f():\n    return [].push(1)\n", "A list has no method `push` at `[].push(1)`"),
        (
            "def g(x: int):\n    return x\ndef f():\n    return g('a')\n",
            "`x` of `g` is text, and its type is `int` at `g('a')`",
        ),
        ("def f() -> int:\n    return 'a'\n", "`f` gives text, and its type is `int` at `return 'a'`"),
        ("def f():\n    fail('no', 1)\n", "no 1 at `fail('no', 1)`"),
        (
            "L = []\ndef f():\n    L.append(1)\n",
            "What a module makes when it is loaded cannot change; make it in the function at `L.append(1)`",
        ),
        (
            "def f():\n    l = [1]\n    for x in l:\n        l.append(x)\n",
            "A list cannot change while a loop goes over it at `l.append(x)`",
        ),
        ("def f():\n    return file_read(path='/x')\n", "the file cannot be read at `file_read(path='/x')`"),
        (
            "def f():\n    return 9223372036854775807 + 1\n",
            "The number is too large: integers have 64 bits at `9223372036854775807 + 1`",
        ),
    ] {
        assert_eq!(run(text), expected, "{text}");
    }
}

#[test]
fn everything_ends() {
    for (text, expected) in [
        ("def f():\n    for x in range(1000000000000):\n        pass\n", "takes more than"),
        ("def f():\n    return f()\n", "nested too deep"),
        ("def f():\n    return 'x' * 1000000000000\n", "of memory"),
        ("def f():\n    return [0] * 100000000000\n", "of memory"),
        ("def f():\n    return list(range(100000000000))\n", "of memory"),
        ("def f():\n    l = []\n    for x in range(10000000):\n        l.append([x])\n", "of memory"),
        ("def f():\n    t = 'x'\n    for x in range(100):\n        t = t + t\n", "of memory"),
        (
            "def f():\n    t = 'ab'\n    for x in range(100):\n        t = t.replace('a', 'aaaaaaaaaaaaaaaa')\n",
            "of memory",
        ),
        ("def f():\n    l = [1]\n    l.append(l)\n    return l\n", "in a circle"),
        (
            "def f():\n    l = []\n    for x in range(5000):\n        l = [l]\n    return l\n",
            "nested more than",
        ),
        (
            "def f():\n    l = [0] * 10000\n    return [y for x in l for y in l if y == 1]\n",
            "takes more than",
        ),
        ("def f():\n    l = list(range(10000))\n    return [x for x in l if -1 in l]\n", "takes more than"),
    ] {
        let found = run(text);
        assert!(found.contains(expected), "{text}: {found}");
    }
    // What goes is not counted for ever.
    let text = "def f():\n    t = ''\n    for x in range(20000):\n        t = 'x' * 100\n    return len(t)\n";
    assert_eq!(run(text), "100");
    // Deep and circular values are written, compared and let go.
    let text = "def f():\n    l = []\n    for x in range(2000):\n        l = [l, l]\n    l.append(l)\n    return len(str(l)) > 10\n";
    assert!(run(text).contains("more than"));
    let text =
        "def f():\n    l = []\n    for x in range(2000):\n        l = (l,)\n    return len(str(l)) < 200\n";
    assert_eq!(run(text), "true");
}

#[test]
fn the_default_limits_fit_the_stack() {
    let text = "def g(n):\n    return 0 if n == 0 else 1 + g(n - 1)\ndef f():\n    return g(100000)\n";
    assert!(run_with(text, Limits::default()).contains("nested too deep"));
}

#[test]
fn modules_take_from_each_other() {
    let set = modules(&[
        (
            "a.star",
            "load('b.star', 'twice', mine='ONE')\ndef f(n: int = 1) -> int:\n    return twice(n) + mine\n",
        ),
        ("b.star", "ONE = 1\n_two = 2\ndef twice(n):\n    return n * _two\n"),
        ("c.star", "load('d.star', 'g')\ndef f():\n    return g()\n"),
        ("d.star", "load('c.star', 'f')\ndef g():\n    return f()\n"),
    ]);
    let of = |name: &str| set.modules().iter().position(|m| m.name == name).unwrap();
    let host = Recorder::default();
    let arguments = Map::from_iter([("n".to_owned(), Value::Int(4))]);
    assert_eq!(call(&set, of("a"), "f", &arguments, &host, TIGHT), Ok(Value::Int(9)));
    let circle = call(&set, of("c"), "f", &Map::new(), &host, TIGHT).unwrap_err();
    assert_eq!(circle.message, "Modules take from each other in a circle");
}

#[test]
fn the_machine_is_reached_through_the_host() {
    let host = Recorder::default();
    let text = "def f():\n    file_write('/x', content='y')\n    log.warn('done', 1)\n    print([])\n";
    let set = modules(&[("m.star", text)]);
    call(&set, 0, "f", &Map::new(), &host, TIGHT).unwrap();
    assert_eq!(
        host.0.into_inner(),
        [r#"file_write {"path":"/x","content":"y"}"#, "warn: done 1", "info: []"]
    );
}
