//! Every way in takes what nobody wrote: real inputs with bytes flipped, pieces cut, doubled, and mixed with those of others.
//!
//! A few thousand cases run each time, always the same ones. `ZESTER_CASES=100000` runs that many of the cheapest entry (and fewer of dear
//! ones), `ZESTER_SEED=7` others than usual. What breaks is printed in its smallest form; its file belongs into `tests/fixtures/fuzz/ENTRY/`.

use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};
use std::{
    fmt,
    time::{Duration, Instant},
};
use zester_tests::entry::{ENTRIES, Entry, entry, seeds};

/// An input, shown as text where it is one.
#[derive(Clone)]
struct Input(Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(&self.0) {
            Ok(text) => write!(f, "{text:?}"),
            Err(_) => write!(f, "b\"{}\"", self.0.escape_ascii()),
        }
    }
}

/// What a careless hand or a bad disk does.
#[derive(Clone, Debug)]
enum Mutation {
    Flip(Index, u8),
    Delete(Index, usize),
    Duplicate(Index, usize),
    Repeat(Index, usize, usize),
    Splice(Index, Index, Index),
    CutLine(Index),
    SwapLines(Index, Index),
    Indent(Index, usize),
    Insert(Index, Index),
    End(Index),
}

/// Words that mean something somewhere.
const WORDS: &[&str] = &[
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    "{%-",
    "-%}",
    "{% if x %}",
    "{% else %}",
    "{% endif %}",
    "{% endfor %}",
    "{% for x in y %}",
    "{% macro m(a) %}",
    "{% raw %}",
    "{% endraw %}",
    "{{ x }}",
    "- ",
    ": ",
    ":\n",
    "\n",
    "\r\n",
    "\t",
    "  ",
    "#",
    " #",
    "&a ",
    "*a",
    "<<: *a\n",
    "!encrypted ",
    "!!str ",
    "|\n",
    ">-\n",
    "'",
    "\"",
    "[",
    "]",
    "{",
    "}",
    "? ",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "\u{feff}",
    "ä",
    "😀",
    "\0",
    "\u{2028}",
    "null",
    "~",
    "0x7f",
    "1e999",
    "-0",
    "true",
    " and ",
    " or ",
    " not ",
    "(",
    ")",
    "G@",
    "E@",
    "|",
    "is ",
    "~",
    "**",
    "//",
    "@",
    "include:\n",
    "extend:\n",
    "top",
    "require",
    "names",
    "a",
    "\\",
    "\\u",
    "\\x",
    "$",
    "=",
    ",",
    "\x7f",
    "\u{1b}[2J",
    "\u{202e}",
    "«",
    "»",
    "«!",
];

fn mutation() -> impl Strategy<Value = Mutation> {
    let index = any::<Index>;
    prop_oneof![
        3 => (index(), any::<u8>()).prop_map(|(at, by)| Mutation::Flip(at, by)),
        3 => (index(), 1usize..40).prop_map(|(at, length)| Mutation::Delete(at, length)),
        2 => (index(), 1usize..80).prop_map(|(at, length)| Mutation::Duplicate(at, length)),
        1 => (index(), 1usize..8, 2usize..200).prop_map(|(at, length, times)| Mutation::Repeat(at, length, times)),
        3 => (index(), index(), index()).prop_map(|(of, from, to)| Mutation::Splice(of, from, to)),
        2 => index().prop_map(Mutation::CutLine),
        1 => (index(), index()).prop_map(|(a, b)| Mutation::SwapLines(a, b)),
        2 => (index(), 0usize..9).prop_map(|(at, columns)| Mutation::Indent(at, columns)),
        6 => (index(), index()).prop_map(|(at, word)| Mutation::Insert(at, word)),
        1 => index().prop_map(Mutation::End),
    ]
}

/// Most bytes of an input: repetition upon repetition would be a test of patience.
const MAX_BYTES: usize = 1 << 14;

fn apply(input: &mut Vec<u8>, mutation: &Mutation, corpus: &[Vec<u8>]) {
    let place = |at: &Index, input: &[u8]| at.index(input.len() + 1);
    let piece = |at: &Index, length: usize, input: &[u8]| {
        let start = place(at, input);
        start..(start + length).min(input.len())
    };
    let lines = |input: &[u8]| input.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
    match mutation {
        Mutation::Flip(at, by) => {
            let at = place(at, input);
            if let Some(byte) = input.get_mut(at) {
                *byte ^= by;
            }
        }
        Mutation::Delete(at, length) => {
            input.drain(piece(at, *length, input));
        }
        Mutation::Duplicate(at, length) => {
            let range = piece(at, *length, input);
            let copy = input[range.clone()].to_vec();
            input.splice(range.start..range.start, copy);
        }
        Mutation::Repeat(at, length, times) => {
            let range = piece(at, *length, input);
            let copy = input[range.clone()].repeat(*times);
            input.splice(range.start..range.start, copy);
        }
        Mutation::Splice(of, from, to) => {
            let other = of.get(corpus);
            let (from, to) = (place(from, other), place(to, input));
            input.truncate(to);
            input.extend_from_slice(&other[from..]);
        }
        Mutation::CutLine(at) => {
            let mut all = lines(input);
            if !all.is_empty() {
                all.remove(at.index(all.len()));
            }
            *input = all.concat();
        }
        Mutation::SwapLines(a, b) => {
            let mut all = lines(input);
            if !all.is_empty() {
                let (a, b) = (a.index(all.len()), b.index(all.len()));
                all.swap(a, b);
            }
            *input = all.concat();
        }
        Mutation::Indent(at, columns) => {
            let mut all = lines(input);
            if !all.is_empty() {
                let line = at.index(all.len());
                let start = all[line].iter().take_while(|b| **b == b' ').count();
                all[line].splice(..start, vec![b' '; *columns]);
            }
            *input = all.concat();
        }
        Mutation::Insert(at, word) => {
            let at = place(at, input);
            input.splice(at..at, word.get(WORDS).bytes());
        }
        Mutation::End(at) => input.truncate(place(at, input)),
    }
    input.truncate(MAX_BYTES);
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|v| v.parse().unwrap_or_else(|_| panic!("{variable} is no number: {v}")))
}

/// A case that takes longer is quadratic at best; only looked at in long runs, on inputs of at most [`MAX_BYTES`].
const PATIENCE: Duration = Duration::from_secs(60);

fn try_entry(entry: &Entry) {
    let long = number("ZESTER_CASES");
    let cases = (long.unwrap_or(600) / u64::from(entry.cost)).max(20) as u32;
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number("ZESTER_SEED").unwrap_or(0).to_le_bytes());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 4_000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let mut corpus = (entry.corpus)();
    corpus.extend(seeds(entry.name));
    assert!(!corpus.is_empty(), "`{}` has nothing to begin from", entry.name);
    let start = (any::<Index>(), prop::collection::vec(mutation(), 0..7));
    let inputs = start.prop_map(|(of, mutations)| {
        let mut input = of.get(&corpus).clone();
        input.truncate(MAX_BYTES);
        for mutation in &mutations {
            apply(&mut input, mutation, &corpus);
        }
        Input(input)
    });
    let result = runner.run(&inputs, |input| {
        let began = Instant::now();
        (entry.run)(&input.0);
        match long {
            Some(_) if began.elapsed() > PATIENCE => {
                Err(TestCaseError::fail(format!("{:?}", began.elapsed())))
            }
            _ => Ok(()),
        }
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, input)) => panic!("`{}` breaks ({why}) on {input:?}", entry.name),
        Err(error) => panic!("`{}`: {error}", entry.name),
    }
}

macro_rules! entries {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            try_entry(entry(stringify!($name)));
        })*

        const TRIED: &[&str] = &[$(stringify!($name)),*];
    };
}

entries!(
    parse, expression, rendered, target, config, facts, check, render, lower, settings, module, wire, signed,
    token, journal
);

#[test]
fn the_corpus_itself_is_taken() {
    for entry in ENTRIES {
        for input in (entry.corpus)() {
            (entry.run)(&input);
        }
    }
}

#[test]
fn what_once_broke_is_taken() {
    for entry in ENTRIES {
        for input in seeds(entry.name) {
            (entry.run)(&input);
        }
    }
}

/// Each entry is tried here and has its fuzz target, and no target is without an entry.
#[test]
fn every_entry_is_tried_everywhere() {
    let names: Vec<&str> = ENTRIES.iter().map(|e| e.name).collect();
    assert_eq!(names, TRIED);
    let directory = zester_tests::repository().join("tests/fuzz");
    let manifest = std::fs::read_to_string(directory.join("Cargo.toml")).unwrap();
    for name in &names {
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "tests/fuzz/Cargo.toml has no target `{name}`"
        );
        let target = std::fs::read_to_string(directory.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(target.contains(&format!("entry(\"{name}\")")), "the target `{name}` tries something else");
    }
    assert_eq!(manifest.matches("[[bin]]").count(), names.len());
    for folder in std::fs::read_dir(zester_tests::repository().join("tests/fixtures/fuzz")).unwrap() {
        let folder = folder.unwrap().file_name();
        assert!(names.iter().any(|n| *n == folder), "{} belongs to no entry", folder.display());
    }
}
