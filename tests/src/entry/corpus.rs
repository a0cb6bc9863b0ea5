//! What mutations begin from: the fixtures of the other tests, and the inputs that once broke something.

use std::{fs, path::Path};

/// All files below a folder of the fixtures, sorted, that `wanted` takes by their names.
fn below(folder: &str, wanted: &dyn Fn(&str) -> bool) -> Vec<Vec<u8>> {
    fn walk(directory: &Path, wanted: &dyn Fn(&str) -> bool, found: &mut Vec<Vec<u8>>) {
        let mut entries: Vec<_> =
            fs::read_dir(directory).into_iter().flatten().filter_map(|e| Some(e.ok()?.path())).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                walk(&path, wanted, found);
            } else if wanted(&path.to_string_lossy()) {
                found.extend(fs::read(&path).ok());
            }
        }
    }
    let mut found = Vec::new();
    walk(&crate::repository().join("tests/fixtures").join(folder), wanted, &mut found);
    found
}

/// Inputs that once broke an entry, kept for ever.
pub fn seeds(entry: &str) -> Vec<Vec<u8>> {
    below(&format!("fuzz/{entry}"), &|_| true)
}

fn is_source(name: &str) -> bool {
    [".zy", ".sls", ".jinja"].iter().any(|end| name.ends_with(end))
}

pub(super) fn files() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    // Fixtures are archives of files; each is an input by itself, expectations in comments and all.
    for fixture in below("check", &is_source) {
        let files = crate::archive::files(&String::from_utf8_lossy(&fixture), "states/a.zy");
        all.extend(files.into_iter().filter(|(path, _)| is_source(path)).map(|(_, text)| text.into_bytes()));
    }
    all.extend(below("trees", &|name| is_source(name) && name.contains("/states/")));
    all
}

/// Custom modules of the fixtures and of the book, and one that uses all of the language.
pub(super) fn modules() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for fixture in below("check", &is_source) {
        let files = crate::archive::files(&String::from_utf8_lossy(&fixture), "states/a.zy");
        let modules = files.into_iter().filter(|(path, _)| path.strip_suffix(".star").is_some());
        all.extend(modules.map(|(_, text)| text.into_bytes()));
    }
    let book = fs::read_to_string(crate::repository().join("docs/custom-modules.md")).unwrap_or_default();
    let blocks = book.split("```").filter_map(|block| block.strip_prefix("starlark "));
    all.extend(blocks.filter_map(|block| Some(block.split_once('\n')?.1.as_bytes().to_vec())));
    all.extend([&include_bytes!("language.star")[..]].map(<[u8]>::to_vec));
    all
}

pub(super) fn settings() -> Vec<Vec<u8>> {
    let mut all = below("trees", &|name| is_source(name) && name.contains("/settings/"));
    all.push(
        b"db:\n  password: !encrypted \"geheim\"\n  other: [!encrypted x, y]\n  __merge__: append\n".to_vec(),
    );
    all.push(
        b"include:\n  - first:\n      key: a:b\n      defaults: {x: 1}\nx: {{ settings.app.name }}\n"
            .to_vec(),
    );
    all
}

pub(super) fn data() -> Vec<Vec<u8>> {
    below("trees", &|name| [".yaml", ".json"].iter().any(|end| name.ends_with(end)))
}

pub(super) fn configurations() -> Vec<Vec<u8>> {
    let mut all = below("trees", &|name| name.ends_with("zester.yaml"));
    all.push(b"states: states\nsettings: [settings, ./more]\nlint: {unreachable-file: allow, Z0203: deny}\nextensions: .sls\n".to_vec());
    all.push(
        b"nodegroups:\n  a: N@b\n  b: [N@a, and, 'not E@x.*y']\nenvironments: {dev: {states: [dev]}}\n"
            .to_vec(),
    );
    all
}

/// The insides of all tags of all fixtures.
pub(super) fn expressions() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for file in files() {
        let text = String::from_utf8_lossy(&file);
        for segment in zester_compiler::syntax::segment::segments(&text) {
            if segment.range != segment.inner {
                all.extend(text.get(segment.inner).map(|inner| inner.as_bytes().to_vec()));
            }
        }
    }
    all
}

/// Fixtures as if rendered: what stands in `{{ }}` is what they gave.
pub(super) fn rendered() -> Vec<Vec<u8>> {
    let one = |file: Vec<u8>| {
        let text = String::from_utf8_lossy(&file).replace("{{ ", "«").replace(" }}", "»");
        let lines = text.lines().filter(|line| !line.contains("{%") && !line.contains("{#"));
        lines.flat_map(|line| [line, "\n"]).collect::<String>().into_bytes()
    };
    let mut all: Vec<Vec<u8>> = files().into_iter().map(one).collect();
    all.push("a: «x: y»\nb: \"«q»\"\nc: |\n  «one\ntwo»\nd: «!{a: 1}»\n«!e: 1\nf: 2»\ng: [«1», «None», '«True»']\n".into());
    all.push("a: &x {k: 1}\nb: *x\n<<: *x\nc: !encrypted «s»\n? k\n: v\n".into());
    all
}

pub(super) fn targets() -> Vec<Vec<u8>> {
    [
        "*",
        "web*",
        "web-[0-9]?",
        "E@web-\\d+",
        "L@a,b,web-01",
        "G@os.family:debian and not (I@role:web or N@x)",
        "G@mem:>=4096",
        "P@os:(Debian|Ubuntu)",
        "J@role:^w",
        "S@10.0.0.0/8 or S@fe80::/10",
        "\"quoted value\" and 'G@a:b c'",
        "I@app:port:80 and G@roles:web",
        "not not (web*)",
        "( ( ( a ) ) )",
        "os:debian",
        "10.0.0.5",
        "(Debian|Ubuntu)",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect()
}
